"""The inbox whole: overdue and conflicting events, replays by range, reconciliation, retention"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0029"
branch_labels = None
depends_on = None

AT = sa.DateTime(timezone=True)
STATES = "state IN ('received', 'applied', 'parked', 'ignored', 'dead')"


def upgrade() -> None:
    _indexes()
    op.add_column(
        "sources", sa.Column("with_tax", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("sources", sa.Column("sealed_api_key", postgresql.BYTEA(), nullable=True))
    op.add_column("sources", sa.Column("reconciled_to", AT, nullable=True))
    op.add_column(
        "workspaces",
        sa.Column(
            "body_retention_days", sa.Integer(), server_default=sa.text("400"), nullable=False
        ),
    )
    op.create_check_constraint(
        op.f("ck_workspaces_body_retention_days"),
        "workspaces",
        "body_retention_days BETWEEN 7 AND 3660",
    )
    op.add_column("events", sa.Column("overdue_at", AT, nullable=True))
    _conflicts()
    _replays()
    _reconciliations()


def _indexes() -> None:
    # Concurrently: events may be many, and webhooks go on. Before all else, which is a transaction;
    # what an interrupted try left goes first.
    with op.get_context().autocommit_block():
        for name, indexed in (
            ("stuck", "(workspace_id, state, received_at, id) WHERE state IN ('parked', 'dead')"),
            ("conflicting", "(workspace_id, received_at, id) WHERE conflicts > 0"),
        ):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS ix_events_{name}")
            op.execute(f"CREATE INDEX CONCURRENTLY ix_events_{name} ON events {indexed}")


def _conflicts() -> None:
    op.create_table(
        "event_conflicts",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mapped", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("reasons", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("first_at", AT, nullable=False),
        sa.Column("last_at", AT, nullable=False),
        sa.PrimaryKeyConstraint(
            "workspace_id", "event_id", "fingerprint", name=op.f("pk_event_conflicts")
        ),
    )


def _replays() -> None:
    op.create_table(
        "event_replays",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("from_at", AT, nullable=False),
        sa.Column("to_at", AT, nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("put_back", sa.BigInteger(), nullable=False),
        sa.Column("after_at", AT, nullable=True),
        sa.Column("after_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", AT, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", AT, nullable=True),
        sa.CheckConstraint(STATES, name=op.f("ck_event_replays_state")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_event_replays_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_event_replays")),
    )
    op.create_index(
        "ix_event_replays_created_at", "event_replays", ["workspace_id", "created_at", "id"]
    )
    op.create_index(
        "ix_event_replays_open",
        "event_replays",
        ["created_at"],
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def _reconciliations() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("hourly", sa.Boolean(), nullable=False),
        sa.Column("from_at", AT, nullable=False),
        sa.Column("to_at", AT, nullable=False),
        sa.Column("page_after", sa.Text(), nullable=False),
        sa.Column("listed", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.BigInteger(), nullable=False),
        sa.Column("filled", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("next_at", AT, server_default=sa.text("now()"), nullable=False),
        sa.Column("created_at", AT, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", AT, nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_reconciliations_workspace_id")
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_reconciliations_source_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_reconciliations")),
    )
    op.create_index(
        "ix_reconciliations_source",
        "reconciliations",
        ["workspace_id", "source_id", "created_at", "id"],
    )
    op.create_index(
        "ix_reconciliations_open",
        "reconciliations",
        ["created_at"],
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def downgrade() -> None:
    for table in ("reconciliations", "event_replays", "event_conflicts"):
        op.drop_table(table)
    for index in ("ix_events_conflicting", "ix_events_stuck"):
        op.drop_index(index, table_name="events")
    op.drop_column("events", "overdue_at")
    op.drop_constraint(op.f("ck_workspaces_body_retention_days"), "workspaces")
    op.drop_column("workspaces", "body_retention_days")
    for column in ("reconciled_to", "sealed_api_key", "with_tax"):
        op.drop_column("sources", column)
