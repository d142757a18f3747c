"""Which customers have an id of the workspace's own is found by an index"""

from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Concurrently: customers may be many, and sales go on. What an interrupted try left goes first.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE customer_names VALIDATE CONSTRAINT ck_customer_names_alias")
        op.execute("DROP INDEX IF EXISTS ix_customer_names_own")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_customer_names_own"
            " ON customer_names (workspace_id, customer_id) WHERE namespace = 'own'"
        )


def downgrade() -> None:
    op.drop_index("ix_customer_names_own", "customer_names")
