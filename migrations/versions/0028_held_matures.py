"""What is held matures too: the index of commissions that are still to mature"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE commissions VALIDATE CONSTRAINT ck_commissions_held")
        # An index that a broken-off run left is not valid, so it is made anew.
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_commissions_to_mature")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_commissions_to_mature ON commissions (hold_until)"
            " WHERE status IN ('pending', 'held') AND matured_at IS NULL"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_commissions_maturing")


def downgrade() -> None:
    op.execute(
        "CREATE INDEX ix_commissions_maturing ON commissions (hold_until) WHERE status = 'pending'"
    )
    op.drop_index("ix_commissions_to_mature", table_name="commissions")
