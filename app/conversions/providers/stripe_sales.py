"""Stripe's sales: invoices, checkout sessions and payment intents, which often tell one payment.

Each names every id that it knows, so that the fold can see they are one; authority says whose
figures win.
"""

from fractions import Fraction

from app.conversions.providers.mapping import Contact, Ignored, Mapped
from app.conversions.providers.shapes import Node, click_ids, distinct
from app.conversions.providers.stripe_codes import promotion_codes
from app.conversions.providers.stripe_money import (
    currency_of,
    in_minor_units,
    invoice_lines,
    part_in_minor_units,
)
from app.conversions.providers.stripe_shapes import Envelope
from app.conversions.providers.stripe_ties import tie, tied
from app.core.events import Line, Named, Payment
from app.core.money import MAX_AMOUNT

INVOICE, SESSION, PAYMENT_INTENT = 3, 2, 1


def session(event: Envelope) -> Mapped | Ignored:
    """A touch, and in `mode=payment` a sale once its money is there (at the latest: async)."""
    thing = event.thing
    intent = thing.id("payment_intent")
    metadata = (thing.node("metadata"), *_expanded(thing, "subscription"))
    contact = Contact(event.aliases(event.buyer() or intent, *metadata), *_session_buyer(thing))
    clicks = click_ids(*metadata, reference=thing.fields.get("client_reference_id"))
    payments = event.keys(
        ("session", thing.needed_id("id")),
        ("payment_intent", intent),
        ("invoice", thing.id("invoice")),
    )
    sale, codes = _session_sale(event), promotion_codes(thing)
    if sale is None and not (contact.aliases and (clicks or codes or len(contact.aliases) > 1)):
        return tie(event, payments, contact)
    return Mapped(
        external_id=event.external_id,
        kind="payment" if sale else "named",
        occurred_at=event.sold_at() if sale else event.known_at(),
        body=sale or Named(),
        click_ids=clicks,
        codes=codes,
        payments=payments,
        country=thing.node("customer_details").country("address"),
        contact=contact,
        type=event.type,
    )


def invoice(event: Envelope) -> Mapped | Ignored:
    """The sale with the best figures. Nothing paid: no sale, but ids that belong together."""
    thing = event.thing
    number = thing.needed_id("id")
    described = thing.node("parent").node("subscription_details")
    metadata = (described.node("metadata"), *_older_metadata(thing))
    contact = Contact(
        event.aliases(event.buyer() or number, *metadata),
        email=thing.text("customer_email"),
        name=thing.text("customer_name"),
    )
    clicks, codes = click_ids(*metadata), promotion_codes(thing)
    payments = event.keys(("invoice", number), *_settled_by(thing))
    country = thing.country("customer_address")
    currency = currency_of(thing)
    gross = in_minor_units(thing, "amount_paid", currency)
    if gross == 0:
        return tied(event, payments, contact, touches=clicks, codes=codes, country=country)
    base = gross if event.with_tax else _invoice_base(thing, currency)
    lines, complete = invoice_lines(thing, base)
    subscription = described.id("subscription") or thing.id("subscription")
    return Mapped(
        external_id=event.external_id,
        kind="payment",
        occurred_at=event.sold_at(),
        body=Payment(
            authority=INVOICE,
            gross=gross,
            base=base,
            currency=currency,
            lines=lines,
            lines_complete=complete,
            quantity=_units(lines),
            subscription=event.scoped("subscription", subscription) if subscription else "",
        ),
        click_ids=clicks,
        codes=codes,
        payments=payments,
        country=country,
        contact=contact,
        type=event.type,
    )


def payment_intent(event: Envelope) -> Mapped | Ignored:
    """A sale only where our client marked it as one; else it may tie a charge to an invoice."""
    thing = event.thing
    intent = thing.needed_id("id")
    metadata = thing.node("metadata")
    clicks = click_ids(metadata)
    older = thing.node("charges").nodes("data")
    payments = event.keys(
        ("payment_intent", intent),
        ("charge", thing.id("latest_charge") or (older[0].id("id") if older else "")),
        ("invoice", thing.id("invoice")),
    )
    marked = bool(clicks or metadata.text("finderfee_customer_id"))
    currency = currency_of(thing) if marked else ""
    gross = in_minor_units(thing, "amount_received", currency) if marked else 0
    if gross == 0:
        return tie(event, payments, Contact(event.aliases(event.buyer(), metadata)), touches=clicks)
    return Mapped(
        external_id=event.external_id,
        kind="payment",
        occurred_at=event.sold_at(),
        body=Payment(authority=PAYMENT_INTENT, gross=gross, base=gross, currency=currency),
        click_ids=clicks,
        payments=payments,
        contact=Contact(
            event.aliases(event.buyer() or intent, metadata), email=thing.text("receipt_email")
        ),
        type=event.type,
    )


def _session_sale(event: Envelope) -> Payment | None:
    thing = event.thing
    late = event.type == "checkout.session.async_payment_succeeded"
    paid = late or thing.text("payment_status") != "unpaid"
    if thing.text("mode") != "payment" or not paid:
        return None
    currency = currency_of(thing)
    gross = in_minor_units(thing, "amount_total", currency)
    if event.with_tax:
        whole = Payment(authority=SESSION, gross=gross, base=gross, currency=currency)
        return whole if gross else None
    details = thing.node("total_details")
    tax = details.whole("amount_tax") or 0
    less = thing.needed_whole("amount_total") - tax
    if less < 0:
        raise details.wrong("amount_tax", "more than the total")
    base = part_in_minor_units(less, Fraction(1), currency)
    return Payment(authority=SESSION, gross=gross, base=base, currency=currency) if gross else None


def _session_buyer(thing: Node) -> tuple[str, str]:
    details = thing.node("customer_details")
    return details.text("email") or thing.text("customer_email"), details.text("name")


def _invoice_base(thing: Node, currency: str) -> int:
    """`total_excluding_tax` × `amount_paid` ÷ `total`, in one rounding."""
    total = thing.needed_whole("total")
    if total == 0:
        raise thing.wrong("total", "zero, though something was paid")
    untaxed = _untaxed(thing, total)
    paid = thing.needed_whole("amount_paid")
    base = part_in_minor_units(paid, Fraction(untaxed, total), currency)
    if not 0 <= base <= MAX_AMOUNT:
        raise thing.wrong("total_excluding_tax", "makes no base for commissions")
    return base


def _untaxed(thing: Node, total: int) -> int:
    """Older API versions send no `total_excluding_tax`: the total less its tax, or taxes."""
    if (found := thing.whole("total_excluding_tax", least=-MAX_AMOUNT)) is not None:
        return found
    if (tax := thing.whole("tax", least=-MAX_AMOUNT)) is not None:
        return total - tax
    taxes = thing.nodes("total_taxes") or thing.nodes("total_tax_amounts")
    return total - sum(part.whole("amount", least=-MAX_AMOUNT) or 0 for part in taxes)


def _settled_by(thing: Node) -> tuple[tuple[str, str], ...]:
    """What paid an invoice: on itself in older API versions, in a list if expanded in newer."""
    paid = [row.node("payment") for row in thing.node("payments").nodes("data")]
    intents = [thing.id("payment_intent"), *(node.id("payment_intent") for node in paid)]
    charges = [thing.id("charge"), *(node.id("charge") for node in paid)]
    return (
        *(("payment_intent", found) for found in distinct(intents)),
        *(("charge", found) for found in distinct(charges)),
    )


def _older_metadata(thing: Node) -> tuple[Node, ...]:
    """Before `parent`, an invoice held its subscription's details itself."""
    return (
        thing.node("subscription_details").node("metadata"),
        *_expanded(thing, "subscription"),
    )


def _expanded(thing: Node, name: str) -> tuple[Node, ...]:
    """The metadata of an object that came expanded."""
    whole = isinstance(thing.fields.get(name), dict)
    return (thing.node(name).node("metadata"),) if whole else ()


def _units(lines: tuple[Line, ...]) -> int:
    """Units bought: of the lines that charge, since a proration names the old units again."""
    return max(1, sum(line.quantity for line in lines if line.amount > 0))
