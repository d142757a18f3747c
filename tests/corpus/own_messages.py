"""Bodies of our own routes, one kind after the other, as the inbox keeps them."""

from typing import Any, Final
from uuid import UUID

import orjson

from app.ids import encode
from tests.corpus.cases import Json

RECEIVED: Final = "2026-11-22T09:00:00+00:00"
THEN: Final = "2026-11-19T23:59:59+01:00"
ID: Final = str(UUID(int=0x0193A000_0000_7000_8000_000000000007))
PARTNER: Final = encode("part", UUID(int=0xB0))
PROGRAM: Final = encode("prog", UUID(int=0xA0))
LEAD: Final[Json] = {"customer_external_id": "u-1"}
SALE: Final[Json] = {**LEAD, "amount": 10_000, "currency": "usd", "invoice_id": "A-7"}
BACK: Final[Json] = {"invoice_id": "A-7", "amount_refunded": 3_000, "currency": "usd"}
OWN: Final[Json] = {"namespace": "own", "external_id": "u-1"}
CUSTOMER: Final[Json] = {"customer_external_id": "u-1", "program_id": PROGRAM}
PAST: Final[Json] = {
    "program_id": PROGRAM,
    "invoice_id": "OLD-1",
    "amount": 5_000,
    "currency": "jpy",
    "occurred_at": THEN,
    "paid": True,
}

BODIES: Final[tuple[tuple[str, Json], ...]] = (
    ("track.lead", LEAD),
    ("track.lead", {**LEAD, "event_name": "demo", "occurred_at": THEN, "customer_country": "DE"}),
    ("track.lead", {**LEAD, "customer_email": "Jenny@Example.com ", "customer_name": "Jenny"}),
    ("track.lead", {**LEAD, "customer_aliases": [{"namespace": "stripe:", "external_id": "c"}]}),
    ("track.lead", {**LEAD, "code": " spring "}),
    ("track.lead", {**LEAD, "referrer": {"partner_id": PARTNER}}),
    ("track.lead", {**LEAD, "referrer": {"customer_external_id": "u-2"}}),
    ("track.lead", {**LEAD, "self_reported": {"answer": "a podcast"}}),
    ("track.lead", {**LEAD, "self_reported": {"answer": "Ana", "partner_id": PARTNER}}),
    ("track.lead", {**LEAD, "self_reported": {"code": "spring"}, "program_id": PROGRAM}),
    ("track.lead", {"customer": "u-1"}),
    ("track.sale", SALE),
    ("track.sale", {**SALE, "currency": "kwd", "quantity": 3, "product_id": "pro"}),
    ("track.sale", {**SALE, "subscription_id": "S-1", "customer_country": "AT", "code": "X"}),
    (
        "track.sale",
        {
            **SALE,
            "lines": [
                {"product_id": "pro", "amount": 11_000, "quantity": 2},
                {"product_id": "off", "amount": -1_000},
            ],
        },
    ),
    ("track.sale", {**SALE, "occurred_at": THEN, "program_id": PROGRAM, "metadata": {"a": 1}}),
    ("track.sale", {**SALE, "amount": 0}),
    ("track.refund", BACK),
    ("track.refund", {**BACK, "refund_id": "r1", "occurred_at": THEN}),
    ("customer.alias", {"known": OWN, "alias": {"namespace": "stripe:", "external_id": "cus_1"}}),
    ("customer.referrer", {"known": OWN, "partner_id": PARTNER, "program_id": PROGRAM}),
    (
        "deal.linked",
        {
            **OWN,
            "deal_id": ID,
            "number": 2,
            "program_id": str(UUID(int=0xA0)),
            "partner_id": str(UUID(int=0xB0)),
            "registered_at": THEN,
            "until": RECEIVED,
            "at": RECEIVED,
        },
    ),
    ("code.known", {**OWN, "id": ID}),
    (
        "customer.reassign",
        {**OWN, "id": ID, "program_id": None, "partner_id": None, "reason": "-", "author": ID},
    ),
    (
        "customer.reassign",
        {
            **OWN,
            "id": ID,
            "program_id": str(UUID(int=0xA0)),
            "partner_id": str(UUID(int=0xB0)),
            "reason": "a call",
            "author": ID,
        },
    ),
    (
        "conversion.verdict",
        {"key": "own:invoice:A-7", "gross": 1, "currency": "usd", "duplicate": True, "number": 1},
    ),
    (
        "conversion.verdict",
        {"key": "own:invoice:A-7", "gross": 1, "currency": "usd", "duplicate": False, "number": 2},
    ),
    ("import.customer", CUSTOMER),
    ("import.customer", {**CUSTOMER, "partner_id": PARTNER, "occurred_at": THEN}),
    ("import.sale", {**PAST, "customer_external_id": "u-1"}),
    ("import.sale", {**PAST, "alias_namespace": "stripe:", "alias_external_id": "c", "paid": 0}),
    (
        "import.sale",
        {**PAST, **LEAD, "paid": False, "partner_id": PARTNER, "subscription_id": "S-1"},
    ),
)


def messages() -> list[Json]:
    return [_message(n, kind, body) for n, (kind, body) in enumerate(BODIES)]


def _message(number: int, kind: str, body: Any) -> Json:
    return {
        "name": f"own {kind} {number}",
        "provider": "api",
        "type": kind,
        "body": orjson.dumps(body).decode(),
        "live": True,
        "received_at": RECEIVED,
        "headers": {},
        "with_tax": False,
        "joins_email": number % 3 == 0,
    }
