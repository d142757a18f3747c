"""Partners' claims: what is claimed, each step, what people wrote, and until when one may claim"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0052"
down_revision = "0042"
branch_labels = None
depends_on = None

STATUSES = "'open', 'accepted', 'rejected', 'withdrawn'"
PERSONAL = ("namespace", "external_id", "statement", "answer")


def upgrade() -> None:
    op.add_column("programs", sa.Column("claim_days", sa.BigInteger(), nullable=True))
    _claims()
    _steps()
    _words()


def downgrade() -> None:
    for table in ("claim_words", "claim_steps", "claims"):
        op.drop_table(table)
    op.drop_column("programs", "claim_days")


def _at(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _claims() -> None:
    op.create_table(
        "claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("conversion_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        _at("filed_at"),
        sa.Column("lost_to", sa.Uuid(), nullable=True),
        sa.Column("outcome", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.CheckConstraint(f"status IN ({STATUSES})", name=op.f("ck_claims_status")),
        sa.CheckConstraint("num_nonnulls(customer_id, name) > 0", name=op.f("ck_claims_subject")),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_claims_{column}"))
            for column, table in (
                ("workspace_id", "workspaces"),
                ("program_id", "programs"),
                ("partner_id", "partners"),
                ("lost_to", "claims"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
    )
    op.create_index("ix_claims_workspace_id_filed_at", "claims", ["workspace_id", "filed_at", "id"])
    op.create_index("ix_claims_partner", "claims", ["workspace_id", "partner_id"])
    op.create_index("ix_claims_customer", "claims", ["workspace_id", "customer_id"])
    op.create_index("ix_claims_name", "claims", ["workspace_id", "name"])
    op.create_index(
        "ix_claims_open",
        "claims",
        ["workspace_id", "id"],
        postgresql_where=sa.text("status = 'open'"),
    )


def _steps() -> None:
    op.create_table(
        "claim_steps",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        _at("at"),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.CheckConstraint(f"status IN ({STATUSES})", name=op.f("ck_claim_steps_status")),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_claim_steps_claim_id")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_claim_steps_key_id")),
        sa.PrimaryKeyConstraint("workspace_id", "claim_id", "number", name=op.f("pk_claim_steps")),
    )


def _words() -> None:
    op.create_table(
        "claim_words",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in PERSONAL),
        sa.Column("evidence", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.id"], name=op.f("fk_claim_words_claim_id")),
        sa.PrimaryKeyConstraint("workspace_id", "claim_id", name=op.f("pk_claim_words")),
    )
    for column in (*PERSONAL, "evidence"):
        # The planner's statistics are copies of values, which outlive the rows.
        op.execute(f"ALTER TABLE claim_words ALTER COLUMN {column} SET STATISTICS 0")
