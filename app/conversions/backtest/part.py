"""One part of a back-test: a range of customers, read in a few queries and compared in memory."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions import surroundings
from app.conversions.backtest.compare import NOTHING, Compared, Paid, Share, Trial, compare
from app.conversions.backtest.tally import Tally
from app.conversions.canon import received_event
from app.conversions.surroundings import Everything, Wanted
from app.core.events import Event
from app.core.world import ProgramFact
from app.db import bulk
from app.db import tables as t


@dataclass(frozen=True, slots=True)
class Range:
    """Customers from one id to another, both included, as they stood after a decision."""

    first_id: UUID
    last_id: UUID
    decision_no: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is stored of a conversion. decision_no: the latest that changed it or what it pays."""

    paid: dict[Share, Paid]
    decision_no: int


async def compare_part(driver: "asyncpg.Connection[Any]", trial: Trial, customers: Range) -> Tally:
    """What the sales of these customers in the period give by either terms."""
    histories = await _histories(driver, trial, customers)
    whole = Wanted()
    for events in histories.values():
        whole.add(events, ())
    world = await surroundings.gather(driver, trial.workspace, whole)
    program = world.world.programs.get(trial.program_id)
    if program is None:
        return Tally()
    instead = trial.instead(program)
    compared: list[Compared] = []
    for who, events in histories.items():
        compared += _customer(who, events, world, trial, instead)
    tally = Tally()
    for sale in compared:
        if trial.program_id in (sale.present.program_id, sale.tried.program_id):
            tally.add(sale)
    tally.sales_unlike = await _unlike(driver, trial, customers.decision_no, compared)
    return tally


def _customer(
    who: UUID, events: list[Event], world: Everything, trial: Trial, instead: ProgramFact
) -> list[Compared]:
    own = surroundings.part_for(world, Wanted().add(events, ()), {who})
    if trial.program_id not in own.programs:
        # Nothing leads this customer to the program: whatever its terms, they are not read.
        return []
    tried = replace(own, programs={**own.programs, trial.program_id: instead})
    return compare(events, own, tried, trial)


async def _histories(
    driver: "asyncpg.Connection[Any]", trial: Trial, customers: Range
) -> dict[UUID, list[Event]]:
    """All events of the customers who have a sale in the period."""
    rows = await driver.fetch(
        _EVENTS,
        trial.workspace,
        customers.first_id,
        customers.last_id,
        trial.from_at,
        trial.to_at,
        customers.decision_no,
    )
    histories: dict[UUID, list[Event]] = defaultdict(list)
    for row in rows:
        histories[row["customer_id"]].append(
            received_event(
                row["mapped"],
                event_id=row["id"],
                source=row["source"],
                external_id=row["external_id"],
                received_at=row["received_at"],
            )
        )
    return histories


async def _unlike(
    driver: "asyncpg.Connection[Any]", trial: Trial, decision_no: int, compared: list[Compared]
) -> int:
    """How many sales are recorded with other amounts than the terms in force give at once."""
    recorded = await _recorded(driver, trial.workspace, [sale.present.id for sale in compared])
    nothing = Recorded({}, 0)
    unlike = 0
    for sale in compared:
        stored = recorded.get(sale.present.id, nothing)
        unlike += stored.decision_no <= decision_no and stored.paid != sale.now
    return unlike


async def _recorded(
    driver: "asyncpg.Connection[Any]", workspace: UUID, conversions: list[UUID]
) -> Mapping[UUID, Recorded]:
    rows = await bulk.fetch(
        driver,
        t.Commission,
        workspace=workspace,
        key="conversion_id",
        keys=conversions,
        columns="conversion_id, partner_id, currency, amount, reversed, superseded, decision_no",
    )
    found: dict[UUID, Recorded] = {}
    for row in rows:
        before = found.get(row["conversion_id"]) or Recorded({}, 0)
        paid = before.paid
        if not row["superseded"]:
            share = (row["partner_id"], row["currency"])
            old = paid.get(share, NOTHING)
            paid[share] = Paid(old.awarded + row["amount"], old.reversed + row["reversed"])
        found[row["conversion_id"]] = Recorded(paid, max(before.decision_no, row["decision_no"]))
    return found


_EVENTS: Final = """
SELECT e.customer_id, e.id, e.source, e.external_id, e.received_at, e.mapped FROM (
  SELECT DISTINCT customer_id FROM conversions
  WHERE workspace_id = $1 AND customer_id BETWEEN $2 AND $3
    AND occurred_at >= $4 AND occurred_at < $5 AND superseded_by IS NULL
) c CROSS JOIN LATERAL (
  SELECT customer_id, id, source, external_id, received_at, mapped FROM events
  WHERE workspace_id = $1 AND customer_id = c.customer_id AND decision_no <= $6 OFFSET 0
) e
"""
