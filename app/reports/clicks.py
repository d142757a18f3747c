"""Clicks as rows, newest first: found by day, since a click's id holds its time and no more.

Clicks have no workspace column and no index but their id. The counters per link and day tell on
which days there is anything to find, so only those days' partitions are opened.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Query
from pydantic import Field
from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, literal, select

from app.core.candidates import COUNTING_CLASSES
from app.core.traffic import CLASSES, HUMAN, NAMES, REASON_NAMES
from app.db.tables import Agent, Click, Link, LinkClicks, Referrer
from app.db.tx import Read
from app.errors import FieldError, InvalidRequest
from app.ids import MalformedIdError, decode, first_at, made_at
from app.pages import Page
from app.reports.reasons import TEXTS, UNRECORDED
from app.reports.spans import midnight, too_long, turned_round
from app.wire import ClickId, Country, Instant, LinkId, Out, PartnerId, ProgramId

MOST_DAYS: Final = 31
_DAY: Final = timedelta(days=1)
_FEW_LINKS: Final = 100
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)

TrafficClass = Literal["human", "duplicate", "bot", "prefetch", "preview", "head", "embedded"]


class ClassReason(Out):
    """Why a click has its class. code is for programs, text is for people."""

    code: str = Field(examples=["agent_bot"])
    text: str


class StoredClickOut(Out):
    """One opened link. What is stored of a visitor is told, but for the hash.

    The hash tells clicks of one visitor from each other's for a day, inside; shown, it would let
    its reader follow a person over all links. The class `duplicate` says all that it is for.
    """

    id: ClickId
    link_id: LinkId
    partner_id: PartnerId
    program_id: ProgramId
    at: Instant
    traffic_class: TrafficClass
    reason: ClassReason
    can_attribute: bool = Field(description="Whether a conversion may be attributed by it.")
    country: Country | None
    network: str | None = Field(
        description="The visitor's /24 or /48, where the program has `keeps_network`.",
        examples=["203.0.113.0/24"],
    )
    agent: str | None
    referrer: str | None = Field(examples=["https://blog.example/review"])
    subs: dict[str, str] = Field(examples=[{"sub1": "footer"}])
    asset_id: str | None
    recovered: bool = Field(description="Known only from a conversion's token.")

    @classmethod
    def of(cls, row: Any) -> Self:
        name: Any = NAMES[row.traffic_class]
        code = REASON_NAMES.get(row.class_reason, "none")
        plain = (
            *("id", "link_id", "partner_id", "program_id", "country", "agent", "referrer"),
            *("asset_id", "recovered"),
        )
        return cls(
            at=made_at(row.id),
            traffic_class=name,
            reason=ClassReason(
                code=code,
                text=UNRECORDED if code == "none" and name != HUMAN else TEXTS[code],
            ),
            can_attribute=name in COUNTING_CLASSES,
            network=None if row.network is None else str(row.network),
            subs=dict(parse_qsl(row.subs or "", errors="replace")),
            **{field: getattr(row, field) for field in plain},
        )


@dataclass(frozen=True, slots=True)
class ClickFilter:
    """`from` is included, `to` is not. Without a link at most 31 days; by default the latest."""

    link_id: Annotated[LinkId | None, Query()] = None
    partner_id: Annotated[PartnerId | None, Query()] = None
    program_id: Annotated[ProgramId | None, Query()] = None
    traffic_class: Annotated[TrafficClass | None, Query(alias="class")] = None
    from_: Annotated[Instant | None, Query(alias="from")] = None
    to: Annotated[Instant | None, Query()] = None

    def span(self) -> tuple[datetime, datetime]:
        """InvalidRequest if it is turned round, or too long without a link."""
        now = datetime.now(UTC)
        most = timedelta(days=MOST_DAYS)
        end = max(self.to or now + _DAY, _EARLIEST)
        usual = _EARLIEST if self.link_id else max(min(end, now) - most, _EARLIEST)
        start = max(self.from_ or usual, _EARLIEST)
        if self.from_ is not None and self.from_ >= (self.to or end):
            raise turned_round()
        if self.link_id is None and (self.to or max(now, start)) - start > most:
            raise too_long(MOST_DAYS)
        return start, end

    def links(self, workspace: UUID) -> list[ColumnElement[bool]]:
        """Which links' clicks."""
        equal = (
            (Link.id, self.link_id),
            (Link.partner_id, self.partner_id),
            (Link.program_id, self.program_id),
        )
        wanted = [column == value for column, value in equal if value is not None]
        return [Link.workspace_id == workspace, *wanted]


async def find_click(read: Read, workspace: UUID, click: UUID) -> Any:
    """One click's row for `StoredClickOut.of`, or none."""
    return await read.first(_clicks([Link.workspace_id == workspace]).where(Click.id == click))


async def click_page(
    read: Read, workspace: UUID, only: ClickFilter, wanted: Page
) -> tuple[list[Any], bool]:
    """The rows of one page, newest first, and whether more follow."""
    start, end = only.span()
    after = first_at(end)
    if wanted.starting_after is not None:
        after = min(after, await _anchor(read, workspace, wanted.starting_after))
    rows: list[Any] = []
    async for day in _days(read, workspace, only, start, made_at(after)):
        links = await _opened(read, workspace, only, day)
        if links:
            low = max(first_at(midnight(day)), first_at(start))
            high = min(first_at(midnight(day) + _DAY), after)
            most = wanted.limit + 1 - len(rows)
            rows += await read.all(_within((low, high), workspace, only, links).limit(most))
        if len(rows) > wanted.limit:
            break
    return rows[: wanted.limit], len(rows) > wanted.limit


def _clicks(links: list[ColumnElement[bool]]) -> Select[Any]:
    # No visitor's hash among the columns.
    columns: tuple[Any, ...] = (
        *(Click.id, Click.link_id, Click.traffic_class, Click.class_reason, Click.subs),
        *(Click.country, Click.network, Click.recovered),
        *(Link.partner_id, Link.program_id, Link.asset_id),
        Agent.text.label("agent"),
        Referrer.text.label("referrer"),
    )
    return (
        select(*columns)
        .join(Link, Link.id == Click.link_id)
        .outerjoin(Agent, Agent.id == Click.agent_id)
        .outerjoin(Referrer, Referrer.id == Click.referrer_id)
        .where(*links)
    )


def _within(
    span: tuple[UUID, UUID], workspace: UUID, only: ClickFilter, opened: Sequence[UUID]
) -> Select[Any]:
    """Clicks of part of a day. opened: links that have any there, as `_opened` gives them."""
    statement = _clicks(only.links(workspace)).where(Click.id >= span[0], Click.id < span[1])
    if len(opened) <= _FEW_LINKS:
        # Told which links, Postgres need not join each click of the day to find that it is other's.
        statement = statement.where(Click.link_id == any_(literal(opened, ARRAY(Uuid))))
    return statement.where(*_of_class(Click, only)).order_by(Click.id.desc())


async def _opened(read: Read, workspace: UUID, only: ClickFilter, day: date) -> Sequence[UUID]:
    """The links with clicks on a day; of many just more than a few."""
    rows = await read.all(
        select(LinkClicks.link_id)
        .distinct()
        .join(Link, Link.id == LinkClicks.link_id)
        .where(*only.links(workspace), LinkClicks.on_day == day, *_of_class(LinkClicks, only))
        .limit(_FEW_LINKS + 1)
    )
    return [row.link_id for row in rows]


async def _days(
    read: Read, workspace: UUID, only: ClickFilter, start: datetime, end: datetime
) -> AsyncIterator[date]:
    """The days to look at, the latest first: one link's own, else the calendar's."""
    first, last = start.date(), end.date()
    if only.link_id is None:
        for number in range(last.toordinal(), first.toordinal() - 1, -1):
            yield date.fromordinal(number)
        return
    rows = await read.all(
        select(LinkClicks.on_day)
        .distinct()
        .join(Link, Link.id == LinkClicks.link_id)
        .where(*only.links(workspace), *_of_class(LinkClicks, only))
        .where(LinkClicks.on_day.between(first, last))
        .order_by(LinkClicks.on_day.desc())
    )
    for row in rows:
        yield row.on_day


def _of_class(table: type[Click | LinkClicks], only: ClickFilter) -> list[ColumnElement[bool]]:
    if only.traffic_class is None:
        return []
    return [table.traffic_class == CLASSES[only.traffic_class]]


async def _anchor(read: Read, workspace: UUID, text: str) -> UUID:
    """The click after which a page starts; InvalidRequest if it is none of the workspace's."""
    try:
        wanted = decode("clk", text)
    except MalformedIdError:
        wanted = None
    if wanted is None or await find_click(read, workspace, wanted) is None:
        place, remedy = "query/starting_after", "Send the last id of the page before."
        raise InvalidRequest(errors=[FieldError(place, "Not an object of this list", remedy)])
    return wanted
