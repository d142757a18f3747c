"""`/v1/partners/{id}/totals`: what a partner's sales come to now, and what its caps leave."""

from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends
from pydantic import Field

from app.auth import Caller, ReadDep, Scope, needs
from app.conversions import summing, surroundings
from app.conversions.surroundings import Wanted
from app.core.pays import PartnerCap
from app.core.periods import PERIODS, Period, period_of
from app.core.rules import Rule
from app.core.tallies import LEADS, SALES, of_rule
from app.errors import NotFound
from app.wire import Amount, Currency, Instant, Out, PartnerId, ProgramId

router: Final = APIRouter(tags=["Money"])
Reader = Annotated[Caller, Depends(needs(Scope.COMMISSIONS_READ))]


class RevenueOut(Out):
    """What paid sales come to in one currency, without tax, less what went back."""

    currency: Currency
    amount: Amount


class PeriodOut(Out):
    """A partner's sales in a calendar period (UTC). sales: those not returned whole. leads: as far
    as the terms ask for them, else 0.
    """

    period: Period
    within: str = Field(description="`2026-03`, `2026-q1`, `2026` or `life`.", examples=["2026-03"])
    sales: int
    leads: int
    revenue: list[RevenueOut]


class CapOut(Out):
    """What is left of a cap per partner. Amounts and counts are null where it has none; what is
    used and left of them also while a long history is yet to be summed up, which is done with the
    next sale.
    """

    rule: str
    period: Period
    within: str
    currency: Currency | None
    limit: Amount | None
    used: Amount | None
    left: Amount | None
    count: int | None
    counted: int | None
    count_left: int | None


class TotalsOut(Out):
    """As of now, by the terms that the partner has now. periods: those that the terms ask for and
    in which there is something.
    """

    as_of: Instant
    periods: list[PeriodOut]
    caps: list[CapOut]


Totals = Mapping[tuple[str, str, str], int]
"""By name, period and currency."""


@router.get("/partners/{partner_id}/totals")
async def get_totals(
    partner_id: PartnerId, program_id: ProgramId, caller: Reader, read: ReadDep
) -> TotalsOut:
    """A partner's totals in a program in the calendar periods of now, and what is left of each cap
    that spans all of its customers.
    """
    driver = await read.driver()
    pair = (program_id, partner_id)
    found = await surroundings.gather(driver, caller.workspace_id, Wanted(bound={pair}))
    enrollment = found.world.enrollments.get(pair)
    if enrollment is None:
        raise NotFound
    now = datetime.now(UTC)
    own = enrollment.agreement_at(now)
    plan = (own or found.world.programs[program_id].plan_at(now)).plan
    within = {period: period_of(now, period) for period in PERIODS}
    asked = {(ask.name, within[ask.period]) for ask in plan.asks}
    totals, unknown = await _totals(driver, caller.workspace_id, pair, asked, within.values())
    return TotalsOut(
        as_of=now,
        periods=[
            _period(totals, period, name)
            for period, name in within.items()
            if any(key[:2] in {(SALES, name), (LEADS, name)} for key in totals)
        ],
        caps=[
            _cap(rule, rule.cap, totals, within[rule.cap.period], unknown)
            for rule in plan.rules
            if isinstance(rule.cap, PartnerCap)
        ],
    )


async def _totals(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    pair: tuple[UUID, UUID],
    asked: set[tuple[str, str]],
    within: Iterable[str],
) -> tuple[Totals, set[tuple[str, str]]]:
    """A partner's totals, and what is asked for, by name and period, but not summed up yet."""
    program, _ = pair
    begun = await driver.fetch(
        "SELECT name, period FROM tally_periods"
        " WHERE workspace_id = $1 AND program_id = $2 AND period = ANY($3)",
        workspace,
        program,
        list(within),
    )
    rows = await driver.fetch(
        """
        SELECT name, period, currency, total FROM tallies
        WHERE workspace_id = $1 AND program_id = $2 AND partner_id = $3 AND period = ANY($4)
        ORDER BY name, period, currency
        """,
        workspace,
        *pair,
        list(within),
    )
    totals = {(row["name"], row["period"], row["currency"]): row["total"] for row in rows}
    missing = asked - {(row["name"], row["period"]) for row in begun}
    if not missing:
        return totals, missing
    kept = [(program, *one) for one in missing]
    summed = await summing.summed_if_few(driver, workspace, program, kept)
    if summed is None:
        return totals, missing
    return {**totals, **{key[2:]: n for key, n in summed.items() if key[:2] == pair}}, set()


def _period(totals: Totals, period: Period, within: str) -> PeriodOut:
    return PeriodOut(
        period=period,
        within=within,
        sales=totals.get((SALES, within, ""), 0),
        leads=totals.get((LEADS, within, ""), 0),
        revenue=[
            RevenueOut(currency=currency, amount=total)
            for (name, of, currency), total in totals.items()
            if (name, of) == (SALES, within) and currency
        ],
    )


def _cap(
    rule: Rule, cap: PartnerCap, totals: Totals, within: str, unknown: Container[tuple[str, str]]
) -> CapOut:
    amount, count, name = cap.amount, cap.count, of_rule(rule.id)
    known = (name, within) not in unknown
    used = totals.get((name, within, amount.currency), 0) if amount and known else None
    counted = totals.get((name, within, ""), 0) if count is not None and known else None
    return CapOut(
        rule=rule.id,
        period=cap.period,
        within=within,
        currency=amount.currency if amount else None,
        limit=amount.amount if amount else None,
        used=used,
        left=max(0, amount.amount - used) if amount and used is not None else None,
        count=count,
        counted=counted,
        count_left=max(0, count - counted) if count is not None and counted is not None else None,
    )
