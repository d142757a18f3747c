"""Shopify's disputes, subscriptions and customers: what follows an order, or comes before it."""

from typing import Final, Literal

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.shapes import click_ids
from app.conversions.providers.shopify_orders import country_code
from app.conversions.providers.shopify_shapes import Message, named_values
from app.core.events import Churn, Dispute, Named, Subscribed

_STATES: Final[dict[str, Literal["open", "won", "lost"]]] = {
    "needs_response": "open",
    "under_review": "open",
    "won": "won",
    # Ended because the money was given back: that refund tells itself.
    "charge_refunded": "won",
    "prevented": "won",
    "lost": "lost",
    "accepted": "lost",
}
_ENDED: Final = frozenset({"cancelled", "expired"})


def dispute(message: Message) -> Mapped | Ignored:
    """A chargeback of an order. A bank's inquiry moves no money; one without order, no sale.

    The object bears no time of its state, so it is dated by Shopify's clock.
    """
    thing = message.thing
    order = thing.number("order_id")
    if thing.text("type") == "inquiry" or not order:
        return message.ignored()
    state = _STATES.get(thing.text("status"))
    if state is None:
        raise thing.wrong("status", "not one that we know")
    currency = thing.currency("currency")
    amount = thing.decimal("amount")
    if amount is None:
        raise thing.wrong("amount", "missing")
    return Mapped(
        external_id=message.external_id,
        kind="dispute",
        occurred_at=message.triggered_at(),
        body=Dispute(
            dispute_id=message.scoped("dispute", thing.needed_number("id")),
            amount=thing.exact("amount", amount, currency),
            currency=currency,
            state=state,
        ),
        payments=message.order_key(order),
        type=message.topic,
    )


def contract(message: Message) -> Mapped | Ignored:
    """Churn once it is cancelled or has run out; before, which order it began with."""
    thing = message.thing
    subscription = message.scoped("subscription", thing.needed_number("id"))
    contact = Contact(message.aliases(thing.needed_number("customer_id")))
    if thing.text("status") in _ENDED:
        return Mapped(
            external_id=message.external_id,
            kind="churn",
            occurred_at=message.triggered_at(),
            body=Churn(subscription),
            contact=contact,
            type=message.topic,
        )
    return _subscribed(message, subscription, thing.number("origin_order_id"), contact)


def billing(message: Message) -> Mapped | Ignored:
    """A renewal's order, which doesn't say itself what it renews."""
    thing = message.thing
    subscription = message.scoped("subscription", thing.needed_number("subscription_contract_id"))
    return _subscribed(message, subscription, thing.number("order_id"), Contact(()))


def customer(message: Message) -> Mapped | Ignored:
    """News only with a touch or our client's own id, in metafields that the subscription asks for.

    Shopify sends one for each small change.
    """
    thing = message.thing
    noted = named_values(thing, "metafields")
    clicks, owns = click_ids(noted), noted.text("finderfee_customer_id")
    if not (clicks or owns):
        return message.ignored()
    names = (thing.text("first_name"), thing.text("last_name"))
    return Mapped(
        external_id=message.external_id,
        kind="named",
        occurred_at=message.dated("updated_at", "created_at"),
        body=Named(),
        click_ids=clicks,
        country=country_code(thing.node("default_address")),
        contact=Contact(
            message.aliases(thing.needed_number("id"), owns),
            email=thing.text("email"),
            name=" ".join(name for name in names if name),
        ),
        type=message.topic,
    )


def _subscribed(
    message: Message, subscription: str, order: str, contact: Contact
) -> Mapped | Ignored:
    if not order:
        return message.ignored()
    return Mapped(
        external_id=message.external_id,
        kind="subscribed",
        occurred_at=message.triggered_at(),
        body=Subscribed(subscription),
        payments=message.order_key(order),
        contact=contact,
        type=message.topic,
    )
