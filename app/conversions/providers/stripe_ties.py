"""Stripe's messages that only name: ids that belong together, and customers with their touches."""

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.stripe_shapes import Envelope
from app.core.events import Tie
from app.core.reasons import because


def tie(
    event: Envelope,
    payments: tuple[str, ...],
    contact: Contact = Contact(()),
    *,
    click_ids: tuple[str, ...] = (),
    country: str = "",
) -> Mapped | Ignored:
    """Ids of one payment, for a touch or a customer's sake also a single one; else nothing."""
    if len(payments) < 2 and not contact.aliases:
        return ignored(event)
    return Mapped(
        external_id=event.external_id,
        kind="tie",
        occurred_at=event.known_at(),
        body=Tie(),
        click_ids=click_ids,
        payments=payments,
        country=country,
        contact=contact,
    )


def ignored(event: Envelope) -> Ignored:
    """A message that we understand and that changes nothing."""
    return Ignored(event.external_id, because("event_ignored", type=event.type))
