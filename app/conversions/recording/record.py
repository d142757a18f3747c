"""Write what a batch decided: one statement a table, all in the lane's transaction."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from app.conversions import tallying
from app.conversions.canon import json_text
from app.conversions.decided import Batch, Decided
from app.conversions.intake.conflicts import CONFLICTS
from app.conversions.recording.money import write_commissions, write_conversions
from app.conversions.recording.numbered import write_decisions, write_transfers
from app.conversions.recording.people import write_people
from app.conversions.recording.touches import write_touches
from app.core.events import Event
from app.core.reasons import Reason, because
from app.db import bulk
from app.db import tables as t

_log: Final = structlog.get_logger()


async def write(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """Everything that a batch, or a part of one, changed; the lane's counters apart."""
    await write_people(driver, batch)
    await _write_events(driver, batch)
    await write_decisions(driver, batch.workspace, batch.decisions, batch.counters)
    await write_conversions(driver, batch)
    await write_commissions(driver, batch)
    await tallying.write(driver, batch.workspace, batch.moved)
    await write_transfers(driver, batch.workspace, batch.transfers, batch.counters)


async def _write_events(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """News and everything whose state or conversion came out otherwise than recorded."""
    rows: list[Mapping[str, Any]] = []
    for decided in batch.decided:
        rows += _event_rows(batch, decided)
    await bulk.update(driver, t.EventRow, rows, keys=("workspace_id", "id"))
    await write_touches(driver, batch)
    for orphan in batch.orphans:
        await driver.execute(
            "UPDATE events SET state = 'parked', waits_for = $3, reasons = $4"
            " WHERE workspace_id = $1 AND id = $2",
            batch.workspace,
            orphan.id,
            list(orphan.payments),
            json_text((_waiting(orphan),)),
        )
    for event in batch.refused:
        await _refuse(driver, batch.workspace, event)


async def _refuse(driver: "asyncpg.Connection[Any]", workspace: UUID, event: Event) -> None:
    """It contradicts whoever named its payment first: dead, so that a person looks at it."""
    reason = because("payment_of_another_customer", keys=event.payments)
    await driver.execute(
        "UPDATE events SET state = 'dead', reasons = $3, waits_for = '{}'"
        " WHERE workspace_id = $1 AND id = $2",
        workspace,
        event.id,
        json_text((reason,)),
    )
    CONFLICTS.inc()
    _log.warning("event.conflicting", event_id=str(event.id), source=event.source)


def _event_rows(batch: Batch, decided: Decided) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for event in decided.events:
        waits = event.id in decided.waiting
        now = ("parked" if waits else "applied", decided.told.get(event.id))
        is_news = event.id in decided.first_seen
        if not is_news and decided.known.states[event.id] == now:
            continue
        reasons: tuple[Reason, ...] = (_waiting(event),) if waits else ()
        if event.id in batch.namesakes:
            reasons += (because("email_of_another_customer"),)
        rows.append(
            {
                "workspace_id": batch.workspace,
                "id": event.id,
                "state": now[0],
                "conversion_id": now[1],
                "customer_id": decided.person.id,
                "reasons": json_text(reasons),
                "decision_no": decided.first_seen.get(event.id) or decided.known.seen[event.id],
            }
        )
    return rows


def _waiting(event: Event) -> Reason:
    return because("waiting_for_sale", keys=event.payments)
