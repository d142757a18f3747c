"""Events of one shop in a line each, for worked examples. Days are counted from START."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from app.core.events import (
    Body,
    ClickTouch,
    Dispute,
    Event,
    Lead,
    Named,
    Payment,
    Refund,
    RefundTotal,
    Subscribed,
    Tie,
    Touch,
)
from tests.core.made_worlds import LINKS, PARTNERS, PROGRAMS, START
from tests.core.pure_road import PureRoad

ANA, BO, CY = PARTNERS
FIRST, SECOND = PROGRAMS
_LINK = {whose: link for link, whose in LINKS.items()}
_numbers = count(1)


def day(days: float) -> datetime:
    return START + timedelta(days=days)


def click(days: float, partner: UUID = ANA, program: UUID = FIRST) -> ClickTouch:
    return ClickTouch(UUID(int=next(_numbers)), _LINK[program, partner], "human", day(days))


def sale(invoice: str, gross: int, *touches: Touch, days: float = 0, **more: Any) -> Event:
    """By the invoice; session=True: by the checkout session of that name."""
    session, currency = more.pop("session", False), more.pop("currency", "eur")
    body = Payment(
        authority=2 if session else 3,
        gross=gross,
        base=more.pop("base", gross),
        currency=currency,
        subscription=more.pop("subscription", ""),
    )
    keys = (f"src::{'session' if session else 'invoice'}:{invoice}",)
    people = (more.pop("person", "a:ann"),)
    return _event("payment", body, days, people=people, payments=keys, touches=touches, **more)


def lead(*touches: Touch, days: float = 0, person: str = "a:ann", name: str = "lead") -> Event:
    external_id = f"lead:{person}:{name}"
    people = (person,)
    return _event("lead", Lead(name), days, people=people, touches=touches, external_id=external_id)


def named(*touches: Touch, days: float = 0, people: tuple[str, ...] = ("a:ann",)) -> Event:
    """Touches of a customer, or two customers that are one."""
    return _event("named", Named(), days, people=people, touches=touches)


def tie(*keys: str) -> Event:
    """`tie("session:1", "invoice:1")`: they are one payment."""
    return _event("tie", Tie(), 0, payments=tuple(f"src::{key}" for key in keys))


def subscribed(invoice: str, subscription: str, *, days: float = 0) -> Event:
    """A contract or a billing attempt that names what it billed, and nobody."""
    body = Subscribed(subscription)
    return _event("subscribed", body, days, payments=(f"src::invoice:{invoice}",))


def refund(invoice: str, amount: int, *, days: float = 0, **more: Any) -> Event:
    """fails=True: it did; refund_id and currency if not the usual ones."""
    refund_id, currency = more.pop("refund_id", "r1"), more.pop("currency", "eur")
    body = Refund(refund_id, amount, currency, counts=not more.pop("fails", False))
    return _event("refund", body, days, payments=(f"src::invoice:{invoice}",), **more)


def refund_total(invoice: str, amount: int, *, days: float = 0) -> Event:
    body = RefundTotal(amount, "eur")
    return _event("refund_total", body, days, payments=(f"src::invoice:{invoice}",))


def dispute(invoice: str, amount: int, state: str, *, days: float = 0, **more: Any) -> Event:
    """dispute_id and currency if not the usual ones."""
    dispute_id, currency = more.pop("dispute_id", "d1"), more.pop("currency", "eur")
    body = Dispute(dispute_id, amount, currency, state)  # type: ignore[arg-type]
    return _event("dispute", body, days, payments=(f"src::invoice:{invoice}",), **more)


def tell(road: PureRoad, *events: Event, at: float) -> None:
    """Each is received and decided at once, a second after the other."""
    for n, event in enumerate(events):
        road.receive(replace(event, received_at=day(at) + timedelta(seconds=n)))


def _event(kind: str, body: Body, days: float, **more: Any) -> Event:
    number = next(_numbers)
    return Event(
        id=UUID(int=number),
        source="src",
        external_id=more.pop("external_id", None) or f"x{number:06}",
        kind=kind,  # type: ignore[arg-type]
        occurred_at=day(days),
        received_at=day(days),
        body=body,
        **more,
    )
