"""Registered leads: who holds which prospect, its dated history, and who came too late"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0034"
branch_labels = None
depends_on = None

STAGES = "'registered', 'accepted', 'qualified', 'won', 'lost', 'rejected', 'expired'"
PERSONAL = ("company", "domain", "contact_name", "contact_email", "note", "customer_external_id")


def upgrade() -> None:
    _deals()
    _history()
    _people()
    _matches()
    for column in PERSONAL:
        # The planner's statistics are copies of values, which outlive the rows.
        op.execute(f"ALTER TABLE deal_prospects ALTER COLUMN {column} SET STATISTICS 0")
    op.execute("ALTER TABLE deals ALTER COLUMN product SET STATISTICS 0")
    op.execute("ALTER TABLE deal_states ALTER COLUMN reason SET STATISTICS 0")


def downgrade() -> None:
    for table in ("deal_conflicts", "deal_keys", "deal_prospects", "deal_states", "deals"):
        op.drop_table(table)


def _at(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _deals() -> None:
    op.create_table(
        "deals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        _at("registered_at"),
        sa.Column("lock_days", sa.BigInteger(), nullable=False),
        _at("lock_until"),
        sa.Column("extensions", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("linked", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("told_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"stage IN ({STAGES})", name=op.f("ck_deals_stage")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_deals_workspace_id")
        ),
        sa.ForeignKeyConstraint(["program_id"], ["programs.id"], name=op.f("fk_deals_program_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_deals_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deals")),
    )
    op.create_index(
        "ix_deals_workspace_id_registered_at", "deals", ["workspace_id", "registered_at", "id"]
    )
    op.create_index("ix_deals_partner", "deals", ["workspace_id", "partner_id"])
    op.create_index(
        "ix_deals_lock_until",
        "deals",
        ["lock_until"],
        postgresql_where=sa.text("stage IN ('registered', 'accepted', 'qualified')"),
    )
    op.create_index(
        "ix_deals_untold",
        "deals",
        ["workspace_id", "id"],
        postgresql_where=sa.text("linked AND (told_number < number OR customer_id IS NULL)"),
    )


def _history() -> None:
    op.create_table(
        "deal_states",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        _at("at"),
        _at("lock_until"),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(f"stage IN ({STAGES})", name=op.f("ck_deal_states_stage")),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name=op.f("fk_deal_states_deal_id")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_deal_states_key_id")),
        sa.PrimaryKeyConstraint("workspace_id", "deal_id", "number", name=op.f("pk_deal_states")),
    )


def _people() -> None:
    op.create_table(
        "deal_prospects",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in PERSONAL),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name=op.f("fk_deal_prospects_deal_id")),
        sa.PrimaryKeyConstraint("workspace_id", "deal_id", name=op.f("pk_deal_prospects")),
    )


def _matches() -> None:
    op.create_table(
        "deal_keys",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["deal_id"], ["deals.id"], name=op.f("fk_deal_keys_deal_id")),
        sa.PrimaryKeyConstraint("workspace_id", "name", name=op.f("pk_deal_keys")),
    )
    op.create_index("ix_deal_keys_deal", "deal_keys", ["workspace_id", "deal_id"])
    op.create_table(
        "deal_conflicts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("matched", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        _at("at"),
        sa.CheckConstraint(
            "matched IN ('email', 'domain', 'company')", name=op.f("ck_deal_conflicts_matched")
        ),
        sa.CheckConstraint(
            "(deal_id IS NULL) <> (customer_id IS NULL)", name=op.f("ck_deal_conflicts_first")
        ),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=op.f(f"fk_deal_conflicts_{column}")
            )
            for column, table in (
                ("workspace_id", "workspaces"),
                ("program_id", "programs"),
                ("partner_id", "partners"),
                ("deal_id", "deals"),
                ("key_id", "api_keys"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deal_conflicts")),
    )
    op.create_index(
        "ix_deal_conflicts_workspace_id_at", "deal_conflicts", ["workspace_id", "at", "id"]
    )
