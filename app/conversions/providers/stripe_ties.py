"""Stripe's messages that tie ids together: which invoice, payment intent and charge are one."""

from app.conversions.providers import reading
from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.stripe_shapes import Envelope
from app.core.events import Tie

NOBODY = Contact(())


def charge(event: Envelope) -> Mapped | Ignored:
    """A charge names its payment intent and, in older API versions, its invoice."""
    return tie(event, charge_keys(event), Contact(event.aliases(event.buyer())))


def charge_keys(event: Envelope) -> tuple[str, ...]:
    """What the charge in an event is called."""
    thing = event.thing
    return event.keys(
        ("charge", thing.needed_id("id")),
        ("payment_intent", thing.id("payment_intent")),
        ("invoice", thing.id("invoice")),
    )


def invoice_payment(event: Envelope) -> Mapped | Ignored:
    """The only message of newer API versions that ties an invoice to what paid it."""
    paid = event.thing.node("payment")
    keys = event.keys(
        ("invoice", event.thing.needed_id("invoice")),
        ("payment_intent", paid.id("payment_intent")),
        ("charge", paid.id("charge")),
    )
    return tie(event, keys)


def tie(
    event: Envelope,
    payments: tuple[str, ...],
    contact: Contact = NOBODY,
    *,
    touches: tuple[str, ...] = (),
) -> Mapped | Ignored:
    """Two ids or more are news; one alone is none."""
    return tied(event, payments, contact, touches=touches) if len(payments) > 1 else ignored(event)


def tied(
    event: Envelope,
    payments: tuple[str, ...],
    contact: Contact,
    *,
    touches: tuple[str, ...] = (),
    codes: tuple[str, ...] = (),
    country: str = "",
) -> Mapped:
    """Ids of one payment, with what else the message says of its customer."""
    return Mapped(
        external_id=event.external_id,
        kind="tie",
        occurred_at=event.known_at(),
        body=Tie(),
        click_ids=touches,
        codes=codes,
        payments=payments,
        country=country,
        contact=contact,
        type=event.type,
    )


def ignored(event: Envelope) -> Ignored:
    """Understood, and it changes nothing."""
    return reading.ignored(event.external_id, event.type)
