"""Partners' periods are settled by decisions and commissions that are of no customer"""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0048"
branch_labels = None
depends_on = None

_OF_CUSTOMERS = (
    ("decisions", "customer_id"),
    ("commissions", "customer_id"),
    ("commissions", "conversion_id"),
)
_ORIGIN = "ck_commissions_origin"


def upgrade() -> None:
    for table, column in _OF_CUSTOMERS:
        op.alter_column(table, column, nullable=True)
    op.add_column("tallies", sa.Column("settled_no", sa.BigInteger()), if_not_exists=True)
    op.execute(f"ALTER TABLE commissions DROP CONSTRAINT IF EXISTS {_ORIGIN}")
    op.execute(
        f"ALTER TABLE commissions ADD CONSTRAINT {_ORIGIN}"
        " CHECK ((conversion_id IS NULL) = (customer_id IS NULL)) NOT VALID"
    )
    # What reads whole tables takes no lock that the app waits for; a rerun finds what is done.
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE commissions VALIDATE CONSTRAINT {_ORIGIN}")
        for index in ("ix_tallies_unsettled", "ix_commissions_held"):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_commissions_held"
            " ON commissions (workspace_id, partner_id) WHERE held > 0"
        )
        op.execute(
            "CREATE INDEX CONCURRENTLY ix_tallies_unsettled"
            " ON tallies (workspace_id, program_id, period)"
            " WHERE settled_no IS NULL AND name LIKE 'base:%' AND currency <> ''"
        )


def downgrade() -> None:
    op.drop_index("ix_tallies_unsettled", "tallies")
    op.drop_index("ix_commissions_held", "commissions")
    op.drop_column("tallies", "settled_no")
    op.execute(f"ALTER TABLE commissions DROP CONSTRAINT {_ORIGIN}")
    for table, column in _OF_CUSTOMERS:
        op.alter_column(table, column, nullable=False)
