"""What a webhook says of itself in its headers, beside the body"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0025"
branch_labels = None
depends_on = None

_GUARD = """
CREATE TRIGGER insert_only_row BEFORE UPDATE ON event_bodies
FOR EACH ROW WHEN (
  (OLD.workspace_id, OLD.event_id, OLD.body{old})
  IS DISTINCT FROM (NEW.workspace_id, NEW.event_id, NEW.body{new})
)
EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    # A constant default rewrites nothing, and fills the rows that the previous release inserts.
    op.add_column(
        "event_bodies",
        sa.Column(
            "headers",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
            server_default="{}",
        ),
    )
    op.execute("ALTER TABLE event_bodies ALTER COLUMN headers SET STATISTICS 0")
    op.execute("DROP TRIGGER insert_only_row ON event_bodies")
    op.execute(_GUARD.format(old=", OLD.headers", new=", NEW.headers"))


def downgrade() -> None:
    op.execute("DROP TRIGGER insert_only_row ON event_bodies")
    op.execute(_GUARD.format(old="", new=""))
    op.drop_column("event_bodies", "headers")
