"""`/v1/plans/{id}/preview` and `/v1/plans/preview`: what one made-up sale would pay, and why.

Nothing is stored. It goes the way of a real sale: read as a request, folded in a world that has
the plan in it, explained by the same reasons.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints, model_validator

from app.auth import Caller, ReadDep, Scope, needs
from app.conversions.requests import LineIn
from app.conversions.trials import tried
from app.conversions.trials.made_up import (
    LONG_AGO,
    NOBODY,
    MadeUpCustomer,
    MadeUpSale,
    MadeUpTouch,
    Place,
    decide,
    events_of,
    made_up_partner,
)
from app.conversions.trials.surrounded import Surrounded, partner_here
from app.conversions.who_brought import CodeText
from app.core.attribution_terms import TouchKind
from app.core.conversions import Award, Conversion, ConversionKind, Given
from app.core.events import Line
from app.core.money import MAX_AMOUNT
from app.core.qualification import Qualified
from app.core.rewards import Recipient
from app.core.world import PlanFact, World
from app.db.tx import Read
from app.errors import FieldError, InvalidRequest, PlanInvalid
from app.openapi import documented
from app.sentences import ReasonOut
from app.terms import PlanDocument
from app.wire import (
    Amount,
    Country,
    Currency,
    ExternalId,
    In,
    Instant,
    Out,
    PartnerId,
    PlanId,
    ProgramId,
)

router: Final = APIRouter(prefix="/plans", tags=["Programs and plans"])
Reader = Annotated[Caller, Depends(needs(Scope.PROGRAMS_READ))]
MAX_EARLIER: Final = 100
_TIER = r"^[a-z0-9_-]{1,64}$"


class CustomerIn(In):
    """Who buys. earlier_sales, earlier_value: how many paid sales before, and their base together
    (absent: each like this one). months: how long ago the first was; absent: a month for each.
    """

    country: Country | None = None
    earlier_sales: Annotated[int, Field(strict=True, ge=0, le=MAX_EARLIER)] = 0
    earlier_value: Annotated[Amount, Field(ge=1)] | None = None
    months: Annotated[int, Field(strict=True, ge=0, le=1_200)] | None = None


class PartnerIn(In):
    """Who earns: a partner of the program by its id, or a made-up one with these facts."""

    id: PartnerId | None = None
    country: Country | None = None
    tier: Annotated[str, StringConstraints(pattern=_TIER)] | None = None
    certified: bool = False
    agreement: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.id is not None and len(self.model_fields_set) > 1:
            raise ValueError("send id or what a made-up partner has, not both")
        return self


class TouchIn(In):
    """What brought the customer. days_before: how long before the first sale or lead."""

    kind: TouchKind = "click"
    code: CodeText | None = None
    days_before: Annotated[int, Field(strict=True, ge=0, le=3_650)] = 0

    @model_validator(mode="after")
    def _code_of_a_code(self) -> Self:
        if (self.kind == "code") != (self.code is not None):
            raise ValueError("send code with the kind code, and with no other")
        return self


class SaleTried(In):
    """One made-up sale, renewal or lead. amount: what commissions are worked out on; tax: what the
    customer pays on top of it. partner absent: one of whom nothing is known.
    """

    kind: ConversionKind = "sale"
    amount: Annotated[Amount, Field(ge=1)] | None = None
    tax: Amount = 0
    currency: Currency | None = None
    product_id: ExternalId | None = None
    quantity: Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)] | None = None
    lines: Annotated[list[LineIn], Field(max_length=100)] = []  # noqa: RUF012 (pydantic)
    occurred_at: Instant | None = None
    customer: CustomerIn = CustomerIn()
    partner: PartnerIn = PartnerIn()
    touch: TouchIn = TouchIn()


class PreviewIn(SaleTried):
    """The sale, and the plan that it is tried on. program_id: whose partners and dates count."""

    plan: PlanDocument
    program_id: ProgramId | None = None


class AwardOut(Out):
    """What one rule gives. partner_id: none of a made-up partner, and of the customer.

    currency: of money; of anything else its unit, such as `free_months`.
    """

    rule: str
    to: Recipient
    level: int | None
    partner_id: PartnerId | None
    amount: int
    currency: str = Field(examples=["usd"])
    base: int
    rate_bps: int | None


class PreviewOut(Out):
    """kind: as it is decided: a renewal, or a sale. hold_until: until then it would be pending."""

    kind: ConversionKind
    new: bool
    occurred_at: Instant
    amount: int
    gross: int
    currency: str
    hold_until: Instant | None
    awards: list[AwardOut]
    reasons: list[ReasonOut]

    @classmethod
    def of(cls, decided: Conversion, terms: PlanFact) -> Self:
        """terms: those whose rules pay; awards come in the order in which these list them."""
        order = {rule.id: i for i, rule in enumerate(terms.plan.rules)}
        awards = sorted(decided.awards, key=lambda award: order.get(award.rule_id, -1))
        return cls(
            kind=decided.kind,
            new=decided.new,
            occurred_at=decided.occurred_at,
            amount=decided.base,
            gross=decided.gross,
            currency=decided.currency,
            hold_until=decided.hold_until,
            awards=[_award(award) for award in awards],
            reasons=[
                ReasonOut.of({"code": reason.code, "params": reason.params})
                for reason in decided.reasons
            ],
        )


@router.post("/preview", responses=documented(PlanInvalid))
async def preview_plan(body: PreviewIn, caller: Reader, read: ReadDep) -> PreviewOut:
    """What one made-up sale would pay by a plan, and why. Nothing is stored."""
    plan = tried.parsed(body.plan, "body/plan")
    program_id = body.program_id
    if program_id is not None:
        await tried.currency(read, caller.workspace_id, program_id, "body/program_id")
    elif body.partner.id is not None:
        raise _refused("program_id", "Missing", "Name the program in which the partner is.")
    place = Place(caller.workspace_id, program_id or NOBODY, NOBODY, NOBODY, 0, plan)
    return PreviewOut.of(await _decided(read, body, place), place.terms)


@router.post("/{plan_id}/preview")
async def preview_version(
    plan_id: PlanId, body: SaleTried, caller: Reader, read: ReadDep
) -> PreviewOut:
    """What one made-up sale would pay by a version, a draft too, and why. Nothing is stored."""
    found = await tried.version(read, caller.workspace_id, plan_id)
    place = Place(caller.workspace_id, found.program_id, NOBODY, found.id, found.number, found.plan)
    if found.partner_id is None:
        return PreviewOut.of(await _decided(read, body, place), place.terms)
    # One partner's own terms pay; the program's still say whose the customer is.
    base = await tried.in_force(read, caller.workspace_id, found.program_id)
    place = replace(place, plan_id=base.id, version=base.number, plan=base.plan)
    if "partner" not in body.model_fields_set:
        body = body.model_copy(update={"partner": PartnerIn(id=found.partner_id)})
    own = PlanFact(found.id, found.number, None, found.plan)
    return PreviewOut.of(await _decided(read, body, place, own), own)


async def _decided(
    read: Read, body: SaleTried, place: Place, own: PlanFact | None = None
) -> Conversion:
    sold = _sold(body)
    customer = _customer(body, sold)
    touch = MadeUpTouch(body.touch.kind, body.touch.code or "", _before(body.touch))
    if body.partner.id is None:
        here = Surrounded(place, _made_up(body.partner, place, own))
    else:
        place = replace(place, partner_id=body.partner.id)
        instants = [event.occurred_at for event in events_of(sold, customer, touch, place)]
        here = await partner_here(read, place, instants, own)
    return decide(sold, customer, touch, here.place, here.world, here.tallies)


def _sold(body: SaleTried) -> MadeUpSale:
    at = body.occurred_at or datetime.now(UTC)
    if body.kind == "lead":
        for name in ("amount", "tax", "product_id", "quantity", "lines"):
            if name in body.model_fields_set:
                raise _refused(name, "A lead has none", "Leave it out.")
        return MadeUpSale(at, "lead", currency=body.currency or "")
    if body.amount is None or body.currency is None:
        missing = "currency" if body.currency is None else "amount"
        raise _refused(missing, "Missing", "Say what the customer pays.")
    if body.lines and sum(line.amount for line in body.lines) != body.amount:
        raise _refused("lines", "They do not sum to the amount", "Let them sum to it.")
    if body.lines and body.product_id is not None:
        raise _refused("product_id", "The lines say it", "Send product_id or lines.")
    if body.kind == "renewal" and not body.customer.earlier_sales:
        remedy = "Send 1 or more: a renewal is a later sale of the same subscription."
        raise _refused("customer/earlier_sales", "A renewal is never the first", remedy)
    if body.amount + body.tax > MAX_AMOUNT:
        raise _refused("tax", "The sum is over the limit", f"Stay within {MAX_AMOUNT}.")
    return MadeUpSale(
        at=at,
        kind=body.kind,
        amount=body.amount,
        tax=body.tax,
        currency=body.currency,
        product_id=body.product_id or "",
        quantity=body.quantity,
        lines=tuple(Line(x.product_id, x.amount, x.quantity) for x in body.lines),
    )


def _customer(body: SaleTried, sold: MadeUpSale) -> MadeUpCustomer:
    asked = body.customer
    count = asked.earlier_sales
    if not count:
        for name in ("earlier_value", "months"):
            if name in asked.model_fields_set:
                raise _refused(f"customer/{name}", "There are no earlier sales", "Leave it out.")
        return MadeUpCustomer(asked.country or "")
    value = asked.earlier_value or sold.amount * count
    if not sold.currency or value < count:
        place = "currency" if not sold.currency else "customer/earlier_value"
        raise _refused(place, "The earlier sales need one", "Say what was paid, and in what.")
    return MadeUpCustomer(asked.country or "", count, value, asked.months)


def _before(touch: TouchIn) -> timedelta:
    return timedelta(days=touch.days_before, minutes=0 if touch.days_before else 1)


def _made_up(asked: PartnerIn, place: Place, own: PlanFact | None) -> World:
    agreement = "1" if asked.agreement else ""
    has = Qualified(LONG_AGO, asked.tier or "", asked.certified, None, agreement)
    agreements = (replace(own, effective_from=LONG_AGO),) if own else ()
    return made_up_partner(place, asked.country or "", (has,), agreements)


def _award(award: Award) -> AwardOut:
    given = award if isinstance(award, Given) else None
    to: Recipient = given.to if given else "partner"
    return AwardOut(
        rule=award.rule_id,
        to=to,
        level=given.level if given else None,
        partner_id=None if to == "customer" or award.partner_id == NOBODY else award.partner_id,
        amount=award.amount,
        currency=award.currency,
        base=award.base,
        rate_bps=award.rate_bps,
    )


def _refused(place: str, problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(f"body/{place}", problem, remedy)])
