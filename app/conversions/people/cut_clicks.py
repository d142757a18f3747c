"""Cut clicks loose from whoever made them: link, time and class stay, and the counters."""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.core.traffic import CLASSES
from app.db.tables.clicks import DAY_OF_ID

_JOURNALS_OUT_DAYS: Final = 2
"""As long as `redirect.recover` looks back for clicks whose journal has not come in."""

# A token may be copied from another workspace's site: that click is not ours to touch.
_CLAIMED: Final = """
SELECT DISTINCT touch->>'click_id' AS click_id, touch->>'link_id' AS link_id,
  touch->>'traffic_class' AS traffic_class, (touch->>'at')::timestamptz AS at
FROM events e
CROSS JOIN LATERAL jsonb_array_elements(e.mapped->'touches') AS touch
JOIN links l ON l.workspace_id = $1 AND l.id = (touch->>'link_id')::uuid
WHERE e.workspace_id = $1 AND e.id = ANY($2) AND touch ? 'click_id'
"""
# A recovered click gets what it lacks once its journal comes in, so it is made an ordinary one.
_CUT: Final = """
UPDATE clicks SET agent_id = NULL, referrer_id = NULL, visitor = NULL, country = NULL,
  network = NULL, subs = NULL, recovered = false
WHERE id = ANY($1) AND (
  recovered OR num_nonnulls(agent_id, referrer_id, visitor, country, network, subs) > 0
) RETURNING id
"""
# What the journals still hold is taken the place of: the drain never overwrites an ordinary click.
_TAKE_PLACES: Final = f"""
WITH made AS (
  INSERT INTO clicks (id, link_id, traffic_class)
  SELECT id, link_id, traffic_class
  FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS c (id, link_id, traffic_class)
  ON CONFLICT (id) DO NOTHING
  RETURNING id, link_id, traffic_class
), days AS (
  SELECT link_id, {DAY_OF_ID} AS on_day, traffic_class FROM made
), counted AS (
  INSERT INTO link_clicks AS old (link_id, on_day, traffic_class, clicks)
  SELECT link_id, on_day, traffic_class, count(*) FROM days GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (link_id, on_day, traffic_class) DO UPDATE SET clicks = old.clicks + excluded.clicks
)
SELECT count(*) FROM made
"""


async def cut_clicks(
    driver: "asyncpg.Connection[Any]", workspace: UUID, events: Collection[UUID]
) -> dict[str, int]:
    """{clicks, quarantined_clicks} → how many were cut that these events claim, on our links."""
    claimed = await driver.fetch(_CLAIMED, workspace, events)
    ids = sorted({UUID(row["click_id"]) for row in claimed})
    cut = await driver.fetch(_CUT, ids)
    quarantined = await driver.fetch(
        "DELETE FROM quarantined_clicks WHERE click_id = ANY($1) RETURNING click_id", ids
    )
    latest = await driver.fetchval(
        "SELECT clock_timestamp() - make_interval(days => $1)", _JOURNALS_OUT_DAYS
    )
    young = [row for row in claimed if row["at"] >= latest and row["traffic_class"] in CLASSES]
    made = await driver.fetchval(
        _TAKE_PLACES,
        [UUID(row["click_id"]) for row in young],
        [UUID(row["link_id"]) for row in young],
        [CLASSES[row["traffic_class"]] for row in young],
    )
    return {"clicks": len(cut) + made, "quarantined_clicks": len(quarantined)}
