"""Customers are found by address and by domain, among registered leads' matches"""

from alembic import op

revision = "0037"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Concurrently: customers may be many, and sales go on. What an interrupted try left goes first.
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX IF EXISTS ix_customers_email_backwards")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_customers_email_backwards"
            " ON customers (workspace_id, (reverse(lower(email)) COLLATE \"C\")) WHERE email <> ''"
        )
    # The planner's statistics are copies of values, which outlive the rows.
    op.execute("ALTER INDEX ix_customers_email_backwards ALTER COLUMN 2 SET STATISTICS 0")


def downgrade() -> None:
    op.drop_index("ix_customers_email_backwards", "customers")
