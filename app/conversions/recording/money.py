"""Conversions and commissions as the batch left them."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.conversions.canon import json_text
from app.conversions.decided import Batch, Decided
from app.conversions.tally_canon import positions_text
from app.core.conversions import Award, Conversion, Given
from app.core.status import status_of
from app.core.transfers import Standing
from app.db import bulk
from app.db import tables as t

_KEYS: Final = ("workspace_id", "id")
_PARTNERS_CASH: Final[Mapping[str, Any]] = {
    "partner_id": None,
    "rewarded_customer_id": None,
    "recipient": "partner",
    "level": None,
    "unit_cost": None,
    "cost_currency": None,
}


async def write_conversions(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """Every conversion that changed, those too that came and went within the batch."""
    made: list[Mapping[str, Any]] = []
    changed: list[Mapping[str, Any]] = []
    gone: list[Mapping[str, Any]] = []
    for decided in batch.decided:
        recorded = decided.known.conversions.keys() | decided.known.former
        for conversion in decided.conversions:
            if conversion.id in decided.changed:
                row = _conversion_row(batch.workspace, decided, conversion, None)
                (changed if conversion.id in recorded else made).append(row)
        for old, new in decided.superseded.items():
            if old not in recorded:
                passed = decided.passed[old]
                made.append(_conversion_row(batch.workspace, decided, passed, new))
            else:
                gone.append(_gone_row(batch.workspace, decided, old, new))
    # Those that stand no more leave first: another may come under a key of theirs.
    await bulk.update(driver, t.Conversion, gone, keys=_KEYS)
    await bulk.update(driver, t.Conversion, changed, keys=_KEYS)
    await bulk.insert(driver, t.Conversion, made)


async def write_commissions(driver: "asyncpg.Connection[Any]", batch: Batch) -> None:
    """Every commission that changed, those too that came and went within the batch."""
    made: list[Mapping[str, Any]] = []
    changed: list[Mapping[str, Any]] = []
    dropped: list[Mapping[str, Any]] = []
    for decided in batch.decided:
        recorded = decided.known.standings
        for commission, (conversion, award) in decided.awarded.items():
            if decided.changed.keys().isdisjoint({conversion.id, commission}):
                continue
            row = _commission_row(batch, decided, conversion, award)
            if commission in recorded:
                del row["recorded_at"], row["paid"]
                changed.append(row)
            else:
                made.append(row)
        dropped += [
            _dropped_row(batch.workspace, decided, standing)
            for commission, standing in decided.standings.items()
            if commission in decided.changed and commission not in decided.awarded
        ]
    await bulk.update(driver, t.Commission, dropped, keys=_KEYS)
    await bulk.update(driver, t.Commission, changed, keys=_KEYS)
    await bulk.insert(driver, t.Commission, made)


def _gone_row(workspace: UUID, decided: Decided, old: UUID, new: UUID) -> dict[str, Any]:
    return {
        "workspace_id": workspace,
        "id": old,
        "superseded_by": new,
        "decision_no": decided.changed[old],
    }


def _conversion_row(
    workspace: UUID, decided: Decided, conversion: Conversion, superseded_by: UUID | None
) -> dict[str, Any]:
    return {
        "workspace_id": workspace,
        "id": conversion.id,
        "customer_id": decided.person.id,
        "key": conversion.key,
        "kind": conversion.kind,
        "source": conversion.source,
        "is_new": conversion.new,
        "occurred_at": conversion.occurred_at,
        "gross": conversion.gross,
        "base": conversion.base,
        "currency": conversion.currency,
        "refunded": conversion.refunded,
        "subscription": conversion.subscription,
        "program_id": conversion.program_id,
        "credits": orjson.dumps([[str(c.partner_id), c.bps] for c in conversion.credits]).decode(),
        "reasons": json_text(conversion.reasons),
        "bound_at": conversion.bound_at,
        "hold_until": conversion.hold_until,
        "superseded_by": superseded_by,
        "decision_no": decided.changed[conversion.id],
        "positions": positions_text(decided.positions.get(conversion.id, {})),
        "recorded_at": conversion.recorded_at,
    }


def _commission_row(
    batch: Batch, decided: Decided, conversion: Conversion, award: Award
) -> dict[str, Any]:
    standing = decided.standings[award.commission_id]
    assert conversion.hold_until is not None
    return {
        "workspace_id": batch.workspace,
        "id": award.commission_id,
        "conversion_id": conversion.id,
        "customer_id": decided.person.id,
        "program_id": award.program_id,
        **beneficiary(award),
        "plan_version_id": award.plan_version_id,
        "plan_version": award.plan_version,
        "rule_id": award.rule_id,
        "base": award.base,
        "amount": standing.amount,
        "reversed": standing.reversed,
        "held": standing.held,
        "paid": standing.paid,
        "currency": award.currency,
        "rate_bps": award.rate_bps,
        "status": _status(standing),
        "hold_until": conversion.hold_until,
        "superseded": standing.superseded,
        "explanation": json_text(award.reasons),
        "transfers": standing.transfers,
        "decision_no": decided.changed.get(conversion.id) or decided.changed[award.commission_id],
        "occurred_at": conversion.occurred_at,
        "recorded_at": batch.counters.now,
    }


def beneficiary(award: Award) -> dict[str, Any]:
    """Whose it is and as whom; what a piece of it costs."""
    if not isinstance(award, Given):
        return {**_PARTNERS_CASH, "partner_id": award.partner_id}
    column = "rewarded_customer_id" if award.to == "customer" else "partner_id"
    return {
        **_PARTNERS_CASH,
        column: award.partner_id,
        "recipient": award.to,
        "level": award.level,
        "unit_cost": award.cost.amount if award.cost else None,
        "cost_currency": award.cost.currency if award.cost else None,
    }


def _dropped_row(workspace: UUID, decided: Decided, standing: Standing) -> dict[str, Any]:
    return {
        "workspace_id": workspace,
        "id": standing.commission_id,
        "reversed": standing.reversed,
        "held": standing.held,
        "superseded": True,
        "status": _status(standing),
        "transfers": standing.transfers,
        "decision_no": decided.changed[standing.commission_id],
    }


def _status(standing: Standing) -> str:
    return status_of(
        amount=standing.amount,
        reversed_=standing.reversed,
        paid=standing.paid,
        matured=standing.matured,
        held=standing.held,
    )
