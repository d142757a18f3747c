"""Credits and terms → awards: what the rules are told of a sale, and what they give for it."""

from collections.abc import Mapping
from uuid import UUID

from app.core import identity
from app.core.buyers import Buyer, Sold
from app.core.commission import rule_on
from app.core.conversions import Award, Conversion, Credit
from app.core.money import slice_bps
from app.core.occasions import Brought
from app.core.paying import Paid
from app.core.reasons import Reason
from app.core.sale_facts import Earlier, SaleFacts, months_between
from app.core.world import PlanFact, World


def awards_for(
    conversion: Conversion,
    sold: Sold | None,
    terms: PlanFact,
    buyer: Buyer,
    world: World,
    brought: Mapping[UUID, Brought],
) -> tuple[tuple[Award, ...], tuple[Reason, ...]]:
    """Each credited partner's award, and the reasons of every rule that was tried.

    brought: by partner, the touch that counted. An award's reasons are the whole story: how the
    partner was credited, then how it was paid. Partners for whom a rule gives the same amount
    share it to the cent.
    """
    awards: list[Award] = []
    reasons: list[Reason] = []
    program_id, at = conversion.program_id, conversion.occurred_at
    assert program_id is not None
    earlier = buyer.earlier(program_id, at) if terms.plan.caps_customers else ()
    before_bps = 0
    for credit in conversion.credits:
        enrollment = world.enrollments[program_id, credit.partner_id]
        country = enrollment.country_at(conversion.read_at)
        touch = brought.get(credit.partner_id)
        facts = _facts(conversion, sold, buyer, touch, country, earlier)
        ruling = rule_on(terms.plan, facts)
        reasons.extend(ruling.reasons)
        story = (*conversion.reasons, *ruling.reasons)
        for paid in ruling.paid:
            amount = slice_bps(paid.amount, before_bps, credit.bps)
            if amount > 0:
                awards.append(_award(conversion, credit, terms, paid, amount, story))
        before_bps += credit.bps
    awards.sort(key=lambda award: award.commission_id)
    return tuple(awards), tuple(reasons)


def _award(
    conversion: Conversion,
    credit: Credit,
    terms: PlanFact,
    paid: Paid,
    amount: int,
    story: tuple[Reason, ...],
) -> Award:
    assert conversion.program_id is not None
    return Award(
        commission_id=identity.commission_id(
            conversion=conversion.id,
            plan_version=terms.id,
            rule=paid.rule_id,
            beneficiary=credit.partner_id,
        ),
        program_id=conversion.program_id,
        partner_id=credit.partner_id,
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


def _facts(
    conversion: Conversion,
    sold: Sold | None,
    buyer: Buyer,
    brought: Brought | None,
    partner_country: str,
    earlier: tuple[Earlier, ...],
) -> SaleFacts:
    at = conversion.occurred_at
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
        partner_country=partner_country,
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
    )
