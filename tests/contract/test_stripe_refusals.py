"""What is signed but senseless: never a crash, always a place and a problem."""

import pytest

from app.conversions.providers import stripe
from app.conversions.providers.mapping import Mapped
from app.core.events import Refund
from app.core.money import MAX_AMOUNT
from tests.contract import stripe_invoices as bills
from tests.contract import stripe_objects as objects
from tests.contract import stripe_reversals as reversals
from tests.contract.meanings import refused, refused_unnamed
from tests.contract.oddities import MISSING, changed
from tests.contract.stripe_objects import AT, Json, event
from tests.contract.stripe_reading import NOW, TOKEN, mapped, senseless_at

SAMPLES: tuple[Json, ...] = (
    event("checkout.session.completed", objects.checkout_session(client_reference_id=TOKEN)),
    event("customer.updated", objects.customer(metadata={"click_id": TOKEN})),
    event("customer.subscription.deleted", objects.subscription(ended_at=AT)),
    event("invoice.paid", bills.invoice(payments=[bills.invoice_payment()]), account="acct_1"),
    event("invoice.paid", bills.older_invoice()),
    event("invoice_payment.paid", bills.invoice_payment()),
    event("payment_intent.succeeded", objects.payment_intent(metadata={"click_id": TOKEN})),
    event("charge.succeeded", objects.charge()),
    event("charge.refunded", objects.charge(amount_refunded=5)),
    event("refund.updated", objects.refund()),
    event("charge.dispute.closed", reversals.dispute(status="lost")),
    event("credit_note.created", reversals.credit_note(refunded=1_000)),
    event("customer.discount.created", reversals.discount()),
)


@pytest.mark.parametrize(
    ("body", "place", "problem"),
    [
        (b"", "body", "not JSON"),
        (b"{", "body", "not JSON"),
        (b"\xff\xfe{}", "body", "not JSON"),
        (b'{"id": NaN}', "body", "not JSON"),
        (b'{"id": "\\ud800"}', "body", "not JSON"),
        (b"[" * 3_000 + b"]" * 3_000, "body", "not JSON"),
        (b"[]", "body", "not a JSON object"),
        (b"null", "body", "not a JSON object"),
        (b'"evt_1"', "body", "not a JSON object"),
        (b"{}", "id", "missing"),
        (b'{"id": 5}', "id", "not text"),
        (b'{"id": "evt\\u0000"}', "id", "contains a NUL character"),
        (b'{"id": "evt 1"}', "id", "not an id"),
        (b'{"id": "a:b"}', "id", "not an id"),
        (b'{"id": "evt_1", "id": ""}', "id", "missing"),
    ],
)
def test_body_without_an_id_is_named_by_its_digest(body: bytes, place: str, problem: str) -> None:
    meaning = stripe.read(body, live=False, received_at=NOW)
    assert refused_unnamed(meaning, body) == (place, problem)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("type",), MISSING),
        (("type",), "invoice paid"),
        (("livemode",), MISSING),
        (("livemode",), 0),
        (("account",), "acct:1"),
        (("created",), MISSING),
        (("created",), str(AT)),
        (("created",), True),
        (("created",), -1),
        (("created",), 2**60),
        (("data",), MISSING),
        (("data",), []),
        (("data", "object"), None),
        (("data", "object"), "in_1"),
        (("data", "object", "id"), MISSING),
        (("data", "object", "id"), "in_1\0"),
        (("data", "object", "id"), "x" * 256),
        (("data", "object", "amount_paid"), MISSING),
        (("data", "object", "amount_paid"), "12000"),
        (("data", "object", "amount_paid"), 12_000.0),
        (("data", "object", "amount_paid"), True),
        (("data", "object", "amount_paid"), -1),
        (("data", "object", "amount_paid"), MAX_AMOUNT + 1),
        (("data", "object", "amount_paid"), 2**64 - 1),
        (("data", "object", "total"), 0),
        (("data", "object", "total"), -5),
        (("data", "object", "total_excluding_tax"), -1),
        (("data", "object", "currency"), MISSING),
        (("data", "object", "currency"), "xyz"),
        (("data", "object", "currency"), "USD"),
        (("data", "object", "currency"), 840),
        (("data", "object", "customer"), 5),
        (("data", "object", "customer"), {"object": "customer"}),
        (("data", "object", "customer_email"), "jenny\0@example.com"),
        (("data", "object", "customer_name"), "j" * 501),
        (("data", "object", "lines"), []),
        (("data", "object", "lines", "data"), {}),
        (("data", "object", "lines", "data", 0), None),
        (("data", "object", "lines", "data", 0, "amount"), None),
        (("data", "object", "lines", "data", 0, "amount"), 1.5),
        (("data", "object", "lines", "data", 0, "quantity"), -1),
        (("data", "object", "parent", "subscription_details", "subscription"), "sub 1"),
        (("data", "object", "parent", "subscription_details", "metadata"), "text"),
        (("data", "object", "status_transitions", "paid_at"), "now"),
    ],
)
def test_wrong_field_is_named_by_its_place(path: tuple[str | int, ...], value: object) -> None:
    good = event("invoice.paid", bills.invoice())
    place = senseless_at(changed(good, path, value))
    expected = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]
    # Of an object that lacks what it needs, the lacking field is named.
    lacking = {"data": "data.object", "data.object.customer": "data.object.customer.id"}
    assert place in (expected, lacking.get(expected))


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        (SAMPLES[0] | {"data": {"object": objects.checkout_session(amount_total=None)}}, "total"),
        (SAMPLES[0] | {"data": {"object": objects.checkout_session(amount_tax=12_001)}}, "tax"),
        (
            SAMPLES[0]
            | {
                "data": {
                    "object": objects.checkout_session(metadata={"finderfee_customer_id": "u\0"})
                }
            },
            "finderfee_customer_id",
        ),
        (SAMPLES[2] | {"data": {"object": objects.subscription(customer=None)}}, "customer"),
        (SAMPLES[9] | {"data": {"object": {**objects.refund(), "status": 1}}}, "status"),
    ],
)
def test_other_objects_are_checked_alike(payload: Json, place: str) -> None:
    assert senseless_at(payload).endswith(place)


def test_the_last_of_duplicate_keys_counts() -> None:
    body = objects.encoded(event("refund.created", objects.refund(amount=5)))
    twice = body.replace(b'"amount":5', b'"amount":1.5,"amount":7')
    meaning = stripe.read(twice, live=False, received_at=NOW)
    assert isinstance(meaning, Mapped)
    assert isinstance(meaning.body, Refund)
    assert meaning.body.amount == 7


@pytest.mark.parametrize("written", [b"1e3", b"10.0", b"-0.0", b"18446744073709551616", b'"1000"'])
def test_amounts_are_written_as_integers(written: bytes) -> None:
    body = objects.encoded(event("refund.created", objects.refund(amount=5), id="evt_1"))
    odd = body.replace(b'"amount":5', b'"amount":' + written)
    meaning = stripe.read(odd, live=False, received_at=NOW)
    assert refused(meaning) == ("data.object.amount", "not an integer")


def test_what_we_do_not_keep_disturbs_nobody() -> None:
    thing = {**bills.invoice(), "number": "\0", "account_name": 1e308, "footer": [[]]}
    thing["customer_address"]["country"] = "Germany\0"
    assert mapped(event("invoice.paid", thing)).country == ""
