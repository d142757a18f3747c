"""Bands of mode whole: what a partner's period comes to beyond what was paid sale by sale.

Each sale is paid at once by the lowest step. Once the period has closed, one true-up pays the rest,
so that all sales of the period are paid by the rate of the step that its net volume reached.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.core import identity
from app.core.bands import Bands
from app.core.money import share_bps
from app.core.periods import ends_at, kind_of, starts_at
from app.core.plans import Plan
from app.core.reasons import Param, Reason, because
from app.core.records import record
from app.core.tallies import SALES, TallyKey, base_of, of_rule
from app.core.transfers import Standing, Transfer, difference
from app.core.world import EnrollmentFact, PlanFact, ProgramFact

_LAST: Final = timedelta(microseconds=1)


@record
class Period:
    """A partner's calendar period by a rule, in one currency. within: the period's name."""

    program_id: UUID
    partner_id: UUID
    rule_id: str
    within: str
    currency: str

    def key(self, name: str, currency: str = "") -> TallyKey:
        return TallyKey(self.program_id, self.partner_id, name, self.within, currency)

    @property
    def reads(self) -> tuple[TallyKey, ...]:
        """The totals that a true-up is worked out from."""
        money = (SALES, of_rule(self.rule_id), base_of(self.rule_id))
        return (self.key(SALES), *(self.key(name, self.currency) for name in money))

    @property
    def commission_id(self) -> UUID:
        return identity.true_up_id(
            program=self.program_id,
            partner=self.partner_id,
            rule=self.rule_id,
            within=self.within,
            currency=self.currency,
        )

    @property
    def last_at(self) -> datetime:
        """The period's last instant."""
        end = ends_at(self.within)
        assert end is not None
        return end - _LAST


@record
class TrueUp:
    """base: what the sales come to that the rule paid for. amount: what it still pays for them;
    may be 0.
    """

    base: int
    amount: int
    rate_bps: int
    reason: Reason


def closing_terms(program: ProgramFact, within: str) -> PlanFact:
    """The program's terms in force at the end of a period."""
    end = ends_at(within)
    assert end is not None
    return program.plan_at(end - _LAST)


def settles_at(plan: Plan, within: str) -> datetime:
    """When a period is settled. plan: the program's terms in force at its end.

    By then a sale of its last moment has closed, unless it was told late.
    """
    end = ends_at(within)
    assert end is not None
    return end + timedelta(days=max(plan.hold_days, plan.late_days))


def terms_of(
    program: ProgramFact, enrollment: EnrollmentFact, period: Period
) -> tuple[PlanFact, Bands] | None:
    """The latest terms of a partner in a period that have the rule with bands to be settled."""
    begins, last = starts_at(period.within), period.last_at
    versions = (*program.plans, *enrollment.agreements)
    dates = [date for one in versions for date in (one.effective_from, one.effective_until) if date]
    changes = [date for date in dates if begins is not None and begins < date <= last]
    for at in (last, *(date - _LAST for date in sorted(changes, reverse=True))):
        terms = enrollment.agreement_at(at) or program.plan_at(at)
        bands = bands_of(terms.plan, period)
        if bands is not None:
            return terms, bands
    return None


def bands_of(plan: Plan, period: Period) -> Bands | None:
    """What a plan settles by the rule in such a period and currency, if it does."""
    for rule in plan.rules:
        how = rule.pay.how
        if rule.id == period.rule_id and isinstance(how, Bands) and how.mode == "whole":
            is_meant = how.currency in {"", period.currency}
            return how if is_meant and how.period == kind_of(period.within) else None
    return None


def true_up(bands: Bands, period: Period, totals: Mapping[TallyKey, int]) -> TrueUp:
    """What is still owed at the rate that was reached, rounded once, half to even.

    totals: as the sales stand that are not taken back; one that is not there is 0. At the first
    step the sales have been paid what it gives, each rounded for itself, and nothing is left. What
    was paid more than the period comes to, by terms that changed in it, stays paid.
    """
    count, revenue, paid, base = (totals.get(key, 0) for key in period.reads)
    told: dict[str, Param] = {"rule": period.rule_id, "within": period.within}
    reached = revenue if bands.by == "revenue" else count
    told["before" if bands.by == "revenue" else "number"] = reached
    step = bands.step_at(reached) or bands.steps[0]
    rate_bps, owed = step.rate_bps or 0, 0
    if step is not bands.steps[0]:
        owed = max(0, share_bps(base, rate_bps) - paid)
    if bands.by == "revenue":
        told["start"] = step.start
    told |= {"rate_bps": rate_bps, "base": base, "paid": paid}
    code = "trued_up" if owed else "not_trued_up"
    reason = because(code, **told, amount=owed, currency=period.currency)
    return TrueUp(base, owed, rate_bps, reason)


def award(period: Period, rest: TrueUp) -> tuple[Standing, tuple[Transfer, ...]]:
    """Where a commission for the rest stands, and what moves for it."""
    none = Standing.none(
        period.commission_id, period.program_id, period.partner_id, period.currency
    )
    transfers = difference(none, amount=rest.amount, reversed_=0)
    return replace(none, amount=rest.amount, transfers=len(transfers)), transfers
