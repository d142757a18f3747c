"""What one rule that matches comes to: lines and units counted, caps applied, every step told."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from app.core.bands import Bands, Step, paid_by
from app.core.capping import limited
from app.core.events import Line
from app.core.matching import no_rate
from app.core.money import MAX_AMOUNT, share_bps
from app.core.pays import Flat, Per, Percent
from app.core.periods import period_of
from app.core.reasons import Param, Reason, because
from app.core.records import record
from app.core.rewards import Pieces
from app.core.rules import Rule
from app.core.sale_facts import SaleFacts


@record
class Paid:
    """What a rule comes to, which may be 0. base, amount: minor units of the currency.

    rate_bps: of a percent rule. is_slice: whether the amount is of the credited partner's slice of
    the sale alone, else of the whole sale.
    """

    rule_id: str
    base: int
    amount: int
    currency: str
    rate_bps: int | None
    reasons: tuple[Reason, ...]
    is_slice: bool = False

    def part(self, facts: SaleFacts) -> int:
        """What the credited partner's slice of the sale comes to."""
        return self.amount if self.is_slice else facts.slice.of(self.amount)


def pay(rule: Rule, facts: SaleFacts) -> Paid | Reason:
    """A Reason: it can't be worked out on these facts."""
    per, how = rule.pay.per, rule.pay.how
    if per != "sale" and not facts.lines_complete:
        return because("lines_missing", rule=rule.id, per=per)
    if isinstance(how, Bands):
        return _by_bands(rule, how, facts)
    lines = _lines(rule, facts)
    base, currency = _worth(rule, facts, lines)
    told: dict[str, Param] = {} if per == "sale" else {"per": per}
    if rule.pay.reward is not None:
        told |= rule.pay.reward.told
    match how:
        case Percent(rate_bps):
            amount = share_bps(base, rate_bps)
            told = {"rate_bps": rate_bps, **told}
        case Flat(flat, flat_currency):
            # A lead has no currency; it is paid in the rule's own.
            currency = facts.currency or flat_currency
            if currency != flat_currency:
                return no_rate(rule, flat_currency, currency)
            times = _times(per, lines)
            amount = flat * times
            told = {"flat": flat, **told, **({} if per == "sale" else {"times": times})}
        case Pieces(quantity, unit):
            times = _times(per, lines)
            base, amount, currency = 0, quantity * times, unit
            told = {"quantity": quantity, **told, **({} if per == "sale" else {"times": times})}
        case _:
            assert_never(how)
    if amount > MAX_AMOUNT:
        return because("amount_beyond_limit", rule=rule.id, amount=amount, currency=currency)
    rate = how.rate_bps if isinstance(how, Percent) else None
    if amount <= 0:
        return Paid(rule.id, base, 0, currency, rate, (_why_nothing(rule, base),))
    reason = because("rule_paid", rule=rule.id, **told, base=base, amount=amount, currency=currency)
    return _capped(Paid(rule.id, base, amount, currency, rate, (reason,)), rule, facts)


def _capped(paid: Paid, rule: Rule, facts: SaleFacts) -> Paid | Reason:
    if rule.cap is None:
        return paid
    lower = limited(rule, facts, paid.amount, paid.currency, is_slice=paid.is_slice)
    if lower is None or isinstance(lower, Reason):
        return lower or paid
    return replace(
        paid,
        amount=lower.amount,
        reasons=(*paid.reasons, lower.reason),
        is_slice=paid.is_slice or lower.is_slice,
    )


def _by_bands(rule: Rule, bands: Bands, facts: SaleFacts) -> Paid | Reason:
    """By where the partner's period stood before the sale."""
    within = period_of(facts.at, bands.period)
    told: dict[str, Param] = {"rule": rule.id, "period": bands.period, "within": within}
    if bands.mode == "whole":
        return _at_once(rule, bands, told, facts)
    if bands.by == "sales":
        reached = facts.slice.sales(within) + 1
        return _at_step(rule, bands.step_at(reached), {**told, "number": reached}, facts)
    currency = facts.currency or bands.currency
    if currency != bands.currency:
        return no_rate(rule, bands.currency, currency)
    told["currency"] = currency
    before = facts.slice.sales(within, currency)
    if bands.steps[0].flat is not None:
        return _at_step(rule, bands.step_at(before), {**told, "before": before}, facts)
    parts = bands.parts(before, facts.slice.of(facts.amount))
    amount = paid_by(parts)
    if amount <= 0:
        nothing = because("rounds_to_zero", rule=rule.id)
        return Paid(rule.id, facts.amount, 0, currency, None, (nothing,), is_slice=True)
    whole = because(
        "rule_paid", **told, before=before, base=facts.slice.of(facts.amount), amount=amount
    )
    reasons = [
        because("band_part", **told, start=step.start, rate_bps=step.rate_bps or 0, base=part)
        for step, part in parts
    ]
    rate = parts[0][0].rate_bps if len(parts) == 1 else None
    paid = Paid(rule.id, facts.amount, amount, currency, rate, (whole, *reasons), is_slice=True)
    return _capped(paid, rule, facts)


def _at_once(rule: Rule, bands: Bands, told: dict[str, Param], facts: SaleFacts) -> Paid | Reason:
    """The least that the period may come to; what it comes to more is settled after its end."""
    currency = bands.currency or facts.currency
    if (facts.currency or currency) != currency:
        return no_rate(rule, currency, facts.currency)
    rate_bps = bands.steps[0].rate_bps or 0
    paid = pay(replace(rule, pay=replace(rule.pay, how=Percent(rate_bps))), facts)
    if isinstance(paid, Reason):
        return paid
    return replace(paid, reasons=(because("band_lowest", **told), *paid.reasons))


def _at_step(
    rule: Rule, step: Step | None, told: dict[str, Param], facts: SaleFacts
) -> Paid | Reason:
    """As a rule that knows this step alone."""
    if step is None:
        reason = because("below_bands", **told)
        return Paid(rule.id, facts.amount, 0, facts.currency, None, (reason,))
    how = Flat(step.flat.amount, step.flat.currency) if step.flat else Percent(step.rate_bps or 0)
    paid = pay(replace(rule, pay=replace(rule.pay, how=how)), facts)
    if isinstance(paid, Reason):
        return paid
    return replace(paid, reasons=(because("band_step", **told, start=step.start), *paid.reasons))


def _worth(rule: Rule, facts: SaleFacts, lines: Sequence[Line]) -> tuple[int, str]:
    """What a rule reckons with, and its currency, which a lead has not."""
    reward = rule.pay.reward
    if reward is not None and reward.of == "commission":
        return facts.commission or (0, facts.currency)
    if rule.pay.per == "sale":
        return facts.amount, facts.currency
    return sum(line.amount for line in lines), facts.currency


def _why_nothing(rule: Rule, base: int) -> Reason:
    reward = rule.pay.reward
    no_share = reward is not None and reward.of == "commission" and not base
    return because("nothing_to_share" if no_share else "rounds_to_zero", rule=rule.id)


def _times(per: Per, lines: Sequence[Line]) -> int:
    return 1 if per == "sale" else _lines_sold(lines) if per == "line" else _units(lines)


def _lines(rule: Rule, facts: SaleFacts) -> tuple[Line, ...]:
    """Those that the rule is about."""
    wanted = rule.match.product_ids
    if not wanted:
        return facts.lines
    return tuple(line for line in facts.lines if line.product_id in wanted)


def _lines_sold(lines: Sequence[Line]) -> int:
    """Discounts, credits and what is free are no products sold."""
    return sum(line.amount > 0 for line in lines)


def _units(lines: Sequence[Line]) -> int:
    """Units sold of each product, less those credited on the same bill.

    A change from 5 to 8 seats in mid-term is billed as 8 seats charged and 5 credited: 3 are new.
    """
    units: dict[str, int] = {}
    for line in lines:
        sign = (line.amount > 0) - (line.amount < 0)
        units[line.product_id] = units.get(line.product_id, 0) + sign * line.quantity
    return sum(max(0, count) for count in units.values())
