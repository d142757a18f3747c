"""The envelope around Stripe's objects: whose ids they are, and when things happened."""

from dataclasses import dataclass
from datetime import datetime

from app.conversions.providers.mapping import Alias
from app.conversions.providers.shapes import Node, distinct, in_time


@dataclass(frozen=True, slots=True)
class Envelope:
    """The event around an object, message. account: whose ids these are (Connect), or empty.

    with_tax: whether commissions are worked out on amounts with their tax.
    """

    message: Node
    external_id: str
    type: str
    account: str
    created_at: datetime
    received_at: datetime
    thing: Node
    with_tax: bool = False

    @property
    def namespace(self) -> str:
        return f"stripe:{self.account}"

    def scoped(self, kind: str, found: str) -> str:
        return f"stripe:{self.account}:{kind}:{found}"

    def keys(self, *named: tuple[str, str]) -> tuple[str, ...]:
        """Payment keys of (type, id) pairs; empty ids name nothing."""
        return distinct(self.scoped(kind, found) for kind, found in named if found)

    def known_at(self) -> datetime:
        """When the event arose: the time of all that is not a sale."""
        return in_time(self.created_at, self.received_at, self.message, "created")

    def sold_at(self) -> datetime:
        """`status_transitions.paid_at`, else the object's `created`, else the event's."""
        for node, name in (
            (self.thing.node("status_transitions"), "paid_at"),
            (self.thing, "created"),
        ):
            if (at := node.instant(name)) is not None:
                return in_time(at, self.received_at, node, name)
        return self.known_at()

    def buyer(self) -> str:
        """The id of the customer that the object names, or empty."""
        return self.thing.id("customer") or self.thing.id("customer_account")

    def aliases(self, customer: str, *metadata: Node) -> tuple[Alias, ...]:
        """A customer's Stripe id, if there is one, and our client's own ids for it."""
        found = [Alias(self.namespace, customer)] if customer else []
        owns = (node.text("finderfee_customer_id") for node in metadata)
        return tuple(found) + tuple(Alias("own", own) for own in distinct(owns) if own)
