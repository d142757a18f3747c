"""Credits and terms → awards: what the rules are told of a sale, and what they give for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from uuid import UUID

from app.core import identity
from app.core.commission import Ruling, SaleFacts, months_between, rule_on
from app.core.conversions import Award, Conversion, ConversionKind, Credit
from app.core.events import Event, Payment
from app.core.money import slice_bps
from app.core.occasions import Brought
from app.core.reasons import Reason
from app.core.world import PlanFact, World


@dataclass(frozen=True, slots=True)
class Sold:
    """What was sold, by the message whose figures win. Amounts in minor units."""

    gross: int
    base: int
    currency: str
    quantity: int
    product_ids: tuple[str, ...]
    lines_complete: bool
    subscription: str

    @classmethod
    def of(cls, payment: Payment, subscriptions: Sequence[str] = ()) -> Self:
        """subscriptions: what others than the payment say that it is of, the latest last."""
        products = dict.fromkeys(line.product_id for line in payment.lines if line.product_id)
        return cls(
            gross=payment.gross,
            base=payment.base,
            currency=payment.currency,
            quantity=payment.quantity,
            product_ids=tuple(products),
            lines_complete=payment.lines_complete,
            subscription=payment.subscription or (subscriptions[-1] if subscriptions else ""),
        )


@dataclass(slots=True)
class Buyer:
    """What the customer had bought before the conversion at hand; grows as the fold walks on."""

    countries: tuple[tuple[datetime, str], ...]
    paid: int = 0
    first_paid_at: datetime | None = None
    since: dict[str, datetime] = field(default_factory=dict)
    """First paid sale of each subscription."""

    @classmethod
    def of(cls, events: Sequence[Event]) -> Self:
        return cls(tuple((e.occurred_at, e.country) for e in events if e.country))

    def bought(self, conversion: Conversion) -> None:
        """The conversion now lies behind."""
        if conversion.kind == "lead":
            return
        self.paid += 1
        self.first_paid_at = self.first_paid_at or conversion.occurred_at
        if conversion.subscription:
            self.since.setdefault(conversion.subscription, conversion.occurred_at)

    def kind_of(self, sold: Sold | None) -> ConversionKind:
        """A renewal is a later paid sale of the same subscription."""
        if sold is None:
            return "lead"
        return "renewal" if sold.subscription and sold.subscription in self.since else "sale"

    def country_at(self, at: datetime) -> str:
        """The last one known by then; before any was known, the first that became known."""
        known = [country for since, country in self.countries if since <= at]
        if known:
            return known[-1]
        return self.countries[0][1] if self.countries else ""


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
    before_bps = 0
    for credit in conversion.credits:
        assert conversion.program_id is not None
        enrollment = world.enrollments[conversion.program_id, credit.partner_id]
        country = enrollment.country_at(conversion.read_at)
        facts = _facts(conversion, sold, buyer, brought.get(credit.partner_id), country)
        ruling = rule_on(terms.plan, facts)
        reasons.extend(ruling.reasons)
        amount = slice_bps(ruling.amount, before_bps, credit.bps)
        before_bps += credit.bps
        if amount > 0:
            awards.append(_award(conversion, credit, terms, ruling, amount))
    awards.sort(key=lambda award: award.commission_id)
    return tuple(awards), tuple(reasons)


def _award(
    conversion: Conversion, credit: Credit, terms: PlanFact, ruling: Ruling, amount: int
) -> Award:
    assert conversion.program_id is not None
    assert ruling.rule_id is not None
    return Award(
        commission_id=identity.commission_id(
            conversion=conversion.id,
            plan_version=terms.id,
            rule=ruling.rule_id,
            beneficiary=credit.partner_id,
        ),
        program_id=conversion.program_id,
        partner_id=credit.partner_id,
        plan_version_id=terms.id,
        plan_version=terms.version,
        rule_id=ruling.rule_id,
        base=ruling.base,
        amount=amount,
        currency=ruling.currency,
        rate_bps=ruling.rate_bps,
        reversed=0,
        reasons=(*conversion.reasons, *ruling.reasons),
    )


def _facts(
    conversion: Conversion,
    sold: Sold | None,
    buyer: Buyer,
    brought: Brought | None,
    partner_country: str,
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
    )
