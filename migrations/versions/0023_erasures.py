"""Erasing personal data: a way through to the raw bodies that leaves its trace"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

PERSONAL = (
    ("customers", "email", "text"),
    ("customers", "name", "text"),
    ("customer_names", "external_id", "text"),
    ("event_bodies", "body", "bytea"),
    ("event_bodies", "contact", "jsonb"),
    ("partner_members", "email", "text"),
    ("partner_members", "name", "text"),
    ("partners", "external_id", "text"),
    ("links", "destination", "text"),
    ("links", "subs", "jsonb"),
    ("links", "utm", "jsonb"),
    ("links", "asset_id", "text"),
    # With their partitions; `redirect.partitions` tells those that it makes later.
    ("clicks", "subs", "text"),
    ("clicks", "network", "cidr"),
)

GUARDS = (
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER insert_only BEFORE TRUNCATE ON event_bodies
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    # Whom a body names may be read anew; the body itself stays as it came.
    """
    CREATE TRIGGER insert_only_row BEFORE UPDATE ON event_bodies
    FOR EACH ROW WHEN (
      (OLD.workspace_id, OLD.event_id, OLD.body)
      IS DISTINCT FROM (NEW.workspace_id, NEW.event_id, NEW.body)
    )
    EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE FUNCTION refuse_untold_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NOT EXISTS (
        SELECT FROM erasures
        WHERE workspace_id = OLD.workspace_id AND erased_at >= transaction_timestamp()
          AND id = nullif(current_setting('finderfee.erasing', true), '')::uuid
      ) THEN
        RAISE EXCEPTION '% is insert-only; only an erasure deletes from it', TG_TABLE_NAME
          USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN OLD;
    END $$
    """,
    """
    CREATE TRIGGER only_by_erasure BEFORE DELETE ON event_bodies
    FOR EACH ROW EXECUTE FUNCTION refuse_untold_erasing()
    """,
)


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("counts", postgresql.JSONB(none_as_null=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('customer', 'partner')", name=op.f("ck_erasures_kind")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name=op.f("fk_erasures_workspace_id")
        ),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_erasures_key_id")),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_erasures")),
    )
    op.create_index(
        "ix_erasures_workspace_id_erased_at", "erasures", ["workspace_id", "erased_at", "id"]
    )
    op.create_index("ix_erasures_subject", "erasures", ["workspace_id", "subject_id"])
    for table in ("customers", "partners"):
        op.add_column(table, sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    for table, column, kind in PERSONAL:
        # The planner's statistics are copies of values, which outlive the rows. Setting a type to
        # what it is rewrites nothing, and drops those that were gathered; no more will be.
        op.execute(
            f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind},"
            f" ALTER COLUMN {column} SET STATISTICS 0"
        )
    for guard in GUARDS:
        op.execute(guard)


def downgrade() -> None:
    for table, column, _ in PERSONAL:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS -1")
    for trigger in ("only_by_erasure", "insert_only_row", "insert_only"):
        op.execute(f"DROP TRIGGER {trigger} ON event_bodies")
    op.execute("DROP FUNCTION refuse_untold_erasing()")
    for table in ("partners", "customers"):
        op.drop_column(table, "erased_at")
    op.drop_table("erasures")
