"""Stripe's disputes: one object that is seen in one state after the other."""

from collections.abc import Mapping
from typing import Final, Literal

from app.conversions.providers.mapping import Ignored, Mapped
from app.conversions.providers.stripe_money import currency_of, in_minor_units
from app.conversions.providers.stripe_shapes import Envelope
from app.conversions.providers.stripe_ties import ignored
from app.core.events import Dispute

_STATES: Final[Mapping[str, Literal["open", "won", "lost"]]] = {
    "needs_response": "open",
    "under_review": "open",
    "won": "won",
    "lost": "lost",
    # Ended before it took anything: what was given back instead comes as refunds of its own.
    "prevented": "won",
    "charge_refunded": "won",
}
_INQUIRY: Final = "warning_"


def dispute(event: Envelope) -> Mapped | Ignored:
    """A dispute as the event saw it. An inquiry has taken nothing yet, so it changes nothing."""
    thing = event.thing
    status = thing.text("status")
    if status.startswith(_INQUIRY):
        return ignored(event)
    if status not in _STATES:
        raise thing.wrong("status", "not a status that we know" if status else "missing")
    currency = currency_of(thing)
    return Mapped(
        external_id=event.external_id,
        kind="dispute",
        occurred_at=event.known_at(),
        body=Dispute(
            dispute_id=event.scoped("dispute", thing.needed_id("id")),
            amount=in_minor_units(thing, "amount", currency),
            currency=currency,
            state=_STATES[status],
        ),
        payments=event.keys(
            ("charge", thing.needed_id("charge")),
            ("payment_intent", thing.id("payment_intent")),
        ),
        type=event.type,
    )
