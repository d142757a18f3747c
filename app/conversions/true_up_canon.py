"""Canonical JSON of a period's settlement, and what it comes to by what is stored."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.conversions.canon import Json, dumps, instant, reasons_json
from app.conversions.tally_canon import tallies_json
from app.core.fold import ENGINE
from app.core.records import record
from app.core.tallies import TallyKey
from app.core.true_up import Period, TrueUp
from app.core.world import PlanFact


@record
class Settling:
    """A period that is settled. terms: those that have its rule. closing: the program's at its end,
    which say when it is settled.
    """

    period: Period
    terms: PlanFact
    closing: PlanFact
    settles_at: datetime


def facts_json(settling: Settling, totals: Mapping[TallyKey, int], now: datetime) -> Json:
    """All that a settlement read. The totals stand as in other decisions: it moves none."""
    period = settling.period
    return {
        "as_of": instant(settling.settles_at),
        "now": instant(now),
        "engine": ENGINE,
        "true_up": {
            "program_id": str(period.program_id),
            "partner_id": str(period.partner_id),
            "rule": period.rule_id,
            "within": period.within,
            "currency": period.currency,
            "terms": str(settling.terms.id),
            "closing": str(settling.closing.id),
        },
        "tallies": tallies_json({key: (totals.get(key, 0),) * 2 for key in period.reads}),
    }


def period_of_facts(stored: Mapping[str, Any]) -> Period:
    """What `facts_json` wrote as true_up."""
    return Period(
        program_id=UUID(stored["program_id"]),
        partner_id=UUID(stored["partner_id"]),
        rule_id=stored["rule"],
        within=stored["within"],
        currency=stored["currency"],
    )


def digest(period: Period, rest: TrueUp) -> bytes:
    """SHA-256 over what is settled."""
    outcome = {
        "commission": str(period.commission_id),
        "base": rest.base,
        "amount": rest.amount,
        "rate_bps": rest.rate_bps,
        "reasons": reasons_json((rest.reason,)),
    }
    return hashlib.sha256(dumps(outcome)).digest()


def commission_row(settling: Settling, rest: TrueUp) -> dict[str, Any]:
    """What of a commission follows from the settlement alone."""
    period = settling.period
    return {
        "id": period.commission_id,
        "conversion_id": None,
        "customer_id": None,
        "program_id": period.program_id,
        "partner_id": period.partner_id,
        "rewarded_customer_id": None,
        "recipient": "partner",
        "level": None,
        "unit_cost": None,
        "cost_currency": None,
        "plan_version_id": settling.terms.id,
        "plan_version": settling.terms.version,
        "rule_id": period.rule_id,
        "base": rest.base,
        "amount": rest.amount,
        "reversed": 0,
        "held": 0,
        "paid": 0,
        "currency": period.currency,
        "rate_bps": rest.rate_bps,
        "hold_until": settling.settles_at,
        "superseded": False,
        "occurred_at": period.last_at,
    }
