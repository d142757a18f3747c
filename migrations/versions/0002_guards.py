"""What constraints can't say: append-only tables, immutable terms, the links' change feed"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UP = (
    "CREATE TABLE clicks_default PARTITION OF clicks DEFAULT",
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE FUNCTION refuse_republishing() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'plan version % is published' , OLD.id
          USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN COALESCE(NEW, OLD);
    END $$
    """,
    """
    CREATE TRIGGER immutable_once_published BEFORE UPDATE OR DELETE ON plan_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_republishing()
    """,
    """
    CREATE FUNCTION note_link_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO link_changes (link_id) SELECT id FROM changed;
      PERFORM pg_notify('finderfee_links', '');
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER note_insert AFTER INSERT ON links REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_link_change()
    """,
    """
    CREATE TRIGGER note_update AFTER UPDATE ON links REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION note_link_change()
    """,
)

DOWN = (
    "DROP TRIGGER note_update ON links",
    "DROP TRIGGER note_insert ON links",
    "DROP FUNCTION note_link_change()",
    "DROP TRIGGER immutable_once_published ON plan_versions",
    "DROP FUNCTION refuse_republishing()",
    "DROP TRIGGER append_only ON decisions",
    "DROP TRIGGER append_only ON transfers",
    "DROP FUNCTION refuse_change()",
    "DROP TABLE clicks_default",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
