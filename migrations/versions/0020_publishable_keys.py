"""publishable keys: what kind a key is, and from which origins it works"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "api_keys",
        sa.Column("kind", sa.Text(), server_default=sa.text("'secret'"), nullable=False),
    )
    op.add_column(
        "api_keys",
        sa.Column(
            "origins", postgresql.ARRAY(sa.TEXT()), server_default=sa.text("'{}'"), nullable=False
        ),
    )
    op.create_check_constraint(
        op.f("ck_api_keys_kind"), "api_keys", "kind IN ('secret', 'publishable')"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_api_keys_kind"), "api_keys", type_="check")
    op.drop_column("api_keys", "origins")
    op.drop_column("api_keys", "kind")
