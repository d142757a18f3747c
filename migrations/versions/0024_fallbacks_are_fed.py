"""Workspaces' fallbacks reach every redirector through the links' change feed"""

from alembic import op

revision = "0024"
down_revision = "0026"
branch_labels = None
depends_on = None

UP = (
    # The zero id is no link's: it says that the fallbacks are to be read anew. A redirector of
    # the previous release looks for such a link, finds none, and goes on.
    """
    CREATE FUNCTION note_fallback_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO link_changes (link_id) VALUES ('00000000-0000-0000-0000-000000000000');
      PERFORM pg_notify('finderfee_links', '');
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER note_insert AFTER INSERT ON workspaces
    FOR EACH ROW WHEN (NEW.fallback IS NOT NULL) EXECUTE FUNCTION note_fallback_change()
    """,
    """
    CREATE TRIGGER note_update AFTER UPDATE OF fallback, first ON workspaces
    FOR EACH ROW WHEN ((OLD.fallback, OLD.first) IS DISTINCT FROM (NEW.fallback, NEW.first))
    EXECUTE FUNCTION note_fallback_change()
    """,
    """
    CREATE TRIGGER note_insert AFTER INSERT ON domains
    FOR EACH ROW WHEN (NEW.verified_at IS NOT NULL) EXECUTE FUNCTION note_fallback_change()
    """,
    """
    CREATE TRIGGER note_update AFTER UPDATE OF host, verified_at, archived_at ON domains
    FOR EACH ROW WHEN (
      (OLD.host, OLD.verified_at, OLD.archived_at)
      IS DISTINCT FROM (NEW.host, NEW.verified_at, NEW.archived_at)
    )
    EXECUTE FUNCTION note_fallback_change()
    """,
)

DOWN = (
    "DROP TRIGGER note_update ON domains",
    "DROP TRIGGER note_insert ON domains",
    "DROP TRIGGER note_update ON workspaces",
    "DROP TRIGGER note_insert ON workspaces",
    "DROP FUNCTION note_fallback_change()",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
