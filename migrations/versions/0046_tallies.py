"""Running totals of partners, and the places that conversions were decided at"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0046"
down_revision = "0054"
branch_labels = None
depends_on = None

INDEX = "ix_conversions_program_id_occurred_at"


def upgrade() -> None:
    # Concurrently: conversions may be many, and sales go on. Before all else, which is a
    # transaction; what an interrupted try left goes first.
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        op.execute(
            f"CREATE INDEX CONCURRENTLY {INDEX}"
            " ON conversions (workspace_id, program_id, occurred_at, id)"
            " WHERE program_id IS NOT NULL"
        )
    op.add_column(
        "conversions", sa.Column("positions", postgresql.JSONB(none_as_null=True), nullable=True)
    )
    keys = ("program_id", "partner_id", "name", "period", "currency")
    _create("tallies", keys, sa.Column("total", sa.BigInteger(), nullable=False))
    _create("tally_periods", ("program_id", "name", "period"))


def downgrade() -> None:
    op.drop_table("tally_periods")
    op.drop_table("tallies")
    op.drop_column("conversions", "positions")
    op.drop_index(INDEX, "conversions")


def _create(table: str, keys: tuple[str, ...], *more: sa.Column[int]) -> None:
    columns = [
        sa.Column(key, sa.Uuid() if key.endswith("_id") else sa.Text(), nullable=False)
        for key in ("workspace_id", *keys)
    ]
    op.create_table(
        table,
        *columns,
        *more,
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f(f"fk_{table}_workspace_id")
        ),
        sa.PrimaryKeyConstraint("workspace_id", *keys, name=op.f(f"pk_{table}")),
    )
