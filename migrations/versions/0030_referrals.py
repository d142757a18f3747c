"""Referral codes, customers who refer, and the touches that are no clicks"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0037"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_codes()
    _create_states_and_provider_ids()
    _create_referrals()


def _create_codes() -> None:
    op.create_table(
        "codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("valid_until", _AT, nullable=True),
        sa.Column("created_at", _AT, server_default=sa.text("now()"), nullable=False),
        sa.Column("archived_at", _AT, nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_codes_workspace_id")
        ),
        sa.ForeignKeyConstraint(["program_id"], ["programs.id"], name=op.f("fk_codes_program_id")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_codes_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_codes")),
        sa.UniqueConstraint("workspace_id", "code", name=op.f("uq_codes_workspace_id_code")),
    )
    op.create_index(
        "ix_codes_workspace_id_created_at", "codes", ["workspace_id", "created_at", "id"]
    )
    op.create_index("ix_codes_workspace_id_partner_id", "codes", ["workspace_id", "partner_id"])


def _create_states_and_provider_ids() -> None:
    op.create_table(
        "code_states",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.Column("since", _AT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'ended')", name=op.f("ck_code_states_state")),
        sa.ForeignKeyConstraint(["code_id"], ["codes.id"], name=op.f("fk_code_states_code_id")),
        sa.PrimaryKeyConstraint("workspace_id", "code_id", "since", name=op.f("pk_code_states")),
    )
    op.create_table(
        "code_provider_ids",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("since", _AT, nullable=False),
        sa.Column("until", _AT, nullable=True),
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["code_id"], ["codes.id"], name=op.f("fk_code_provider_ids_code_id")
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "provider_id", "since", name=op.f("pk_code_provider_ids")
        ),
    )
    op.create_index("ix_code_provider_ids_code_id", "code_provider_ids", ["code_id"])
    op.create_index(
        "uq_code_provider_ids_current",
        "code_provider_ids",
        ["workspace_id", "provider_id"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )


def _create_referrals() -> None:
    op.create_table(
        "partner_customers",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _AT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name=op.f("fk_partner_customers_partner_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "partner_id", name=op.f("pk_partner_customers")),
    )
    op.create_index(
        "ix_partner_customers_customer_id", "partner_customers", ["workspace_id", "customer_id"]
    )
    op.create_table(
        "told_touches",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.CheckConstraint("kind IN ('code', 'referrer')", name=op.f("ck_told_touches_kind")),
        sa.PrimaryKeyConstraint(
            "workspace_id", "event_id", "kind", "name", name=op.f("pk_told_touches")
        ),
    )
    op.create_index("ix_told_touches_name", "told_touches", ["workspace_id", "kind", "name"])


def downgrade() -> None:
    op.drop_table("told_touches")
    op.drop_table("partner_customers")
    op.drop_table("code_provider_ids")
    op.drop_table("code_states")
    op.drop_table("codes")
