"""The headers around Shopify's objects: what happened, when, under which id.

The signature covers the body alone. So what the body says itself (ids, amounts, whether an order
is paid or a test) is taken from there, whatever a header says. Shopify's ids are unique over all
shops, so keys have no account: the shop's domain stands in a header, and may change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.conversions.providers.mapping import Alias, Ignored
from app.conversions.providers.reading import ignored
from app.conversions.providers.shapes import Node, ShapeError, distinct, in_time

TOPIC: Final = "x-shopify-topic"
EVENT_ID: Final = "x-shopify-event-id"
DELIVERY_ID: Final = "x-shopify-webhook-id"
TRIGGERED_AT: Final = "x-shopify-triggered-at"
TEST: Final = "x-shopify-test"
HEADERS: Final = (TOPIC, EVENT_ID, DELIVERY_ID, TRIGGERED_AT, TEST)
NAMESPACE: Final = "shopify:"


@dataclass(frozen=True, slots=True)
class Message:
    """One notification. thing: its body, the object as it stands after what happened.

    with_tax: whether commissions are worked out on amounts with their tax.
    """

    external_id: str
    topic: str
    headers: Mapping[str, str]
    received_at: datetime
    thing: Node
    with_tax: bool = False

    def scoped(self, kind: str, found: str) -> str:
        return f"{NAMESPACE}:{kind}:{found}"

    def order_key(self, number: str) -> tuple[str, ...]:
        """An order is one payment, and its id the only one that refunds and disputes name."""
        return (self.scoped("invoice", number),) if number else ()

    def dated(self, *names: str) -> datetime:
        """The first of these instants that the object has."""
        for name in names:
            if (at := self.thing.moment(name)) is not None:
                return in_time(at, self.received_at, self.thing, name)
        raise self.thing.wrong(names[0], "missing")

    def triggered_at(self) -> datetime:
        """When it happened by Shopify's clock: for objects that bear no time themselves."""
        at = Node({TRIGGERED_AT: self.headers.get(TRIGGERED_AT)}, "headers").moment(TRIGGERED_AT)
        if at is None:
            raise ShapeError(TRIGGERED_AT, "missing")
        return in_time(at, self.received_at, Node({}, ""), TRIGGERED_AT)

    def aliases(self, customer: str, *owns: str) -> tuple[Alias, ...]:
        """A customer's Shopify id, if there is one, and our client's own ids for it."""
        found = [Alias(NAMESPACE, customer)] if customer else []
        return tuple(found) + tuple(Alias("own", own) for own in distinct(owns) if own)

    def ignored(self) -> Ignored:
        """Understood, and it changes nothing."""
        return ignored(self.external_id, self.topic)


def named_values(node: Node, *lists: str) -> Node:
    """The name-value (or key-value) pairs of lists such as `note_attributes`, as one object."""
    found: dict[str, object] = {}
    for name in lists:
        for pair in node.nodes(name):
            key = pair.fields.get("name", pair.fields.get("key"))
            if isinstance(key, str):
                found.setdefault(key, pair.fields.get("value"))
    return Node(found, node.at(lists[0]))
