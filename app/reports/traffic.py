"""Clicks and impressions a day and class, from the counters; clicks themselves aren't read."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, func, select

from app.core.candidates import COUNTING_CLASSES
from app.core.traffic import CLASSES, HUMAN, NAMES
from app.db.tables import Link, LinkClicks, LinkImpressions
from app.db.tx import Read
from app.reports.spans import Day
from app.wire import Out

MOST_DAYS: Final = 366
_BPS: Final = 10_000
_COUNTING: Final = sorted(CLASSES[name] for name in COUNTING_CLASSES)

ByClass = dict[str, int]
"""By traffic class, without classes that had none."""
Span = tuple[date, date]
"""First and last day."""


class TrafficDay(Out):
    """One day (UTC) that had any."""

    on: Day
    clicks: ByClass = Field(examples=[{"human": 17, "bot": 3}])
    impressions: ByClass = Field(examples=[{"human": 512}])


class ClickThrough(Out):
    """The CTR: clicks of people ÷ impressions to people, of links that had such impressions.

    Clicks of other links are left out: where no pixel is, nobody knows how often they were seen.
    """

    impressions: int
    clicks: int
    bps: int | None = Field(
        description="The rate in 1/10,000; none without impressions.", examples=[332]
    )


class TrafficOut(Out):
    """Days with traffic, the earliest first, and the sums of all days asked for."""

    from_on: Day
    to_on: Day
    days: list[TrafficDay]
    clicks: ByClass
    impressions: ByClass
    ctr: ClickThrough


async def traffic(read: Read, links: Iterable[ColumnElement[bool]], span: Span) -> TrafficOut:
    """links: which links' traffic, conditions on `Link`."""
    links = tuple(links)
    clicks = await _per_day(read, links, span, LinkClicks, LinkClicks.clicks)
    shown = await _per_day(read, links, span, LinkImpressions, LinkImpressions.impressions)
    return TrafficOut(
        from_on=span[0],
        to_on=span[1],
        days=[
            TrafficDay(on=on, clicks=clicks.get(on, {}), impressions=shown.get(on, {}))
            for on in sorted(clicks.keys() | shown.keys())
        ],
        clicks=_sum(clicks.values()),
        impressions=_sum(shown.values()),
        ctr=await _click_through(read, links, span),
    )


async def _per_day(
    read: Read,
    links: tuple[ColumnElement[bool], ...],
    span: Span,
    table: type[LinkClicks | LinkImpressions],
    count: Any,
) -> dict[date, ByClass]:
    rows = await read.all(
        select(table.on_day, table.traffic_class, func.sum(count).label("total"))
        .join(Link, Link.id == table.link_id)
        .where(*links, table.on_day.between(*span))
        .group_by(table.on_day, table.traffic_class)
        .order_by(table.on_day, table.traffic_class)
    )
    found: dict[date, ByClass] = {}
    for row in rows:
        found.setdefault(row.on_day, {})[NAMES[row.traffic_class]] = int(row.total)
    return found


async def _click_through(
    read: Read, links: tuple[ColumnElement[bool], ...], span: Span
) -> ClickThrough:
    shown = _per_link(LinkImpressions, LinkImpressions.impressions, [CLASSES[HUMAN]], links, span)
    clicked = _per_link(LinkClicks, LinkClicks.clicks, _COUNTING, links, span)
    seen, opened = shown.cte("shown"), clicked.cte("clicked")
    row = await read.first(
        select(
            func.coalesce(func.sum(seen.c.total), 0).label("impressions"),
            func.coalesce(func.sum(opened.c.total), 0).label("clicks"),
        ).select_from(seen.outerjoin(opened, opened.c.link_id == seen.c.link_id))
    )
    assert row is not None
    impressions, clicks = int(row.impressions), int(row.clicks)
    bps = (2 * _BPS * clicks + impressions) // (2 * impressions) if impressions else None
    return ClickThrough(impressions=impressions, clicks=clicks, bps=bps)


def _per_link(
    table: type[LinkClicks | LinkImpressions],
    count: Any,
    classes: list[int],
    links: tuple[ColumnElement[bool], ...],
    span: Span,
) -> Select[Any]:
    return (
        select(table.link_id, func.sum(count).label("total"))
        .join(Link, Link.id == table.link_id)
        .where(*links, table.on_day.between(*span), table.traffic_class.in_(classes))
        .group_by(table.link_id)
    )


def _sum(days: Iterable[ByClass]) -> ByClass:
    found: ByClass = {}
    for day in days:
        for name, count in day.items():
            found[name] = found.get(name, 0) + count
    return found


def of_link(workspace: UUID, link: UUID) -> tuple[ColumnElement[bool], ...]:
    return Link.workspace_id == workspace, Link.id == link


def of_partner(workspace: UUID, partner: UUID) -> tuple[ColumnElement[bool], ...]:
    return Link.workspace_id == workspace, Link.partner_id == partner
