"""A link's clicks by the values of one sub-id that its visitors brought."""

from datetime import timedelta
from typing import Final, Literal
from urllib.parse import unquote_plus
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from app.core.traffic import NAMES
from app.db.tx import Read
from app.ids import first_at
from app.reports.spans import Day, midnight
from app.reports.traffic import ByClass, Span
from app.wire import Out

MOST_DAYS: Final = 31
MOST_VALUES: Final = 1_000

SubName = Literal["sub1", "sub2", "sub3", "sub4", "sub5"]

# The counters know whether there is anything; if not, no partition is read.
_COUNT: Final = """
WITH found AS (
  SELECT substring(c.subs FROM :pattern) AS value, c.traffic_class, count(*) AS clicks
  FROM clicks c
  WHERE c.id >= :low AND c.id < :high AND c.link_id = :link AND c.subs IS NOT NULL
    AND EXISTS (SELECT FROM link_clicks WHERE link_id = :link AND on_day BETWEEN :first AND :last)
  GROUP BY 1, 2
), top AS (
  SELECT value, sum(clicks) AS total FROM found WHERE value IS NOT NULL
  GROUP BY value ORDER BY total DESC, value COLLATE "C" LIMIT :most
)
SELECT value, traffic_class, clicks FROM top JOIN found USING (value)
ORDER BY total DESC, value COLLATE "C", traffic_class
"""


class SubOut(Out):
    """One value, as the visitors brought it."""

    value: str = Field(examples=["footer"])
    clicks: ByClass = Field(examples=[{"human": 17, "bot": 3}])


class SubsOut(Out):
    """The values with the most clicks first. has_more: there are over 1,000 of them."""

    from_on: Day
    to_on: Day
    sub: SubName
    data: list[SubOut]
    has_more: bool


async def clicks_by_sub(read: Read, link: UUID, sub: SubName, span: Span) -> SubsOut:
    """link: known to be the caller's. Values are stored as a query has them, and decoded here."""
    first, last = span
    statement = text(_COUNT).bindparams(
        link=link,
        first=first,
        last=last,
        low=first_at(midnight(first)),
        high=first_at(midnight(last) + timedelta(days=1)),
        pattern=f"(?:^|&){sub}=([^&]*)",
        most=MOST_VALUES + 1,
    )
    values: dict[str, ByClass] = {}
    for row in await read.all(statement):
        values.setdefault(row.value, {})[NAMES[row.traffic_class]] = row.clicks
    data = [SubOut(value=_decoded(value), clicks=clicks) for value, clicks in values.items()]
    return SubsOut(
        from_on=first,
        to_on=last,
        sub=sub,
        data=data[:MOST_VALUES],
        has_more=len(data) > MOST_VALUES,
    )


def _decoded(value: str) -> str:
    return unquote_plus(value, errors="replace")
