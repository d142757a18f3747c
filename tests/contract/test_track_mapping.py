"""What our own track requests mean, and which of them are the same one sent again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from app.conversions.providers.mapping import Alias, Contact, Mapped, fingerprint
from app.conversions.providers.track import (
    TrackLead,
    TrackRefund,
    TrackSale,
    lead,
    refund,
    sale,
)
from app.core.events import Lead, Line, Payment, Refund, RefundTotal
from app.core.identity import person_name

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(days=3)
PROGRAM = UUID("0193a000-0000-7000-8000-000000000001")
CUS = Alias("stripe:", "cus_1")

LEAD = TrackLead(customer_external_id="u-1", received_at=NOW)
SALE = TrackSale(
    customer_external_id="u-1", amount=10_000, currency="usd", invoice_id="A-7", received_at=NOW
)
REFUND = TrackRefund(invoice_id="A-7", amount_refunded=3_000, currency="usd", received_at=NOW)


def test_lead_is_keyed_by_its_hashed_customer_and_its_name() -> None:
    got = lead(
        replace(
            LEAD,
            event_name="sign_up",
            click_ids=("x", "y", "x"),
            customer_aliases=(CUS,),
            customer_email="jenny@example.com",
            customer_name="Jenny",
            customer_country="DE",
            occurred_at=EARLIER,
            program_id=PROGRAM,
        )
    )
    assert got == Mapped(
        external_id=f"lead:{person_name('own', 'u-1')}:sign_up",
        kind="lead",
        occurred_at=EARLIER,
        body=Lead("sign_up"),
        click_ids=("x", "y"),
        country="DE",
        contact=Contact((Alias("own", "u-1"), CUS), email="jenny@example.com", name="Jenny"),
        program_ids=(PROGRAM,),
        type="track.lead",
    )
    assert "u-1" not in got.external_id


def test_lead_without_time_or_name_has_ours() -> None:
    got = lead(LEAD)
    assert (got.occurred_at, got.body, got.program_ids) == (NOW, Lead("lead"), ())
    assert got.external_id == f"lead:{person_name('own', 'u-1')}:lead"


def test_sale_is_its_invoice_with_the_whole_amount_as_base() -> None:
    got = sale(replace(SALE, subscription_id="S-1", click_ids=("x",), program_id=PROGRAM))
    assert got == Mapped(
        external_id="sale:A-7",
        kind="payment",
        occurred_at=NOW,
        body=Payment(
            authority=3,
            gross=10_000,
            base=10_000,
            currency="usd",
            subscription="own::subscription:S-1",
        ),
        click_ids=("x",),
        payments=("own::invoice:A-7",),
        contact=Contact((Alias("own", "u-1"),)),
        program_ids=(PROGRAM,),
        type="track.sale",
    )


@pytest.mark.parametrize(
    ("product_id", "quantity", "lines", "kept", "units"),
    [
        ("", None, (), (), 1),
        ("", 4, (), (), 4),
        ("p", None, (), (Line("p", 10_000, 1),), 1),
        ("p", 4, (), (Line("p", 10_000, 4),), 4),
        ("", None, (Line("a", 9_000, 2), Line("b", 1_000, 3)), None, 5),
        ("", 9, (Line("a", 9_000, 2), Line("b", 1_000, 3)), None, 9),
        ("p", None, (Line("a", 10_000, 2),), None, 2),
        ("", None, (Line("a", 10_000, 0),), None, 1),
    ],
)
def test_lines_and_units(
    product_id: str,
    quantity: int | None,
    lines: tuple[Line, ...],
    kept: tuple[Line, ...] | None,
    units: int,
) -> None:
    body = sale(replace(SALE, product_id=product_id, quantity=quantity, lines=lines)).body
    assert isinstance(body, Payment)
    assert (body.lines, body.quantity) == (lines if kept is None else kept, units)


def test_the_own_id_given_again_as_an_alias_is_one_alias() -> None:
    again = replace(SALE, customer_aliases=(Alias("own", "u-1"), CUS, CUS))
    assert sale(again).contact.aliases == (Alias("own", "u-1"), CUS)


def test_refund_with_an_id_is_that_refund() -> None:
    assert refund(replace(REFUND, refund_id="R-1")) == Mapped(
        external_id="refund:R-1",
        kind="refund",
        occurred_at=NOW,
        body=Refund("own::refund:R-1", 3_000, "usd", counts=True),
        payments=("own::invoice:A-7",),
        type="track.refund",
    )


def test_refund_without_an_id_is_a_total() -> None:
    undated = refund(REFUND)
    assert undated.external_id == "refund_total:A-7:3000:"
    assert undated.body == RefundTotal(3_000, "usd", dated=False)
    assert (undated.kind, undated.occurred_at) == ("refund_total", NOW)
    dated = refund(replace(REFUND, occurred_at=EARLIER))
    assert dated.external_id == "refund_total:A-7:3000:2026-11-19T09:00:00+00:00"
    assert dated.body == RefundTotal(3_000, "usd", dated=True)
    assert dated.occurred_at == EARLIER


def test_one_instant_in_two_zones_is_one_total() -> None:
    elsewhere = EARLIER.astimezone(timezone(timedelta(hours=5, minutes=30)))
    here = refund(replace(REFUND, occurred_at=EARLIER))
    there = refund(replace(REFUND, occurred_at=elsewhere))
    assert here.external_id == there.external_id
    assert fingerprint(here) == fingerprint(there)


LATER = NOW + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (lead(LEAD), lead(replace(LEAD, received_at=LATER))),
        (lead(LEAD), lead(replace(LEAD, customer_email="a@example.com", customer_name="A"))),
        (sale(SALE), sale(replace(SALE, received_at=LATER))),
        (sale(SALE), sale(replace(SALE, occurred_at=EARLIER))),
        (
            sale(replace(SALE, customer_aliases=(CUS, Alias("crm", "7")))),
            sale(replace(SALE, customer_aliases=(Alias("crm", "7"), CUS))),
        ),
        (refund(REFUND), refund(replace(REFUND, received_at=LATER))),
        (sale(SALE), sale(replace(SALE, click_ids=("x",), customer_country="DE"))),
        (sale(SALE), sale(replace(SALE, product_id="p", customer_aliases=(CUS,)))),
        (sale(SALE), sale(replace(SALE, quantity=2, subscription_id="S-1"))),
    ],
)
def test_sent_again_means_the_same(first: Mapped, again: Mapped) -> None:
    assert first.external_id == again.external_id
    assert fingerprint(first) == fingerprint(again)


@pytest.mark.parametrize(
    "other",
    [
        replace(SALE, amount=9_999),
        replace(SALE, currency="eur"),
        replace(SALE, customer_external_id="u-2"),
    ],
)
def test_another_meaning_under_the_same_key_conflicts(other: TrackSale) -> None:
    assert sale(other).external_id == sale(SALE).external_id
    assert fingerprint(sale(other)) != fingerprint(sale(SALE))


def test_another_refund_under_the_same_id_conflicts() -> None:
    one = replace(REFUND, refund_id="R-1")
    for other in (replace(one, amount_refunded=1), replace(one, invoice_id="A-8")):
        assert refund(other).external_id == refund(one).external_id
        assert fingerprint(refund(other)) != fingerprint(refund(one))


def test_fingerprints_stay_what_they_are() -> None:
    """They are stored, and compared with later ones: a changed one raises false alarms."""
    bought = replace(SALE, lines=(Line("a", 10_000, 1),))
    expected = "1ba8aab97e000590ce53e7978cc1dbce759f6757fde6fd40aad50710a7e9bec3"
    assert fingerprint(sale(bought)) == expected
