"""Credits and terms → awards: what the rules are told of a sale, and what they give for it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from app.core.buyers import Buyer, Sold
from app.core.commission import rule_on
from app.core.conversions import Award, Conversion
from app.core.gates import closed_gates
from app.core.giving import Part, Share, award_of, for_others, given_as, together
from app.core.money import slice_bps
from app.core.occasions import Brought
from app.core.reasons import Reason, because
from app.core.sale_facts import Earlier, SaleFacts, months_between
from app.core.tallies import Slice
from app.core.world import EnrollmentFact, PlanFact, ProgramFact, World


def awards_for(
    conversion: Conversion,
    sold: Sold | None,
    terms: PlanFact,
    buyer: Buyer,
    world: World,
    brought: Mapping[UUID, Brought],
) -> tuple[tuple[Award, ...], tuple[Reason, ...]]:
    """Each credited partner's award, and the reasons of every rule that was tried.

    terms: the program's; a partner who has terms of its own then is paid by those instead.
    brought: by partner, the touch that counted. An award's reasons are the whole story: how the
    partner was credited, then how it was paid. Partners for whom a rule gives the same amount
    share it to the cent.
    """
    awards: list[Award] = []
    others: list[Part] = []
    reasons: list[Reason] = []
    program_id, at = conversion.program_id, conversion.occurred_at
    assert program_id is not None
    program, before_bps = world.programs[program_id], 0
    for credit in conversion.credits:
        enrollment = world.enrollments[program_id, credit.partner_id]
        paying, told_first, is_open = _terms_of(enrollment, terms, conversion.read_at)
        if not is_open:
            reasons.extend(told_first)
            before_bps += credit.bps
            continue
        earlier = buyer.earlier(program_id, at) if paying.plan.caps_customers else ()
        tried = buyer.tried_for(conversion.id, credit.partner_id)
        facts = tried.known(earlier) if tried else None
        if facts is None:
            touch = brought.get(credit.partner_id)
            facts = _facts(conversion, sold, buyer, touch, (program, enrollment), earlier)
        if paying.plan.asks:
            whose, tried = credit.partner_id, None
            own = Slice(program_id, whose, before_bps, credit.bps, whose, buyer.places)
            facts = replace(facts, slice=own)
        ruling = rule_on(paying.plan, facts, tried=tried)
        reasons += (*told_first, *ruling.reasons)
        story = (*conversion.reasons, *told_first, *ruling.reasons)
        earned: list[Award] = []
        for paid in ruling.paid:
            amount = paid.amount
            if not paid.is_slice:
                amount = slice_bps(amount, before_bps, credit.bps)
            if amount > 0:
                whose = credit.partner_id
                # Another partner's own terms may pay this one by a rule of the same id.
                facts.slice.take(paid.rule_id, at, amount, paid.currency)
                earned.append(award_of(conversion, whose, paying, paid, amount, story))
        if groups := paying.plan.groups:
            rewards = groups.rewards
            earned = [
                given_as(award, rewards[award.rule_id]) if award.rule_id in rewards else award
                for award in earned
            ]
            share = Share(conversion, credit, before_bps, paying)
            more, told = for_others(share, facts, earned, buyer, world)
            others += more
            reasons += told
        awards += earned
        before_bps += credit.bps
    awards += together(others)
    awards.sort(key=lambda award: award.commission_id)
    return tuple(awards), tuple(reasons)


def _terms_of(
    enrollment: EnrollmentFact, terms: PlanFact, at: datetime
) -> tuple[PlanFact, tuple[Reason, ...], bool]:
    """By which terms a partner's credit is paid, what is to be told of it, and whether they let
    it earn at all.
    """
    told: tuple[Reason, ...] = ()
    partner_id = enrollment.partner_id
    own = enrollment.agreement_at(at) if enrollment.agreements else None
    if own is not None:
        terms = own
        told = (because("agreement_pays", partner_id=partner_id, version=own.version),)
    gates = terms.plan.gates
    if not gates:
        return terms, told, True
    closed = closed_gates(gates, enrollment.qualification_at(at), partner_id)
    return terms, (*told, *closed), not closed


def _facts(
    conversion: Conversion,
    sold: Sold | None,
    buyer: Buyer,
    brought: Brought | None,
    place: tuple[ProgramFact, EnrollmentFact],
    earlier: tuple[Earlier, ...],
) -> SaleFacts:
    at = conversion.occurred_at
    program, enrollment = place
    first_paid_at = buyer.first_paid_at or at
    provider = conversion.key.split(":", 1)[0]
    return SaleFacts(
        kind=conversion.kind,
        source="api" if provider == "own" or sold is None else provider,
        currency=conversion.currency,
        new=conversion.new,
        at=at,
        amount=conversion.base,
        gross=conversion.gross,
        quantity=sold.quantity if sold else 0,
        product_ids=sold.product_ids if sold else (),
        customer_country=buyer.country_at(at),
        customer_sales=buyer.paid,
        customer_months=months_between(first_paid_at, at),
        partner_country=enrollment.country_at(conversion.read_at),
        touch_kind=brought.kind if brought else "",
        touch_code=brought.code if brought else "",
        touch_at=brought.at if brought else None,
        recurring_since=buyer.since.get(conversion.subscription, at)
        if conversion.subscription
        else first_paid_at,
        payment=1 + buyer.payments_of(conversion.subscription),
        customer_value=buyer.value.get(conversion.currency, 0),
        lines=sold.lines if sold else (),
        lines_complete=sold is None or sold.lines_complete,
        earlier=earlier,
        partner=enrollment.qualification_at(conversion.read_at),
        partner_since=enrollment.states[0].since,
        program_since=program.states[0].since,
    )
