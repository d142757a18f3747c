"""The SQL that gathers what the core needs to know, for a whole batch at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions.canon import credits_of, reasons_of, received_event
from app.conversions.tally_canon import positions_of
from app.core.conversions import Award, Conversion
from app.core.events import Event
from app.core.giving import given
from app.core.money import Money
from app.core.tallies import Positions
from app.core.transfers import Standing
from app.core.units import read_unit
from app.db import bulk
from app.db import tables as t
from app.ledger.standings import standing_of


@dataclass(slots=True)
class Known:
    """What is recorded about one customer. states: of its events, as the inbox has them."""

    events: dict[UUID, Event] = field(default_factory=dict)
    states: dict[UUID, tuple[str, UUID | None]] = field(default_factory=dict)
    """By event: its state and the conversion that it is about."""
    seen: dict[UUID, int] = field(default_factory=dict)
    """By event: the first decision that saw it."""
    conversions: dict[UUID, Conversion] = field(default_factory=dict)
    former: set[UUID] = field(default_factory=set)
    """Conversions that turned out to be others."""
    standings: dict[UUID, Standing] = field(default_factory=dict)
    """By commission, those of superseded conversions too."""
    positions: dict[UUID, Positions] = field(default_factory=dict)
    """By conversion, the partners' totals that it was decided at, where there are some."""


@dataclass(slots=True)
class Counters:
    """The lane's counters, read under its lock.

    now: Postgres' clock after the lock. waiting_since: the earliest receipt of an event that is
    yet to be decided; events that failed before, and so wait for another try, apart.
    """

    now: datetime
    decision_no: int
    transfer_no: int
    chain_hash: bytes
    waiting_since: datetime | None = None
    keeps_tallies: bool = False
    """Whether partners' totals are kept of any of its programs."""


async def counters(
    driver: "asyncpg.Connection[Any]", workspace: UUID, ids: Sequence[UUID]
) -> Counters:
    """The lane's counters. ids: events that are about to be decided, so not counted as waiting."""
    row = await driver.fetchrow(
        """
        SELECT clock_timestamp() AS now, decision_no, transfer_no, chain_hash, (
          SELECT received_at FROM events
          WHERE workspace_id = $1 AND state = 'received' AND attempts = 0 AND id <> ALL($2)
          ORDER BY received_at LIMIT 1
        ) AS waiting_since,
        EXISTS (SELECT FROM tally_periods WHERE workspace_id = $1) AS keeps_tallies
        FROM lanes WHERE workspace_id = $1
        """,
        workspace,
        ids,
    )
    assert row is not None, workspace
    return Counters(**row)


@dataclass(slots=True)
class News:
    """Events, and whom each names in clear: {aliases: [[name, namespace, id]], email, name}."""

    events: list[Event] = field(default_factory=list)
    contacts: dict[UUID, Mapping[str, Any]] = field(default_factory=dict)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            if row["id"] not in self.contacts:
                self.events.append(_event(row))
                self.contacts[row["id"]] = row["contact"] or {}


async def fetch_news(
    driver: "asyncpg.Connection[Any]", workspace: UUID, ids: Sequence[UUID]
) -> Sequence[Mapping[str, Any]]:
    """Rows of the events of a batch that are yet to be decided, each with its contact."""
    # One look-up an event, as `bulk.fetch` does.
    return await driver.fetch(
        f"""
        SELECT e.*, b.contact FROM unnest($2::uuid[]) AS k (id)
        CROSS JOIN LATERAL (
          SELECT {_EVENT_COLUMNS} FROM events
          WHERE workspace_id = $1 AND id = k.id
            AND decision_no IS NULL AND state IN ('received', 'parked') OFFSET 0
        ) e
        LEFT JOIN LATERAL (
          SELECT contact FROM event_bodies WHERE workspace_id = $1 AND event_id = k.id OFFSET 0
        ) b ON true
        """,
        workspace,
        ids,
    )


async def fetch_parked(
    driver: "asyncpg.Connection[Any]", workspace: UUID, names: Iterable[str]
) -> Sequence[Mapping[str, Any]]:
    """Rows of events that wait for one of these payments and have no customer yet."""
    # Materialized, so that the index on waits_for is used and never the whole backlog read.
    return await driver.fetch(
        """
        WITH waiting AS MATERIALIZED (
          SELECT workspace_id, id, source, external_id, received_at, mapped, customer_id
          FROM events WHERE state = 'parked' AND waits_for && $2 AND workspace_id = $1
        )
        SELECT w.id, w.source, w.external_id, w.received_at, w.mapped, b.contact
        FROM waiting w
        LEFT JOIN event_bodies b ON b.workspace_id = w.workspace_id AND b.event_id = w.id
        WHERE w.workspace_id = $1 AND w.customer_id IS NULL
        ORDER BY w.received_at, w.id LIMIT 1000
        """,
        workspace,
        sorted(names),
    )


async def waiting(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    customers: Sequence[UUID],
    *,
    until: datetime,
    but: Sequence[UUID],
) -> list[UUID]:
    """Other events received before an instant, not decided yet, that name one of the customers."""
    rows = await driver.fetch(
        """
        WITH names AS (
          SELECT array_agg(name) AS known FROM customer_names
          WHERE workspace_id = $1 AND customer_id = ANY($2)
        )
        SELECT e.id FROM events e, names n
        WHERE e.workspace_id = $1 AND e.state = 'received' AND e.attempts = 0
          AND e.received_at < $3 AND e.id <> ALL($4)
          AND (e.mapped->'people' ?| n.known OR e.mapped->'payments' ?| n.known)
        ORDER BY e.received_at, e.id LIMIT 1000
        """,
        workspace,
        customers,
        until,
        but,
    )
    return [row["id"] for row in rows]


async def known(
    driver: "asyncpg.Connection[Any]", workspace: UUID, customers: Sequence[UUID]
) -> dict[UUID, Known]:
    """Events, conversions and commissions of customers."""
    found: dict[UUID, Known] = defaultdict(Known)
    if not customers:
        return found
    for row in await bulk.fetch(
        driver,
        t.EventRow,
        workspace=workspace,
        key="customer_id",
        keys=customers,
        columns=f"{_EVENT_COLUMNS}, customer_id, state, conversion_id, decision_no",
    ):
        person, event = found[row["customer_id"]], _event(row)
        person.events[event.id] = event
        person.states[event.id] = (row["state"], row["conversion_id"])
        person.seen[event.id] = row["decision_no"]
    awards = await _awards(driver, workspace, customers, found)
    for row in await bulk.fetch(
        driver, t.Conversion, workspace=workspace, key="customer_id", keys=customers
    ):
        if row["superseded_by"] is not None:
            found[row["customer_id"]].former.add(row["id"])
            continue
        conversion = conversion_of(row, awards.get(row["id"], ()))
        found[row["customer_id"]].conversions[conversion.id] = conversion
        if row["positions"] is not None:
            found[row["customer_id"]].positions[conversion.id] = positions_of(row["positions"])
    return found


_EVENT_COLUMNS: Final = "id, source, external_id, received_at, mapped"


def _event(row: Mapping[str, Any]) -> Event:
    return received_event(
        row["mapped"],
        event_id=row["id"],
        source=row["source"],
        external_id=row["external_id"],
        received_at=row["received_at"],
    )


async def _awards(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    customers: Sequence[UUID],
    found: dict[UUID, Known],
) -> dict[UUID, tuple[Award, ...]]:
    """Awards that stand, by conversion; the standings of all commissions go into found."""
    awards: dict[UUID, tuple[Award, ...]] = {}
    rows = await bulk.fetch(
        driver, t.Commission, workspace=workspace, key="customer_id", keys=customers
    )
    for row in sorted(rows, key=lambda row: row["id"]):
        person = found[row["customer_id"]]
        person.standings[row["id"]] = standing_of(row)
        if not row["superseded"]:
            conversion = row["conversion_id"]
            awards[conversion] = (*awards.get(conversion, ()), award_of(row))
    return awards


def award_of(row: Mapping[str, Any]) -> Award:
    """A row of commissions as the core takes it."""
    award = Award(
        commission_id=row["id"],
        program_id=row["program_id"],
        partner_id=row["partner_id"] or row["rewarded_customer_id"],
        plan_version_id=row["plan_version_id"],
        plan_version=row["plan_version"],
        rule_id=row["rule_id"],
        base=row["base"],
        amount=row["amount"],
        currency=row["currency"],
        rate_bps=row["rate_bps"],
        reversed=row["reversed"],
        reasons=reasons_of(row["explanation"]),
    )
    form = read_unit(award.currency).form
    if (row["recipient"], form) == ("partner", "cash"):
        return award
    cost = Money(row["unit_cost"], row["cost_currency"]) if row["cost_currency"] else None
    return given(award, to=row["recipient"], level=row["level"], cost=cost)


def conversion_of(row: Mapping[str, Any], awards: tuple[Award, ...]) -> Conversion:
    """A row of conversions as the core takes it."""
    return Conversion(
        id=row["id"],
        key=row["key"],
        kind=row["kind"],
        source=row["source"],
        new=row["is_new"],
        occurred_at=row["occurred_at"],
        gross=row["gross"],
        base=row["base"],
        currency=row["currency"],
        refunded=row["refunded"],
        subscription=row["subscription"],
        program_id=row["program_id"],
        credits=credits_of(row["credits"]),
        awards=awards,
        reasons=reasons_of(row["reasons"]),
        bound_at=row["bound_at"],
        hold_until=row["hold_until"],
        recorded_at=row["recorded_at"],
    )
