"""Back-tests of terms on real history"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0051"
down_revision = "0052"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_JSON = postgresql.JSONB()


def upgrade() -> None:
    _make_backtests()
    _make_parts()


def downgrade() -> None:
    for table in ("backtest_changes", "backtest_sums", "backtest_parts", "backtests"):
        op.drop_table(table)


def _make_backtests() -> None:
    op.create_table(
        "backtests",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("plan_version_id", sa.Uuid(), nullable=False),
        sa.Column("from_at", _AT, nullable=False),
        sa.Column("to_at", _AT, nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("run", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("decision_no", sa.BigInteger(), nullable=True),
        sa.Column("in_order", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("sales", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sales_done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sales_otherwise", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sales_unlike", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", _AT, server_default=sa.func.now(), nullable=False),
        sa.Column("started_at", _AT, nullable=True),
        sa.Column("touched_at", _AT, server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", _AT, nullable=True),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'canceled')",
            name=op.f("ck_backtests_state"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_backtests_workspace_id")
        ),
        sa.ForeignKeyConstraint(
            ["program_id"], ["programs.id"], name=op.f("fk_backtests_program_id")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_versions.id"],
            name=op.f("fk_backtests_plan_version_id"),
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_backtests")),
    )
    op.create_index(
        "ix_backtests_workspace_id_created_at", "backtests", ["workspace_id", "created_at", "id"]
    )
    op.create_index(
        "ix_backtests_open",
        "backtests",
        ["created_at"],
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )


def _make_parts() -> None:
    _part_of(
        "backtest_parts",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("customers", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("sales", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Uuid(), nullable=True),
        sa.Column("done_at", _AT, nullable=True),
        key=("number",),
    )
    _part_of(
        "backtest_sums",
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("sales", sa.BigInteger(), nullable=False),
        sa.Column("sales_otherwise", sa.BigInteger(), nullable=False),
        sa.Column("present_awarded", sa.Numeric(), nullable=False),
        sa.Column("present_reversed", sa.Numeric(), nullable=False),
        sa.Column("tried_awarded", sa.Numeric(), nullable=False),
        sa.Column("tried_reversed", sa.Numeric(), nullable=False),
        key=("partner_id", "currency"),
    )
    _part_of(
        "backtest_changes",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("present", _JSON, nullable=False),
        sa.Column("tried", _JSON, nullable=False),
        sa.Column("sales", sa.BigInteger(), nullable=False),
        sa.Column("difference", sa.Numeric(), nullable=False),
        sa.Column("samples", _JSON, nullable=False),
        key=("key",),
    )


def _part_of(table: str, *columns: "sa.Column[object]", key: tuple[str, ...]) -> None:
    op.create_table(
        table,
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("backtest_id", sa.Uuid(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["workspace_id", "backtest_id"],
            ["backtests.workspace_id", "backtests.id"],
            name=f"fk_{table}_backtest",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "backtest_id", *key, name=op.f(f"pk_{table}")),
    )
