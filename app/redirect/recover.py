"""Clicks that only a conversion's token tells of: made anew, marked `recovered`.

A token proves that our link was opened, whether or not the journal that holds the click ever
reaches Postgres. If it still does, the drain fills in the agent and referrer.
"""

from typing import Final

from sqlalchemy import text

from app.core.traffic import CLASSES
from app.db.tx import Tx

AFTER_MINUTES: Final = 10
"""The drain takes seconds; what is missing after this sits in a journal that is away."""
BATCH: Final = 1_000
_LOOK_BACK_DAYS: Final = 2

# Past its workspace's retention a click is missing because it was removed, and counted before.
_RECOVER: Final = """
WITH missing AS (
  SELECT DISTINCT ON (t.click_id) t.click_id, t.link_id, k.number, t.at
  FROM workspaces w
  LEFT JOIN click_retention r ON r.workspace_id = w.id
  JOIN events e ON e.workspace_id = w.id
    AND e.received_at BETWEEN now() - make_interval(days => :days)
      AND now() - make_interval(mins => :minutes)
  JOIN touches t ON t.workspace_id = e.workspace_id AND t.event_id = e.id
  JOIN links l ON l.workspace_id = t.workspace_id AND l.id = t.link_id
  JOIN unnest(CAST(:names AS text[]), CAST(:numbers AS smallint[])) AS k (name, number)
    ON k.name = t.traffic_class
  WHERE (t.at AT TIME ZONE 'UTC')::date
      >= greatest(CURRENT_DATE - w.click_retention_days, r.cleared_to)
    AND NOT EXISTS (SELECT FROM clicks c WHERE c.id = t.click_id)
  LIMIT :most
), made AS (
  INSERT INTO clicks (id, link_id, traffic_class, recovered)
  SELECT click_id, link_id, number, true FROM missing
  ON CONFLICT (id) DO NOTHING
  RETURNING id
), counted AS (
  INSERT INTO link_clicks AS old (link_id, on_day, traffic_class, clicks)
  SELECT m.link_id, (m.at AT TIME ZONE 'UTC')::date, m.number, count(*)
  FROM missing m JOIN made ON made.id = m.click_id
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (link_id, on_day, traffic_class) DO UPDATE SET clicks = old.clicks + excluded.clicks
)
SELECT count(*) FROM made
"""


async def recover_clicks(tx: Tx) -> int:
    """Make one batch of missing clicks; gives how many."""
    found: int = await tx.scalar(
        text(_RECOVER).bindparams(
            names=list(CLASSES),
            numbers=list(CLASSES.values()),
            days=_LOOK_BACK_DAYS,
            minutes=AFTER_MINUTES,
            most=BATCH,
        )
    )
    return found
