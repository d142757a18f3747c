"""`/v1/plans/{id}/preview` and `/v1/plans/preview`: what one made-up sale would pay, and why.

Nothing is stored. It goes the way of a real sale: read as a request, folded in a world that has
the plan in it, explained by the same reasons.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends

from app.apart import apart
from app.auth import Caller, ReadDep, Scope, needs
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
from app.conversions.trials.preview_shapes import (
    MadeUpPartnerIn,
    PartnerIn,
    PreviewIn,
    PreviewOut,
    SaleTried,
    TouchIn,
)
from app.conversions.trials.surrounded import Surrounded, partner_here
from app.core.conversions import Conversion
from app.core.events import Line
from app.core.money import MAX_AMOUNT
from app.core.qualification import Qualified
from app.core.world import PlanFact
from app.db.tx import Read
from app.errors import Conflict, FieldError, InvalidRequest, NotFound, PlanInvalid
from app.openapi import documented
from app.wire import (
    PlanId,
)

router: Final = APIRouter(prefix="/plans", tags=["Programs and plans"])
Reader = Annotated[Caller, Depends(needs(Scope.PROGRAMS_READ))]
_SINCE: Final = datetime(2000, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Between them all that is reckoned from a sale, before and after, is a date."""


@router.post("/preview", responses=documented(PlanInvalid, NotFound, Conflict))
async def preview_plan(body: PreviewIn, caller: Reader, read: ReadDep) -> PreviewOut:
    """What one made-up sale would pay by a plan, and why. Nothing is stored."""
    plan = await apart(partial(tried.parsed, body.plan, "body/plan"))
    program_id = body.program_id
    if program_id is not None:
        await tried.currency(read, caller.workspace_id, program_id, "body/program_id")
    elif body.partner.id is not None:
        raise _refused("program_id", "Missing", "Name the program in which the partner is.")
    place = Place(caller.workspace_id, program_id or NOBODY, NOBODY, NOBODY, 0, plan)
    return PreviewOut.of(await _decided(read, body, place), place.terms)


@router.post("/{plan_id}/preview", responses=documented(Conflict))
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
        agreements = (replace(own, effective_from=LONG_AGO),) if own else ()
        here = Surrounded(place, made_up_partner(place, *has_of(body.partner), agreements))
    else:
        place = replace(place, partner_id=body.partner.id)
        instants = [event.occurred_at for event in events_of(sold, customer, touch, place)]
        here = await partner_here(read, place, instants, own)
    sale = partial(decide, sold, customer, touch, here.place, here.world, here.tallies)
    return await apart(sale)


def _sold(body: SaleTried) -> MadeUpSale:
    at = body.occurred_at or datetime.now(UTC)
    if not _SINCE <= at < _UNTIL:
        remedy = f"Send a time from {_SINCE.year} to {_UNTIL.year - 1}."
        raise _refused("occurred_at", "Too far away", remedy)
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


def has_of(asked: MadeUpPartnerIn) -> tuple[str, tuple[Qualified, ...]]:
    """Country and qualifications of a made-up partner."""
    agreement = "1" if asked.agreement else ""
    has = Qualified(LONG_AGO, asked.tier or "", asked.certified, None, agreement)
    return asked.country or "", (has,)


def _refused(place: str, problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(errors=[FieldError(f"body/{place}", problem, remedy)])
