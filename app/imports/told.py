"""Customers and past sales of a file: events of the source `imported`, stored in the inbox.

The worker decides them like all others. A key that is there already changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from app.conversions.imported import ImportedCustomer, ImportedSale
from app.conversions.intake import incoming
from app.conversions.intake.incoming import Incoming
from app.conversions.providers.mapping import Mapped, fingerprint
from app.conversions.providers.track import IMPORTED
from app.conversions.requests import MAX_AHEAD, RefundIn
from app.core.events import Payment
from app.core.identity import person_name
from app.db.tx import Tx
from app.errors import ConflictingEvent, FieldError, Problem
from app.imports import partner_names, values
from app.imports.header import Columns, Row
from app.imports.kinds import Ground, Kind, Outcome, Sum
from app.imports.values import Cells

Told = ImportedCustomer | ImportedSale | RefundIn

_KNOWN: Final = """
SELECT source, external_id, fingerprint, mapped->'body'->>'currency' AS currency,
  (mapped->'body'->>'gross')::bigint AS gross, mapped->'people'->>0 AS person
FROM events
WHERE workspace_id = $1 AND source = ANY($2) AND external_id = ANY($3) AND mapped IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class _Telling:
    """A row in our words: what it tells, and what that means. The first tells what it is of."""

    told: tuple[Told, ...]
    meanings: tuple[Mapped, ...]

    @property
    def payment(self) -> Payment | None:
        body = self.meanings[0].body
        return body if isinstance(body, Payment) else None


Read = Callable[[Ground, Cells, partner_names.Partners], tuple[Told, ...]]


async def bring_customers(tx: Tx, ground: Ground, rows: Sequence[Row]) -> list[Outcome]:
    return await _bring(tx, ground, rows, _customer)


async def bring_sales(tx: Tx, ground: Ground, rows: Sequence[Row]) -> list[Outcome]:
    return await _bring(tx, ground, rows, _sale)


async def _bring(tx: Tx, ground: Ground, rows: Sequence[Row], read: Read) -> list[Outcome]:
    named = [row.cells["partner"] for row in rows if "partner" in row.cells]
    partners = await partner_names.find(tx, ground, named)
    outcomes = [Outcome() for _ in rows]
    tellings: dict[int, _Telling] = {}
    for n, row in enumerate(rows):
        try:
            told = read(ground, row.cells, partners)
        except Problem as problem:
            outcomes[n].problem = problem
            continue
        tellings[n] = _Telling(told, tuple(one.mapped(ground.now) for one in told))
    await _refuse_others(tx, ground, tellings, outcomes)
    sound = {n: one for n, one in tellings.items() if outcomes[n].problem is None}
    await _store(tx, ground, sound, outcomes)
    stored = await _amounts(tx, ground, sound)
    for n, one in tellings.items():
        if one.payment is not None:
            is_in = stored.get(one.meanings[0].external_id) if n in sound else None
            outcomes[n].sum = Sum(one.payment.currency, one.payment.gross, is_in)
    return outcomes


async def _refuse_others(
    tx: Tx, ground: Ground, tellings: Mapping[int, _Telling], outcomes: Sequence[Outcome]
) -> None:
    """Rows whose key means something else already: in an import, in this file, or told by API.

    A sale told by API under the same invoice is the same sale, so it must be alike; else the two
    would make one customer of two.
    """
    keys = [one.meanings[0].external_id for one in tellings.values()]
    driver = await tx.driver()
    known = await driver.fetch(_KNOWN, ground.workspace, [IMPORTED, "api"], keys)
    imported = {r["external_id"]: r["fingerprint"] for r in known if r["source"] == IMPORTED}
    told = {r["external_id"]: r for r in known if r["source"] == "api"}
    for n, one in tellings.items():
        key = one.meanings[0].external_id
        meant = imported.setdefault(key, fingerprint(one.meanings[0]))
        if meant != fingerprint(one.meanings[0]) or not _is_alike(one, told.get(key)):
            outcomes[n].problem = ConflictingEvent(errors=[_DIFFERS])


def _is_alike(telling: _Telling, known: Mapping[str, Any] | None) -> bool:
    payment = telling.payment
    if known is None or payment is None:
        return True
    first = telling.meanings[0].contact.aliases[0]
    person = person_name(first.namespace, first.external_id)
    meant = (payment.gross, payment.currency, person)
    return (known["gross"], known["currency"], known["person"]) == meant


_DIFFERS: Final = FieldError(
    "invoice_id",
    "Known already with another amount, currency, customer or `paid`",
    "Send the row as it was, or under an invoice_id of its own.",
)


async def _store(
    tx: Tx, ground: Ground, sound: Mapping[int, _Telling], outcomes: Sequence[Outcome]
) -> None:
    owners: list[int] = []
    messages: list[Incoming] = []
    for n, one in sound.items():
        for told, meaning in zip(one.told, one.meanings, strict=True):
            body = told.model_dump_json(exclude_none=True).encode()
            owners.append(n)
            messages.append(Incoming(ground.workspace, IMPORTED, meaning, body))
    if not messages:
        return
    stored = await incoming.store(tx, messages, ground.click_keys)
    for n, of_message in zip(owners, stored, strict=True):
        outcomes[n].created |= not of_message.duplicate
        if of_message.conflicting:
            # Another import told it otherwise a moment ago.
            outcomes[n].problem = ConflictingEvent(errors=[_DIFFERS])


async def _amounts(tx: Tx, ground: Ground, sound: Mapping[int, _Telling]) -> dict[str, int]:
    """What the inbox holds of each sale now, so that the report tells what is there."""
    keys = [one.meanings[0].external_id for one in sound.values() if one.payment]
    if not keys:
        return {}
    driver = await tx.driver()
    rows = await driver.fetch(_KNOWN, ground.workspace, [IMPORTED], keys)
    return {row["external_id"]: row["gross"] for row in rows}


def _whom(cells: Cells) -> dict[str, Any]:
    """The customer's names."""
    names = ("customer_external_id", "alias_namespace", "alias_external_id")
    given = {name: cells.get(name) for name in names}
    stripe = cells.get("stripe_customer_id")
    if ("alias_namespace" in cells) != ("alias_external_id" in cells):
        remedy = "Send alias_namespace and alias_external_id, or none of them."
        raise values.wrong("alias_namespace", "One half of an alias", remedy)
    if stripe and given["alias_namespace"]:
        raise values.wrong("stripe_customer_id", "Two aliases", "Send one of them.")
    if stripe:
        given |= {"alias_namespace": _STRIPE, "alias_external_id": stripe}
    if not any(given.values()):
        raise values.wrong("customer_external_id", "No name of the customer", "Send one.")
    return given


_STRIPE: Final = "stripe:"
"""Where Stripe's webhooks know their customers, but for those of connected accounts."""
_WHOM: Final = ("customer_external_id", "stripe_customer_id", "alias_external_id")


def _customer(ground: Ground, cells: Cells, partners: partner_names.Partners) -> tuple[Told, ...]:
    names = ("customer_email", "customer_name", "occurred_at")
    given: dict[str, Any] = {
        **_whom(cells),
        **{name: cells.get(name) for name in names},
        "program_id": ground.program,
        "customer_country": values.country(cells, "customer_country"),
        "partner_id": partners.named(cells.get("partner")),
    }
    return (_in_the_past(ground, values.checked(ImportedCustomer, given)),)


def _sale(ground: Ground, cells: Cells, partners: partner_names.Partners) -> tuple[Told, ...]:
    names = ("invoice_id", "occurred_at", "product_id", "subscription_id")
    paid = values.truth(cells, "paid")
    given: dict[str, Any] = {
        **_whom(cells),
        **{name: cells.get(name) for name in names},
        "program_id": ground.program,
        "amount": values.amount(cells, "amount"),
        "currency": values.currency(cells),
        "quantity": values.whole(cells, "quantity"),
        "paid": ground.paid if paid is None else paid,
        "customer_country": values.country(cells, "customer_country"),
        "partner_id": partners.named(cells.get("partner")),
    }
    sale = _in_the_past(ground, values.checked(ImportedSale, given))
    refunded = values.amount(cells, "refunded")
    if not refunded:
        return (sale,)
    if refunded > sale.amount:
        raise values.wrong("refunded", "More than the sale's amount", "Send what went back of it.")
    total = {"invoice_id": sale.invoice_id, "amount_refunded": refunded, "currency": sale.currency}
    return (sale, values.checked(RefundIn, total))


T = TypeVar("T", ImportedCustomer, ImportedSale)


def _in_the_past(ground: Ground, told: T) -> T:
    if told.occurred_at is not None and told.occurred_at > ground.now + MAX_AHEAD:
        problem = "More than 5 minutes ahead of our clock"
        raise values.wrong("occurred_at", problem, "Send when it happened, with its offset.")
    return told


CUSTOMERS: Final = Kind(
    Columns(
        names=(
            "customer_external_id", "stripe_customer_id", "alias_namespace", "alias_external_id",
            "partner", "customer_email", "customer_name", "customer_country", "occurred_at",
        ),
        required=(_WHOM,),
    ),
    rows_at_once=500,
    bring=bring_customers,
    through_inbox=True,
)  # fmt: skip
SALES: Final = Kind(
    Columns(
        names=(
            "customer_external_id", "stripe_customer_id", "alias_namespace", "alias_external_id",
            "invoice_id", "amount", "amount_decimal", "currency",
            "occurred_at", "partner", "paid", "refunded", "refunded_decimal", "product_id",
            "quantity", "subscription_id", "customer_country",
        ),
        required=(
            _WHOM, ("invoice_id",), ("amount", "amount_decimal"), ("currency",), ("occurred_at",),
        ),
    ),
    rows_at_once=500,
    bring=bring_sales,
    through_inbox=True,
)  # fmt: skip
