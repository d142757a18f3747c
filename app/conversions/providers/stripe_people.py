"""Stripe's customers and subscriptions: their names, their touches, and when they leave."""

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.shapes import click_ids, in_time
from app.conversions.providers.stripe_codes import promotion_codes
from app.conversions.providers.stripe_shapes import Envelope
from app.conversions.providers.stripe_ties import ignored
from app.core.events import Churn, Named


def customer(event: Envelope) -> Mapped | Ignored:
    """News only with a touch or our client's own id: Stripe sends one for each small change."""
    thing = event.thing
    aliases = event.aliases(thing.needed_id("id"), thing.node("metadata"))
    return _named(
        event,
        Contact(aliases, email=thing.text("email"), name=thing.text("name")),
        country=thing.country("address"),
    )


def subscription(event: Envelope) -> Mapped | Ignored:
    """As a customer: its metadata may carry the touch and our client's own id."""
    return _named(event, _subscriber(event))


def discount(event: Envelope) -> Mapped | Ignored:
    """News if it came with a promotion code, which newer invoices don't tell by themselves."""
    aliases = event.aliases(event.buyer())
    return _named(event, Contact(aliases)) if aliases else ignored(event)


def subscription_deleted(event: Envelope) -> Mapped:
    """Churn, when the subscription ended, which may be some time before the event."""
    thing = event.thing
    ended_at = thing.instant("ended_at")
    return Mapped(
        external_id=event.external_id,
        kind="churn",
        occurred_at=in_time(ended_at, event.received_at, thing, "ended_at")
        if ended_at
        else event.known_at(),
        body=Churn(subscription=event.scoped("subscription", thing.needed_id("id"))),
        contact=_subscriber(event),
        type=event.type,
    )


def _subscriber(event: Envelope) -> Contact:
    aliases = event.aliases(event.buyer(), event.thing.node("metadata"))
    if not aliases:
        raise event.thing.wrong("customer", "missing")
    return Contact(aliases)


def _named(event: Envelope, contact: Contact, *, country: str = "") -> Mapped | Ignored:
    touches, codes = click_ids(event.thing.node("metadata")), promotion_codes(event.thing)
    if not touches and not codes and len(contact.aliases) < 2:
        return ignored(event)
    return Mapped(
        external_id=event.external_id,
        kind="named",
        occurred_at=event.known_at(),
        body=Named(),
        click_ids=touches,
        codes=codes,
        country=country,
        contact=contact,
        type=event.type,
    )
