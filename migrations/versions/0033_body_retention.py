"""How raw bodies were read, and that they go with their retention once their events are settled"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

# The lowest UUIDv7 of an instant is its milliseconds, then zeros. A conflict's body has no event.
GUARD = """
CREATE OR REPLACE FUNCTION refuse_untold_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM erasures
    WHERE workspace_id = OLD.workspace_id AND erased_at >= transaction_timestamp()
      AND id = nullif(current_setting('finderfee.erasing', true), '')::uuid
  ) THEN
    RETURN OLD;
  END IF;
  IF current_setting('finderfee.body_retention', true) = 'on'
    AND OLD.event_id < (
      SELECT (lpad(to_hex(floor(1000 * extract(
        epoch FROM clock_timestamp() - make_interval(days => body_retention_days)
      ))::bigint), 12, '0') || repeat('0', 20))::uuid
      FROM workspaces WHERE id = OLD.workspace_id
    )
    AND NOT EXISTS (
      SELECT FROM events WHERE workspace_id = OLD.workspace_id AND id = OLD.event_id
        AND state IN ('received', 'parked')
    )
  THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is insert-only; only an erasure or retention deletes from it', TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$
"""
FORMER = """
CREATE OR REPLACE FUNCTION refuse_untold_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


def upgrade() -> None:
    op.add_column(
        "event_bodies",
        sa.Column("with_tax", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.execute(GUARD)


def downgrade() -> None:
    op.execute(FORMER)
    op.drop_column("event_bodies", "with_tax")
