"""Chargebee's customers and subscriptions: their names, their touches, and when they leave."""

from app.conversions.providers.chargebee_shapes import Occurrence, needed, scoped
from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.shapes import Node, distinct, in_time
from app.core.events import Churn, Named


def customer(event: Occurrence) -> Mapped | Ignored:
    """News only with a touch or our client's own id: one comes for each small change."""
    return _named(event, event.contact(event.content.node("customer").text("id")))


def subscription(event: Occurrence) -> Mapped | Ignored:
    """As a customer; its coupons are codes too, also in a trial."""
    thing = event.content.node("subscription")
    return _named(event, _subscriber(event, thing), codes=_coupons(thing))


def subscription_cancelled(event: Occurrence) -> Mapped:
    """Churn, when the subscription ended, which may be some time before the event."""
    thing = event.content.node("subscription")
    at = thing.instant("cancelled_at")
    return event.mapped(
        "churn",
        Churn(subscription=scoped("subscription", needed(thing, "id"))),
        _subscriber(event, thing),
        occurred_at=in_time(at, event.received_at, thing, "cancelled_at") if at else None,
    )


def _subscriber(event: Occurrence, thing: Node) -> Contact:
    contact = event.contact(thing.text("customer_id"))
    if not contact.aliases:
        raise thing.wrong("customer_id", "missing")
    return contact


def _named(event: Occurrence, contact: Contact, *, codes: tuple[str, ...] = ()) -> Mapped | Ignored:
    if not contact.aliases or not (event.clicks or codes or len(contact.aliases) > 1):
        return event.ignored()
    return event.mapped("named", Named(), contact, codes=codes)


def _coupons(thing: Node) -> tuple[str, ...]:
    """`coupons` with the code that was typed; `coupon` where the site has one at most."""
    named = [(row.text("coupon_id"), row.text("coupon_code")) for row in thing.nodes("coupons")]
    named.append((thing.text("coupon"), ""))
    return distinct(
        code
        for coupon, typed in named
        for code in (typed or coupon, f"chargebee:{coupon}" if coupon else "")
        if code
    )
