"""The notification around Paddle's entities: whose they are, and when things happened.

A notification names no account, so ids have an empty one: `paddle::invoice:txn_…`. Paddle calls
invoice and payment one thing, a transaction; it takes the invoice's place.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from app.conversions.providers.mapping import Alias, Contact, Ignored, Mapped
from app.conversions.providers.reading import ignored
from app.conversions.providers.shapes import Node, click_ids, in_time
from app.core.events import Body, Kind, Named

NAMESPACE = "paddle:"


@dataclass(frozen=True, slots=True)
class Notification:
    """What Paddle tells of an entity.

    thing: the entity as it was when the event occurred. with_tax: whether commissions are worked
    out on amounts with their tax.
    """

    external_id: str
    type: str
    occurred_at: datetime
    received_at: datetime
    thing: Node
    with_tax: bool = False

    @property
    def custom(self) -> Node:
        """The merchant's own words, which may be any JSON; only an object can hold ours."""
        value = self.thing.fields.get("custom_data")
        return Node(value if isinstance(value, dict) else {}, self.thing.at("custom_data"))

    @property
    def clicks(self) -> tuple[str, ...]:
        return click_ids(self.custom)

    def aliases(self, customer: str) -> tuple[Alias, ...]:
        """A customer's Paddle id, if there is one, and our client's own id for it."""
        found = [Alias(NAMESPACE, customer)] if customer else []
        own = self.custom.text_or_number("finderfee_customer_id")
        return (*found, Alias("own", own)) if own else tuple(found)

    def known_at(self) -> datetime:
        """When the event arose: the time of all that is not a sale."""
        return in_time(self.occurred_at, self.received_at, Node({}, ""), "occurred_at")

    def mapped(
        self,
        kind: Kind,
        body: Body,
        contact: Contact,
        *,
        occurred_at: datetime | None = None,
        transaction: str = "",
        codes: tuple[str, ...] = (),
    ) -> Mapped:
        """The message, with the touches of its custom data. occurred_at: else the event's."""
        return Mapped(
            external_id=self.external_id,
            kind=kind,
            occurred_at=occurred_at or self.known_at(),
            body=body,
            click_ids=self.clicks,
            codes=codes,
            payments=(scoped("invoice", transaction),) if transaction else (),
            contact=contact,
            type=self.type,
        )

    def named(
        self, contact: Contact, *, codes: tuple[str, ...] = (), country: str = ""
    ) -> Mapped | Ignored:
        """Somebody made known, if anything was said of them but their Paddle id."""
        news = self.clicks or codes or country or contact.email or len(contact.aliases) > 1
        if not (news and contact.aliases):
            return self.ignored()
        return replace(self.mapped("named", Named(), contact, codes=codes), country=country)

    def ignored(self) -> Ignored:
        """Understood, and it changes nothing."""
        return ignored(self.external_id, self.type)


def scoped(kind: str, found: str) -> str:
    """Paddle's id as we keep it."""
    return f"paddle::{kind}:{found}"


def discount_codes(discount: str) -> tuple[str, ...]:
    """A discount's id, under which a partner's code may be known."""
    return (f"paddle:{discount}",) if discount else ()
