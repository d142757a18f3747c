"""Rewards for others than the credited partner: who has them, and what a unit costs"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

# Each can be run again, since an interrupted try may have left a part of it.
_COLUMNS = (
    "ALTER TABLE commissions ALTER COLUMN partner_id DROP NOT NULL",
    "ALTER TABLE commissions ADD COLUMN IF NOT EXISTS recipient text NOT NULL DEFAULT 'partner'",
    "ALTER TABLE commissions ADD COLUMN IF NOT EXISTS level smallint",
    "ALTER TABLE commissions ADD COLUMN IF NOT EXISTS rewarded_customer_id uuid",
    "ALTER TABLE commissions ADD COLUMN IF NOT EXISTS unit_cost bigint",
    "ALTER TABLE commissions ADD COLUMN IF NOT EXISTS cost_currency text",
    "ALTER TABLE accounts ADD COLUMN IF NOT EXISTS customer_id uuid",
)
_CHECKS = {
    "commissions": {
        "recipient": "recipient IN ('partner', 'recruiter', 'company', 'customer')",
        "beneficiary": "(partner_id IS NULL) = (recipient = 'customer')"
        " AND num_nonnulls(partner_id, rewarded_customer_id) = 1",
        "unit_cost": "unit_cost >= 0 AND (unit_cost IS NULL) = (cost_currency IS NULL)",
    },
    "accounts": {
        "owner": "num_nonnulls(partner_id, customer_id)"
        " = CASE WHEN role = 'expense' THEN 0 ELSE 1 END",
    },
}


def upgrade() -> None:
    op.create_table(
        "partner_companies",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name=op.f("fk_partner_companies_partner_id")
        ),
        sa.ForeignKeyConstraint(
            ["company_id"], ["partners.id"], name=op.f("fk_partner_companies_company_id")
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "partner_id", "since", name=op.f("pk_partner_companies")
        ),
        if_not_exists=True,
    )
    op.create_index(
        "ix_partner_companies_company_id",
        "partner_companies",
        ["workspace_id", "company_id"],
        if_not_exists=True,
    )
    for statement in _COLUMNS:
        op.execute(statement)
    op.execute("ALTER TABLE accounts DROP CONSTRAINT IF EXISTS ck_accounts_partner")
    for table, checks in _CHECKS.items():
        for name, rule in checks.items():
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name}")
            op.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({rule}) NOT VALID"
            )
    with op.get_context().autocommit_block():
        for table, checks in _CHECKS.items():
            for name in checks:
                op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")
        for table, column in (("commissions", "rewarded_customer_id"), ("accounts", "customer_id")):
            index = f"ix_{table}_{column}"
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
            op.execute(
                f"CREATE INDEX CONCURRENTLY {index} ON {table} (workspace_id, {column})"
                f" WHERE {column} IS NOT NULL"
            )


def downgrade() -> None:
    """Rewards that nobody can hold any more must be gone before."""
    for table, column in (("commissions", "rewarded_customer_id"), ("accounts", "customer_id")):
        op.execute(f"DROP INDEX IF EXISTS ix_{table}_{column}")
    for table, checks in _CHECKS.items():
        for name in checks:
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{name}")
    op.execute(
        "ALTER TABLE accounts ADD CONSTRAINT ck_accounts_partner"
        " CHECK ((role = 'expense') = (partner_id IS NULL))"
    )
    op.drop_column("accounts", "customer_id")
    for column in ("cost_currency", "unit_cost", "rewarded_customer_id", "level", "recipient"):
        op.drop_column("commissions", column)
    op.alter_column("commissions", "partner_id", nullable=False)
    op.drop_table("partner_companies")
