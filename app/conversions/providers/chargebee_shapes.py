"""The event around Chargebee's resources: whose they are, and when things happened.

An event names no site for certain, so ids have an empty account: `chargebee::invoice:1042`. Two
sites in one workspace would be taken for one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from app.conversions.providers.mapping import Alias, Contact, Ignored, Mapped
from app.conversions.providers.reading import ignored
from app.conversions.providers.shapes import Node, ShapeError, click_ids, distinct, in_time
from app.core.events import Body, Kind

NAMESPACE: Final = "chargebee:"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN: Final = "/#+=@"
_LONGEST_ID: Final = 100
"""Chargebee allows 50. Quoted, a character takes twelve; an index takes 2,700 of a name."""
_HOLDERS: Final = ("customer", "subscription", "invoice")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What Chargebee tells of some resources.

    content: the resources as they were when the event occurred, by kind. with_tax: whether
    commissions are worked out on amounts with their tax.
    """

    external_id: str
    type: str
    occurred_at: datetime
    received_at: datetime
    content: Node
    with_tax: bool = False

    @property
    def clicks(self) -> tuple[str, ...]:
        said = self._said("click_id")
        return click_ids(*(Node({"click_id": node.fields.get(name)}, "") for node, name in said))

    def contact(self, customer: str, *, otherwise: str = "") -> Contact:
        """The customer's names: Chargebee's, our client's own, and what people go by.

        otherwise: what stands for a customer who has no name.
        """
        known = self.content.node("customer")
        found = customer or known.text("id") or otherwise
        said = self._said("finderfee_customer_id")
        owns = distinct(node.text_or_number(name) for node, name in said)
        aliases = (
            *((Alias(NAMESPACE, found),) if found else ()),
            *(Alias("own", own) for own in owns if own),
        )
        names = (known.text("first_name"), known.text("last_name"))
        return Contact(aliases, email=known.text("email"), name=" ".join(filter(None, names)))

    def country(self) -> str:
        """Where the invoice went to, else where the customer is billed."""
        holders = (self.content.node("invoice"), self.content.node("customer"))
        return next((c for c in (h.country("billing_address") for h in holders) if c), "")

    def known_at(self) -> datetime:
        """When the event arose: the time of all that is not a sale."""
        return in_time(self.occurred_at, self.received_at, Node({}, ""), "occurred_at")

    def version_at(self, resource: Node) -> datetime:
        """When a resource got the state that it is in, to the millisecond.

        Events have seconds only, and two states of one second must not change places.
        """
        version_ms = resource.whole("resource_version")
        if version_ms is None:
            return self.known_at()
        at = _EPOCH + timedelta(milliseconds=version_ms)
        return in_time(at, self.received_at, resource, "resource_version")

    def mapped(
        self,
        kind: Kind,
        body: Body,
        contact: Contact,
        *,
        occurred_at: datetime | None = None,
        invoice: str = "",
        codes: tuple[str, ...] = (),
    ) -> Mapped:
        """The message, with the touches that its resources carry. occurred_at: else the event's."""
        return Mapped(
            external_id=self.external_id,
            kind=kind,
            occurred_at=occurred_at or self.known_at(),
            body=body,
            click_ids=self.clicks,
            codes=codes,
            payments=(scoped("invoice", invoice),) if invoice else (),
            country=self.country(),
            contact=contact,
            type=self.type,
        )

    def ignored(self) -> Ignored:
        """Understood, and it changes nothing."""
        return ignored(self.external_id, self.type)

    def _said(self, name: str) -> Iterator[tuple[Node, str]]:
        """Where our client may have written something: in `meta_data`, or a custom field `cf_…`."""
        for holder in map(self.content.node, _HOLDERS):
            meta = holder.fields.get("meta_data")
            if isinstance(meta, dict):
                yield Node(meta, holder.at("meta_data")), name
            yield holder, f"cf_{name}"


def needed(node: Node, name: str) -> str:
    """An id that must be there. Merchants choose ids, so any text may be one."""
    found = node.text(name)
    if not found:
        raise node.wrong(name, "missing")
    return found


def scoped(kind: str, found: str) -> str:
    """Chargebee's id as we keep it, without blanks or colons in it."""
    if len(found) > _LONGEST_ID:
        raise ShapeError(f"content.{kind}.id", f"longer than {_LONGEST_ID} characters")
    return f"chargebee::{kind}:{quote(found, safe=_PLAIN)}"
