"""One part of a back-test: some customers, read in a few queries and compared in memory."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions import surroundings
from app.conversions.backtest.compare import (
    CUSTOMERS,
    NOTHING,
    Paid,
    Share,
    Totals,
    Trial,
    Worlds,
    compare,
)
from app.conversions.backtest.tally import Tally
from app.conversions.canon import received_event
from app.conversions.surroundings import Everything, Wanted
from app.core.events import Event
from app.db import bulk
from app.db import tables as t


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is stored of a conversion. decision_no: the latest that changed it or what it pays."""

    paid: dict[Share, Paid]
    decision_no: int


async def compare_part(
    driver: "asyncpg.Connection[Any]",
    trial: Trial,
    customers: Sequence[UUID],
    decision_no: int,
    totals: Totals,
) -> Tally:
    """What the sales of these customers in the period give by either terms.

    decision_no: history up to it counts. totals: as the customers before have left them.
    """
    histories = await _histories(driver, trial.workspace, customers, decision_no)
    whole = Wanted()
    for events in histories.values():
        whole.add(events, ())
    tried = {trial.program_id: trial.plan}
    world = await surroundings.gather(driver, trial.workspace, whole, tried)
    pair = Pair(world, trial)
    tally = Tally()
    present: dict[UUID, Mapping[Share, Paid]] = {}
    for who in customers:
        # One that was joined to another meanwhile has nothing left.
        if events := histories.get(who, []):
            worlds = pair.of(who, events)
            compared = compare(who, events, worlds, trial, totals) if worlds else ()
            for sale in compared:
                present[sale.present.id] = sale.now
                if trial.program_id in (sale.present.program_id, sale.tried.program_id):
                    tally.add(sale)
    tally.sales_unlike = await _unlike(driver, trial.workspace, decision_no, present)
    return tally


class Pair:
    """A part's world as it is, and as it would be."""

    def __init__(self, present: Everything, trial: Trial) -> None:
        self._present = present
        self._trial = trial
        world, programs = present.world, dict(present.world.programs)
        self._alike = True
        if program := programs.get(trial.program_id):
            programs[trial.program_id] = trial.instead(program)
            self._alike = trial.attributes_as(program)
        self._tried = replace(present, world=replace(world, programs=programs))
        self._programs = programs
        self._others = bool(world.recruiters or world.companies)
        """Whether terms may ask for more people than those whom touches lead to."""

    def of(self, who: UUID, events: Sequence[Event]) -> Worlds | None:
        """What of both concerns one customer; none if the terms that are tried can't."""
        wanted, program = Wanted().add(events, ()), self._trial.program_id
        own = surroundings.part_for(self._present, wanted, {who})
        if program not in own.programs:
            # Nothing leads this customer to the program: whatever its terms, they are not read.
            return Worlds(own, own, attribute_alike=True) if self._trial.in_order else None
        if self._others:
            tried = surroundings.part_for(self._tried, wanted, {who})
        else:
            tried = replace(own, programs={**own.programs, program: self._programs[program]})
        return Worlds(own, tried, self._alike)


async def _histories(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    customers: Sequence[UUID],
    decision_no: int,
) -> dict[UUID, list[Event]]:
    """All events of these customers that were decided by then."""
    rows = await bulk.fetch(
        driver,
        t.EventRow,
        workspace=workspace,
        key="customer_id",
        keys=customers,
        columns="customer_id, id, source, external_id, received_at, mapped, decision_no",
    )
    histories: dict[UUID, list[Event]] = defaultdict(list)
    for row in rows:
        if row["decision_no"] is None or row["decision_no"] > decision_no:
            continue
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
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    decision_no: int,
    present: Mapping[UUID, Mapping[Share, Paid]],
) -> int:
    """How many sales are recorded with other amounts than the terms in force give at once."""
    recorded = await _recorded(driver, workspace, list(present))
    nothing = Recorded({}, 0)
    unlike = 0
    for conversion, paid in present.items():
        stored = recorded.get(conversion, nothing)
        unlike += stored.decision_no <= decision_no and stored.paid != paid
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
            share = (row["partner_id"] or CUSTOMERS, row["currency"])
            old = paid.get(share, NOTHING)
            paid[share] = Paid(old.awarded + row["amount"], old.reversed + row["reversed"])
        found[row["conversion_id"]] = Recorded(paid, max(before.decision_no, row["decision_no"]))
    return found
