"""Paddle's customers, addresses and subscriptions: names, countries, touches, and who leaves.

A transaction has neither e-mail address nor country, so these are the only messages that do.
"""

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.paddle_shapes import Notification, discount_codes, scoped
from app.conversions.providers.shapes import in_time
from app.core.countries import COUNTRIES
from app.core.events import Churn


def customer(event: Notification) -> Mapped | Ignored:
    """A customer's names."""
    thing = event.thing
    aliases = event.aliases(thing.needed_id("id"))
    return event.named(Contact(aliases, email=thing.text("email"), name=thing.text("name")))


def address(event: Notification) -> Mapped | Ignored:
    """A customer's country."""
    code = event.thing.fields.get("country_code")
    country = code if isinstance(code, str) and code in COUNTRIES else ""
    return event.named(Contact(event.aliases(event.thing.id("customer_id"))), country=country)


def subscription(event: Notification) -> Mapped | Ignored:
    """Its custom data was the first transaction's; it may carry the touch, also in a trial."""
    codes = discount_codes(event.thing.node("discount").id("id"))
    return event.named(_subscriber(event), codes=codes)


def subscription_canceled(event: Notification) -> Mapped:
    """Churn, when the subscription ended."""
    thing = event.thing
    at = thing.moment("canceled_at")
    return event.mapped(
        "churn",
        Churn(subscription=scoped("subscription", thing.needed_id("id"))),
        _subscriber(event),
        occurred_at=in_time(at, event.received_at, thing, "canceled_at") if at else None,
    )


def _subscriber(event: Notification) -> Contact:
    return Contact(event.aliases(event.thing.needed_id("customer_id")))
