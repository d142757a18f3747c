"""Signatures made by Stripe's own library, and every way in which one can be wrong."""

from datetime import UTC, datetime

import pytest
from stripe import WebhookSignature

from app.conversions.providers import stripe
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import AT

SECRET, OLD_SECRET = "whsec_new", "whsec_old"
BODY = objects.encoded(objects.event("refund.created", objects.refund(), id="evt_ü"))
NOW = datetime.fromtimestamp(AT, UTC)


def accepts(header: str | None, *secrets: str, body: bytes = BODY) -> bool:
    headers = {} if header is None else {"Stripe-Signature": header}
    return stripe.verify(headers, body, secrets or (SECRET,), now=NOW)


def header(secret: str = SECRET, at: int = AT, body: bytes = BODY) -> str:
    return objects.signed(body, secret, at)["Stripe-Signature"]


def signature(secret: str = SECRET, at: int = AT) -> str:
    return WebhookSignature._compute_signature(f"{at}.{BODY.decode()}", secret)


@pytest.mark.parametrize("name", ["stripe-signature", "Stripe-Signature", "STRIPE-SIGNATURE"])
def test_signed_body_is_accepted_whatever_the_header_s_case(name: str) -> None:
    assert stripe.verify({"Host": "x", name: header()}, BODY, [SECRET], now=NOW)


@pytest.mark.parametrize("secrets", [(SECRET, OLD_SECRET), (OLD_SECRET, SECRET)])
def test_any_secret_will_do_while_it_is_rolled(secrets: tuple[str, ...]) -> None:
    assert accepts(header(SECRET), *secrets)
    assert accepts(header(OLD_SECRET), *secrets)
    assert not accepts(header("whsec_other"), *secrets)


def test_any_of_several_signatures_will_do() -> None:
    both = f"t={AT},v1={signature(OLD_SECRET)},v1={signature()},v0=abc"
    assert accepts(both)
    assert accepts(both, OLD_SECRET)
    assert not accepts(both, "whsec_other")


@pytest.mark.parametrize(("off_s", "accepted"), [(0, 1), (-300, 1), (-301, 0), (300, 1), (301, 0)])
def test_time_counts_on_both_sides(off_s: int, accepted: int) -> None:
    assert accepts(header(at=AT + off_s)) == bool(accepted)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        " ",
        "t",
        "t=",
        "=",
        ",,,",
        "nonsense",
        f"t={AT}",
        f"v1={signature()}",
        f"t={AT},v1",
        f"t={AT},v1=",
        f"t={AT},v1=é",
        f"t={AT},v1=\ud800",
        f"t={AT},v1={signature()[:-1]}",
        f"t={AT},v1={signature().upper()}",
        f"t={AT},v0={signature()}",
        f"t={AT}=1,v1={signature()}",
        f"t={AT}.0,v1={signature()}",
        f"t=+{AT},v1={signature()}",
        f"t= {AT},v1={signature()}",
        f"t=1_{AT % 10**9},v1={signature()}",
        f"t={'٠'}{AT},v1={signature()}",
        f"t={'9' * 5_000},v1={signature()}",
        f"t=NaN,v1={signature()}",
        f"t={AT},t={AT},v1={signature()}",
        f"t={AT - 9_999},t={AT},v1={signature(at=AT - 9_999)}",
        f"t={AT},t={AT - 9_999},v1={signature(at=AT - 9_999)}",
        f"T={AT},v1={signature()}",
        f"t={AT};v1={signature()}",
        f"t={AT + 1},v1={signature()}",
    ],
)
def test_malformed_headers_are_refused(bad: str | None) -> None:
    assert not accepts(bad)


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b"", b"\xff\xfe", BODY + b"\0"])
def test_another_body_is_refused(body: bytes) -> None:
    assert not accepts(header(), body=body)


@pytest.mark.parametrize("secret", ["", " ", "\ud800"])
def test_senseless_secrets_accept_nothing(secret: str) -> None:
    assert not accepts(header(), secret)
    assert not stripe.verify({"Stripe-Signature": header()}, BODY, [], now=NOW)


def test_a_senseless_secret_does_not_hide_a_good_one() -> None:
    assert accepts(header(), "\ud800", "", SECRET)
