"""Whatever is told, in whatever order and however often: Postgres and a pure fold agree.

A state machine drives the real inbox, lane and ledger, and the same road on dictionaries beside
them. After each step every account holds the same; at the end `verify` finds nothing. Customers
share partners and turn out to be one, by an alias, an e-mail or a payment, unless each has an own
id; payments get several ids, events tie in time, refunds fail, disputes are won after a refund,
clicks come last; one program closes its sales at once, so that much of it comes behind a close.
"""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, update

from app.conversions import surroundings
from app.conversions.canon import received_event
from app.conversions.identities import EMAIL
from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming
from app.conversions.proof import verify
from app.conversions.providers.mapping import Contact, Mapped
from app.core.events import (
    Event,
)
from app.core.identity import person_name
from app.core.tallies import Kept, TallyKey
from app.db import tables as t
from app.db.engine import Database
from app.ledger import mature
from tests.core.pure_road import PureRoad
from tests.db.histories import ADDRESSES, OWN_IDS, STARTED, bodies, people, times
from tests.making import CLICK_KEYS, Shop, add_program, make_shop, percent, plan

T = TypeVar("T")
PARTNERS = ("ana", "bo", "quick/ana", "quick/cy")
messages = Bundle[Mapped]("messages")
SHARED = plan(
    [
        {
            "id": "base",
            "pay": {"percent_bps": 2_000},
            "cap": {"per": "partner", "amount": {"amount": 2_500, "currency": "usd"},
                    "period": "month"},
        },
        {
            "id": "volume",
            "adds": True,
            "pay": {
                "bands": {
                    "by": "revenue", "period": "year", "mode": "graduated",
                    "steps": [
                        {"from": {"amount": 0, "currency": "usd"}, "percent_bps": 333},
                        {"from": {"amount": 10_000, "currency": "usd"}, "percent_bps": 777},
                    ],
                }
            },
        },
        {
            "id": "third",
            "adds": True,
            "match": {"reaches": {"sales": 3, "period": "month"}},
            "pay": {"flat": {"amount": 1_234, "currency": "usd"}},
        },
    ]
)  # fmt: skip
"""What all customers of a partner have in common: a cap, bands and a threshold."""


class AnyHistory(RuleBasedStateMachine):
    """Every example is a workspace of its own, in one database."""

    runner: asyncio.Runner
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.told = 0

    @initialize()
    def open(self) -> None:
        self.shop = self._run(self._open())
        self.source = "0" * 8
        ages = (timedelta(minutes=5), timedelta(days=2), timedelta(days=40))
        self.clicks = [self.shop.click(p, STARTED - age) for p in PARTNERS for age in ages]
        self.pure = PureRoad(
            self._run(self._world()),
            self.shop.workspace,
            own=frozenset(person_name("own", one) for one in OWN_IDS),
            emails=frozenset(person_name(EMAIL, one) for one in ADDRESSES),
        )

    @rule(target=messages, said=bodies(), at=times, data=st.data())
    def hear(self, said: Any, at: datetime, data: st.DataObject) -> Mapped:
        kind, body, payments = said
        self.told += 1
        known = data.draw(people(needed=not payments or kind == "payment"))
        message = Mapped(
            external_id=f"evt_{self.told}",
            kind=kind,
            occurred_at=at,
            body=body,
            click_ids=tuple(data.draw(st.lists(st.sampled_from(self.clicks), max_size=2))),
            payments=payments,
            contact=Contact(known, email=data.draw(st.sampled_from(("", "", *ADDRESSES)))),
            type=kind,
        )
        self._run(self._store(message))
        return message

    @rule(message=messages)
    def hear_again(self, message: Mapped) -> None:
        stored = self._run(self._store(message))
        assert stored.duplicate
        assert not stored.conflicting

    @precondition(lambda self: self.told)
    @rule()
    def settle(self) -> None:
        """What waits is one batch, here and there; what each close cut off is told by receipt."""
        waiting, now = self._run(self._settle())
        if waiting:
            self.pure.receive(*waiting, now=now)
        self._compare()

    @precondition(lambda self: self.told)
    @rule()
    def mature(self) -> None:
        self.settle()
        now = self._run(self._mature())
        self.pure.mature(now)
        self._compare()

    def teardown(self) -> None:
        if self.told:
            self.mature()
            assert self._run(self._verify()) == []

    def _compare(self) -> None:
        expected = {ref.id: amount for ref, amount in self.pure.balances.items()}
        assert self._run(self._balances()) == expected
        assert self._run(self._parked()) == {event.external_id for event in self.pure.parked}
        assert self._run(self._dead()) == {event.external_id for event in self.pure.refused}
        kept, totals = self._run(self._totals())
        assert totals == {
            key: total
            for key, total in self.pure.totals.items()
            if total and (key.program_id, key.name, key.period) in kept
        }

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _open(self) -> Shop:
        shop = await make_shop(self.database, SHARED)
        async with self.database.tx() as tx:
            terms = percent(1_500, hold_days=0, late_days=0, model="first_click")
            await add_program(tx, shop, "quick", terms, ("ana", "cy"))
            own = t.Workspace.id == shop.workspace
            await tx.execute(update(t.Workspace).where(own).values(joins_emails_since=func.now()))
        return shop

    async def _world(self) -> Any:
        async with self.database.read() as read:
            wanted = surroundings.Wanted(links=set(self.shop.links.values()))
            gathered = await surroundings.gather(await read.driver(), self.shop.workspace, wanted)
            return gathered.world

    async def _store(self, message: Mapped) -> incoming.Stored:
        async with self.database.tx() as tx:
            one = Incoming(self.shop.workspace, "stripe", message, b"{}")
            (stored,) = await incoming.store(tx, [one], CLICK_KEYS)
            return stored

    async def _settle(self) -> tuple[list[Event], datetime]:
        rows = await self.shop.rows(
            "SELECT id, source, external_id, received_at, mapped FROM events"
            " WHERE workspace_id = :workspace AND state = 'received'"
        )
        waiting = [
            received_event(
                row.mapped,
                event_id=row.id,
                source=row.source,
                external_id=row.external_id,
                received_at=row.received_at,
            )
            for row in rows
        ]
        await self.shop.settle()
        (decided,) = await self.shop.rows(
            "SELECT coalesce(max(decided_at), now()) AS at FROM decisions"
            " WHERE workspace_id = :workspace"
        )
        return waiting, decided.at

    async def _mature(self) -> datetime:
        await mature.mature_workspace(self.database, self.shop.workspace)
        (row,) = await self.shop.rows("SELECT clock_timestamp() AS at, :workspace AS w")
        at: datetime = row.at
        return at

    async def _balances(self) -> dict[UUID, int]:
        rows = await self.shop.rows(
            "SELECT id, credits - debits AS amount FROM accounts"
            " WHERE workspace_id = :workspace AND credits <> debits"
        )
        return {row.id: int(row.amount) for row in rows}

    async def _totals(self) -> tuple[set[Kept], dict[TallyKey, int]]:
        """What is tallied, and the partners' totals."""
        kept = await self.shop.rows("SELECT * FROM tally_periods WHERE workspace_id = :workspace")
        rows = await self.shop.rows("SELECT * FROM tallies WHERE workspace_id = :workspace")
        return {(row.program_id, row.name, row.period) for row in kept}, {
            TallyKey(row.program_id, row.partner_id, row.name, row.period, row.currency): row.total
            for row in rows
            if row.total
        }

    async def _parked(self) -> set[str]:
        rows = await self.shop.rows(
            "SELECT external_id FROM events WHERE workspace_id = :workspace AND state = 'parked'"
            " AND customer_id IS NULL"
        )
        return {row.external_id for row in rows}

    async def _dead(self) -> set[str]:
        rows = await self.shop.rows(
            "SELECT external_id FROM events WHERE workspace_id = :workspace AND state = 'dead'"
        )
        return {row.external_id for row in rows}

    async def _verify(self) -> list[Any]:
        async with self.database.snapshot() as snapshot:
            driver = await snapshot.driver()
            found = [one async for one in verify._workspace(driver, self.shop.workspace)]
            return [one for one in found if one.problem != _MADE_UP]


_MADE_UP = "its raw bytes no longer mean an event"
"""The events here have no bytes but `{}`."""


def test_postgres_and_a_pure_fold_agree_on_any_history(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mature, "GRACE_S", 0)
    with asyncio.Runner() as runner:
        database = Database(fresh_database_url)
        machine = type("Machine", (AnyHistory,), {"runner": runner, "database": database})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=30,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    phases=(Phase.explicit, Phase.reuse, Phase.generate),
                ),
            )
        finally:
            runner.run(database.close())
