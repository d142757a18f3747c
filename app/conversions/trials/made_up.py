"""A made-up customer: messages as `/v1/track` would have understood them, and a world around them.

Everything behind it is the road that real sales take: the same reading of a request, the same fold.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never
from uuid import UUID

from app.conversions.canon import received_event
from app.conversions.intake.understood import mapped_json
from app.conversions.providers.track import TrackLead, TrackSale, lead, sale
from app.core import codes
from app.core.attribution_terms import TouchKind
from app.core.binding_terms import months_after
from app.core.conversions import Conversion
from app.core.drafts import History
from app.core.events import (
    ClickTouch,
    CodeTouch,
    DealTouch,
    Event,
    Line,
    Payment,
    ReferrerTouch,
    SelfReportedTouch,
    Touch,
)
from app.core.fold import Folded, fold
from app.core.plans import Plan
from app.core.qualification import Qualified
from app.core.tallies import ANYTHING, Tallies
from app.core.world import (
    CodeFact,
    Dated,
    EnrollmentFact,
    LinkFact,
    PlanFact,
    ProgramFact,
    World,
)

LONG_AGO: Final = datetime(1800, 1, 1, tzinfo=UTC)
"""Before the first sale and the touch of any customer that can be made up."""
_LATER: Final = datetime(2001, 1, 15, tzinfo=UTC)
NOBODY: Final = UUID(int=1)
"""The partner of a preview that names none, and whatever else is made up."""
_WHO: Final = "made-up"
_SHORTLY: Final = timedelta(minutes=1)
_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MadeUpSale:
    """What happens. amount: base, in minor units; tax: what the customer pays on top of it."""

    at: datetime
    kind: str = "sale"
    amount: int = 0
    tax: int = 0
    currency: str = ""
    product_id: str = ""
    quantity: int | None = None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class MadeUpCustomer:
    """Who buys. sales, value: how many earlier sales, and what they come to together.

    months: how long ago the first one was, in calendar months; None: one month for each.
    """

    country: str = ""
    sales: int = 0
    value: int = 0
    months: int | None = None


@dataclass(frozen=True, slots=True)
class MadeUpTouch:
    """What brought the customer, so long before it was first heard of. code: only if it is one."""

    kind: TouchKind = "click"
    code: str = ""
    before: timedelta = _SHORTLY


@dataclass(frozen=True, slots=True)
class Place:
    """Who earns, where, and by which version. version: 0 of what is no version yet."""

    workspace: UUID
    program_id: UUID
    partner_id: UUID
    plan_id: UUID
    version: int
    plan: Plan

    @property
    def terms(self) -> PlanFact:
        """The plan, in force for all times."""
        return PlanFact(self.plan_id, self.version, None, self.plan)


def decide(
    sold: MadeUpSale,
    customer: MadeUpCustomer,
    touch: MadeUpTouch,
    place: Place,
    world: World,
    tallies: Tallies = ANYTHING,
) -> Conversion:
    """What the fold makes of the sale, after all that happened before it."""
    events = events_of(sold, customer, touch, place)
    folded = _folded(events, touch, place, world, tallies)
    wanted = folded.told[events[-1].id]
    return next(conversion for conversion in folded.conversions if conversion.id == wanted)


def lifetime(sales: int, amount: int, currency: str, place: Place, world: World) -> Folded:
    """All that a customer brings who pays so much a month, so many times."""
    sold = MadeUpSale(_LATER, "renewal" if sales > 1 else "sale", amount, currency=currency)
    customer = MadeUpCustomer(sales=sales - 1, value=amount * (sales - 1))
    touch = MadeUpTouch()
    return _folded(events_of(sold, customer, touch, place), touch, place, world, ANYTHING)


def _folded(
    events: tuple[Event, ...], touch: MadeUpTouch, place: Place, world: World, tallies: Tallies
) -> Folded:
    at = events[-1].occurred_at
    history = History(place.workspace, events, (), at, at, tallies=tallies)
    return fold(history, _with_touch(world, touch, place))


def events_of(
    sold: MadeUpSale, customer: MadeUpCustomer, touch: MadeUpTouch, place: Place
) -> tuple[Event, ...]:
    """Everything in its order, what is asked about last."""
    subscription = _WHO if sold.kind == "renewal" else ""
    before = [
        TrackSale(
            customer_external_id=_WHO,
            amount=amount,
            currency=sold.currency,
            invoice_id=f"{_WHO}-{n}",
            received_at=at,
            subscription_id=subscription,
            customer_country=customer.country,
        )
        for n, (at, amount) in enumerate(_earlier(sold, customer))
    ]
    asked = _asked(sold, customer, subscription)
    mapped = [*map(sale, before), lead(asked) if isinstance(asked, TrackLead) else sale(asked)]
    events = [
        received_event(
            mapped_json(meaning, ()),
            event_id=UUID(int=n + 2),
            source="api",
            external_id=meaning.external_id,
            received_at=meaning.occurred_at,
        )
        for n, meaning in enumerate(mapped)
    ]
    events[-1] = _taxed(events[-1], sold.tax)
    brought_at = events[0].occurred_at - touch.before
    events[0] = replace(events[0], touches=(_touch(touch, brought_at, place),))
    return tuple(events)


def made_up_partner(
    place: Place,
    country: str = "",
    qualified: tuple[Qualified, ...] = (),
    agreements: tuple[PlanFact, ...] = (),
) -> World:
    """A world with one active partner of one active program, and nothing else."""
    pair = place.program_id, place.partner_id
    active = (Dated(LONG_AGO, "active"),)
    countries = (Dated(LONG_AGO, country),) if country else ()
    enrollment = EnrollmentFact(*pair, countries, active, qualified, agreements)
    program = ProgramFact(place.program_id, active, (place.terms,))
    return World({}, {place.program_id: program}, {pair: enrollment})


def _asked(sold: MadeUpSale, customer: MadeUpCustomer, subscription: str) -> TrackLead | TrackSale:
    if sold.kind == "lead":
        return TrackLead(
            customer_external_id=_WHO, received_at=sold.at, customer_country=customer.country
        )
    return TrackSale(
        customer_external_id=_WHO,
        amount=sold.amount,
        currency=sold.currency,
        invoice_id=_WHO,
        received_at=sold.at,
        product_id=sold.product_id,
        quantity=sold.quantity,
        lines=sold.lines,
        subscription_id=subscription,
        customer_country=customer.country,
    )


def _earlier(sold: MadeUpSale, customer: MadeUpCustomer) -> Iterator[tuple[datetime, int]]:
    """When each earlier sale was and what it came to; evenly spread, the odd cents first."""
    count = customer.sales
    if not count:
        return
    each, odd = divmod(customer.value, count)
    months = customer.months
    first_at = months_after(sold.at, -(months or 0)) - (timedelta() if months else _A_DAY)
    for n in range(count):
        if months is None:
            at = months_after(sold.at, n - count)
        else:
            at = first_at + (sold.at - first_at) * n / count
        yield at, each + (odd if n == 0 else 0)


def _taxed(event: Event, tax: int) -> Event:
    body = event.body
    if not tax or not isinstance(body, Payment):
        return event
    return replace(event, body=replace(body, gross=body.gross + tax))


def _touch(touch: MadeUpTouch, at: datetime, place: Place) -> Touch:
    match touch.kind:
        case "click":
            return ClickTouch(NOBODY, NOBODY, "human", at)
        case "code":
            return CodeTouch(codes.normal(touch.code), at)
        case "deal":
            return DealTouch(NOBODY, 1, place.program_id, place.partner_id, at, None)
        case "referrer":
            return ReferrerTouch(place.partner_id, "", at)
        case "self_reported":
            return SelfReportedTouch(place.partner_id, "", at)
        case _:
            assert_never(touch.kind)


def _with_touch(world: World, touch: MadeUpTouch, place: Place) -> World:
    """The world with the link or code that the touch is of, and the plan that is tried."""
    active = (Dated(LONG_AGO, "active"),)
    program = replace(world.programs[place.program_id], plans=(place.terms,))
    code, pair = codes.normal(touch.code), (place.program_id, place.partner_id)
    return replace(
        world,
        programs={**world.programs, place.program_id: program},
        links={NOBODY: LinkFact(NOBODY, *pair)},
        codes={NOBODY: CodeFact(NOBODY, code, *pair, active)},
        code_names={code: (Dated(LONG_AGO, str(NOBODY)),)} if code else {},
    )
