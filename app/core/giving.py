"""What rules give to others than the credited partner, or in something else than cash."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from app.core import identity
from app.core.buyers import Buyer
from app.core.commission import rule_on
from app.core.conversions import Award, Conversion, Credit, Given
from app.core.money import Money, slice_bps
from app.core.paying import Paid
from app.core.reasons import Reason
from app.core.recipients import beneficiary
from app.core.records import record
from app.core.rewards import Recipient, Reward
from app.core.sale_facts import SaleFacts
from app.core.world import PlanFact, World


@record
class Share:
    """One partner's part of a conversion. before_bps: what was credited to others before it."""

    conversion: Conversion
    credit: Credit
    before_bps: int
    terms: PlanFact

    def of(self, paid: Paid) -> int:
        """The part of what a rule pays."""
        if paid.is_slice:
            return paid.amount
        return slice_bps(paid.amount, self.before_bps, self.credit.bps)


@record
class Part:
    """What one partner's part of a sale gives somebody. base_adds: whether its base is a part too,
    and not the sale's.
    """

    given: Given
    base_adds: bool


def for_others(
    share: Share, facts: SaleFacts, own: Sequence[Award], buyer: Buyer, world: World
) -> tuple[list[Part], list[Reason]]:
    """What every other recipient has of it, and why or why not, recipient by recipient.

    own: what the credited partner has of it. Of a sale that partners share a recipient has the
    same parts as they have; of what they earn, its percentage of each.
    """
    conversion, terms = share.conversion, share.terms
    groups = terms.plan.groups
    assert groups is not None
    given: list[Part] = []
    reasons: list[Reason] = []
    earned = _earned(own)
    for rules in groups.others:
        reward = groups.rewards[rules[0].id]
        whose = beneficiary(reward, conversion, share.credit.partner_id, buyer.id, world)
        if isinstance(whose, Reason):
            reasons.append(whose)
            continue
        told = replace(facts, commission=earned, slice=facts.slice.paid_to(whose))
        ruling = rule_on(terms.plan, told, rules)
        reasons.extend(ruling.reasons)
        story = (*conversion.reasons, *ruling.reasons)
        for paid in ruling.paid:
            own_reward = groups.rewards[paid.rule_id]
            is_share = own_reward.of == "commission"
            # A share of the commission is of this partner's part already.
            amount = paid.amount if is_share else share.of(paid)
            if amount > 0:
                told.slice.take(paid.rule_id, facts.at, amount, paid.currency)
                award = award_of(conversion, whose, terms, paid, amount, story)
                given.append(Part(given_as(award, own_reward), base_adds=is_share))
    return given, reasons


def award_of(
    conversion: Conversion, whose: UUID, terms: PlanFact, paid: Paid, amount: int,
    story: tuple[Reason, ...],
) -> Award:  # fmt: skip
    """amount: whose part of what the rule pays."""
    assert conversion.program_id is not None
    return Award(
        commission_id=identity.commission_id(
            conversion=conversion.id,
            plan_version=terms.id,
            rule=paid.rule_id,
            beneficiary=whose,
        ),
        program_id=conversion.program_id,
        partner_id=whose,
        plan_version_id=terms.id,
        plan_version=terms.version,
        rule_id=paid.rule_id,
        base=paid.base,
        amount=amount,
        currency=paid.currency,
        rate_bps=paid.rate_bps,
        reversed=0,
        reasons=story,
    )


def given_as(award: Award, reward: Reward) -> Given:
    """An award in the unit of what is given."""
    in_unit = replace(award, currency=reward.unit(award.currency))
    return given(in_unit, to=reward.to, level=reward.level, cost=reward.cost)


def given(award: Award, *, to: Recipient, level: int | None, cost: Money | None) -> Given:
    """An award that is not the credited partner's cash, with what only such have."""
    return Given(
        commission_id=award.commission_id,
        program_id=award.program_id,
        partner_id=award.partner_id,
        plan_version_id=award.plan_version_id,
        plan_version=award.plan_version,
        rule_id=award.rule_id,
        base=award.base,
        amount=award.amount,
        currency=award.currency,
        rate_bps=award.rate_bps,
        reversed=award.reversed,
        reasons=award.reasons,
        to=to,
        level=level,
        cost=cost,
    )


def together(parts: Iterable[Part]) -> list[Given]:
    """One award a rule and beneficiary: partners who share a sale may have the same recruiter, and
    have the same customer.
    """
    found: dict[UUID, Given] = {}
    for part in parts:
        one = part.given
        first = found.get(one.commission_id)
        if first is None:
            found[one.commission_id] = one
            continue
        found[one.commission_id] = replace(
            first,
            base=first.base + one.base if part.base_adds else first.base,
            amount=first.amount + one.amount,
            reasons=(*first.reasons, *(r for r in one.reasons if r not in first.reasons)),
        )
    return list(found.values())


def _earned(own: Sequence[Award]) -> tuple[int, str] | None:
    """What the credited partner has in cash; None: nothing, or it is in several currencies."""
    cash = [award for award in own if not isinstance(award, Given)]
    if len({award.currency for award in cash}) != 1:
        return None
    return sum(award.amount for award in cash), cash[0].currency
