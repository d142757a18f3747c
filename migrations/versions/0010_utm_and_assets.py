"""UTM templates of programs and links, and the asset that a link stands on"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0003"
branch_labels = None
depends_on = None

TEMPLATES = (("programs", "utm"), ("links", "utm"), ("links", "program_utm"))


def upgrade() -> None:
    for table, name in TEMPLATES:
        # A constant default is not written into the rows: the table is locked for a moment only.
        op.add_column(
            table,
            sa.Column(
                name,
                postgresql.JSONB(none_as_null=True),
                server_default=sa.text("'{}'"),
                nullable=False,
            ),
        )
    op.add_column("links", sa.Column("asset_id", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("links", "asset_id")
    for table, name in reversed(TEMPLATES):
        op.drop_column(table, name)
