"""What partners have in a program, dated, and terms of their own"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0053"
branch_labels = None
depends_on = None

OLD_KEY = "uq_plan_versions_workspace_id_program_id_version"
NEW_KEY = "uq_plan_versions_workspace_id_program_id_partner_id_version"

KEEP_WHAT_BEGAN = """
CREATE FUNCTION refuse_past_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.since <= clock_timestamp() OR (TG_OP = 'UPDATE' AND NEW.since IS DISTINCT FROM OLD.since)
  THEN
    RAISE EXCEPTION '% that holds already stays', TG_TABLE_NAME
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN COALESCE(NEW, OLD);
END $$
"""
# What is left of a published version to change is when one partner's own terms end, from now on.
LET_END = """
CREATE OR REPLACE FUNCTION refuse_republishing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.published_at IS NULL THEN
    RETURN COALESCE(NEW, OLD);
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.partner_id IS NOT NULL
    AND NEW.effective_until >= now()
    AND (OLD.effective_until IS NULL OR OLD.effective_until > clock_timestamp())
    AND to_jsonb(NEW) - 'effective_until' = to_jsonb(OLD) - 'effective_until'
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'plan version % is published' , OLD.id USING ERRCODE = 'restrict_violation';
END $$
"""
LET_NOTHING = """
CREATE OR REPLACE FUNCTION refuse_republishing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.published_at IS NOT NULL THEN
    RAISE EXCEPTION 'plan version % is published' , OLD.id
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN COALESCE(NEW, OLD);
END $$
"""


def upgrade() -> None:
    op.create_table(
        "partner_qualifications",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Uuid(), nullable=False),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("certified", sa.Boolean(), nullable=False),
        sa.Column("certified_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("agreement", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "program_id", "partner_id"],
            ["enrollments.workspace_id", "enrollments.program_id", "enrollments.partner_id"],
            name=op.f("fk_partner_qualifications_enrollment"),
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id",
            "program_id",
            "partner_id",
            "since",
            name=op.f("pk_partner_qualifications"),
        ),
    )
    op.execute(KEEP_WHAT_BEGAN)
    op.execute(
        "CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON partner_qualifications"
        " FOR EACH ROW EXECUTE FUNCTION refuse_past_change()"
    )
    op.add_column("plan_versions", sa.Column("partner_id", sa.Uuid(), nullable=True))
    op.add_column(
        "plan_versions", sa.Column("effective_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_foreign_key(
        op.f("fk_plan_versions_partner_id"), "plan_versions", "partners", ["partner_id"], ["id"]
    )
    # A partner's own versions count from 1 too; those of the program have no partner.
    op.create_unique_constraint(
        NEW_KEY,
        "plan_versions",
        ["workspace_id", "program_id", "partner_id", "version"],
        postgresql_nulls_not_distinct=True,
    )
    op.drop_constraint(OLD_KEY, "plan_versions", type_="unique")
    op.execute(LET_END)


def downgrade() -> None:
    """Own terms go: without the column they would be taken for the program's."""
    op.execute("ALTER TABLE plan_versions DISABLE TRIGGER immutable_once_published")
    op.execute("DELETE FROM plan_versions WHERE partner_id IS NOT NULL")
    op.execute("ALTER TABLE plan_versions ENABLE TRIGGER immutable_once_published")
    op.execute(LET_NOTHING)
    op.create_unique_constraint(OLD_KEY, "plan_versions", ["workspace_id", "program_id", "version"])
    op.drop_constraint(NEW_KEY, "plan_versions", type_="unique")
    op.drop_constraint(op.f("fk_plan_versions_partner_id"), "plan_versions", type_="foreignkey")
    op.drop_column("plan_versions", "effective_until")
    op.drop_column("plan_versions", "partner_id")
    op.drop_table("partner_qualifications")
    op.execute("DROP FUNCTION refuse_past_change()")
