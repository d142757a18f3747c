"""What links have of their program reaches redirectors as one change, by the program's id"""

from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

UP = (
    # A redirector of the previous release looks for a link with this id, finds none, and goes on.
    """
    CREATE FUNCTION note_program_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO link_changes (link_id) VALUES (NEW.id);
      PERFORM pg_notify('finderfee_links', '');
      RETURN NULL;
    END $$
    """,
    # A new program needs none: it comes with its first link.
    """
    CREATE TRIGGER note_update AFTER UPDATE OF click_parameter, utm, keeps_network, archived_at
    ON programs FOR EACH ROW WHEN (
      (OLD.click_parameter, OLD.utm, OLD.keeps_network, OLD.archived_at)
      IS DISTINCT FROM (NEW.click_parameter, NEW.utm, NEW.keeps_network, NEW.archived_at)
    )
    EXECUTE FUNCTION note_program_change()
    """,
)

DOWN = (
    "DROP TRIGGER note_update ON programs",
    "DROP FUNCTION note_program_change()",
    # The previous release reads them from the links alone.
    """
    UPDATE links SET click_parameter = programs.click_parameter, program_utm = programs.utm,
      keeps_network = programs.keeps_network,
      archived_at = coalesce(links.archived_at, programs.archived_at)
    FROM programs WHERE programs.id = links.program_id AND (
      links.click_parameter, links.program_utm, links.keeps_network,
      links.archived_at IS NULL AND programs.archived_at IS NOT NULL
    ) IS DISTINCT FROM (programs.click_parameter, programs.utm, programs.keeps_network, false)
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
