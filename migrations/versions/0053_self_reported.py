"""How customers say they came here, and touches of their mere word"""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "customers",
        sa.Column("heard_from", sa.Text(), server_default=sa.text("''"), nullable=False),
    )
    # The planner's statistics are copies of values, which outlive the rows.
    op.execute("ALTER TABLE customers ALTER COLUMN heard_from SET STATISTICS 0")
    _allow("'code', 'referrer', 'self_reported'")


def downgrade() -> None:
    op.execute("DELETE FROM told_touches WHERE kind = 'self_reported'")
    _allow("'code', 'referrer'")
    op.drop_column("customers", "heard_from")


def _allow(kinds: str) -> None:
    """Validated apart, so that writers wait for no reading of the whole table."""
    name = "ck_told_touches_kind"
    op.execute(f"ALTER TABLE told_touches DROP CONSTRAINT {name}")
    op.execute(
        f"ALTER TABLE told_touches ADD CONSTRAINT {name} CHECK (kind IN ({kinds})) NOT VALID"
    )
    op.execute(f"ALTER TABLE told_touches VALIDATE CONSTRAINT {name}")
