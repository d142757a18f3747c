"""Signatures made and checked by Paddle's own library, and every way in which one can be wrong."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from paddle_billing.Notifications import Secret, Verifier

from app.conversions.providers import paddle
from tests.contract import paddle_objects as objects
from tests.contract.paddle_objects import NOW

SECRET, OLD_SECRET = "pdl_ntfset_new", "pdl_ntfset_old"
BODY = objects.encoded(objects.notification("adjustment.created", objects.adjustment(), id="evt_ü"))
TS = int(NOW.timestamp())
GOOD = objects.signed(BODY, SECRET, at=NOW)
H1 = GOOD.partition("h1=")[2]


@dataclass
class Request:
    """What Paddle's verifier takes."""

    headers: dict[str, str]
    body: bytes


def accepts(header: str | None, *secrets: str, body: bytes = BODY, now: datetime = NOW) -> bool:
    headers = {} if header is None else {"Paddle-Signature": header}
    return paddle.verify(headers, body, secrets or (SECRET,), now=now)


@pytest.mark.parametrize("name", ["paddle-signature", "Paddle-Signature", "PADDLE-SIGNATURE"])
def test_what_paddle_s_library_signs_is_accepted_whatever_the_header_s_case(name: str) -> None:
    assert paddle.verify({"Host": "x", name: GOOD}, BODY, [SECRET], now=NOW)


def test_what_we_accept_paddle_s_library_accepts_too() -> None:
    at = datetime.now(UTC)
    digest = hmac.new(SECRET.encode(), f"{int(at.timestamp())}:".encode() + BODY, hashlib.sha256)
    header = f"ts={int(at.timestamp())};h1={digest.hexdigest()}"
    assert accepts(header, now=at)
    assert Verifier().verify(Request({"Paddle-Signature": header}, BODY), Secret(SECRET))
    assert not Verifier().verify(Request({"Paddle-Signature": header}, BODY + b" "), Secret(SECRET))


@pytest.mark.parametrize("secrets", [(SECRET, OLD_SECRET), (OLD_SECRET, SECRET)])
def test_any_secret_and_any_signature_will_do_while_they_are_rotated(
    secrets: tuple[str, str],
) -> None:
    for signer in secrets:
        assert accepts(objects.signed(BODY, signer, at=NOW), *secrets)
        both = objects.signed(BODY, *secrets, at=NOW)
        assert both.count("h1=") == 2
        assert accepts(both, signer)
    assert not accepts(objects.signed(BODY, "pdl_ntfset_other", at=NOW), *secrets)
    assert not accepts(objects.signed(BODY, *secrets, at=NOW), "pdl_ntfset_other")


@pytest.mark.parametrize(("off_s", "accepted"), [(0, 1), (-300, 1), (-301, 0), (300, 1), (301, 0)])
def test_time_counts_on_both_sides(off_s: int, accepted: int) -> None:
    now = NOW.replace(microsecond=0)
    header = objects.signed(BODY, SECRET, at=now + timedelta(seconds=off_s))
    assert accepts(header, now=now) == bool(accepted)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        " ",
        "ts",
        "ts=",
        "=",
        ";;;",
        "nonsense",
        f"ts={TS}",
        f"h1={H1}",
        f"ts={TS};h1",
        f"ts={TS};h1=",
        f"ts={TS};h1=é",
        f"ts={TS};h1=\ud800",
        f"ts={TS};h1={H1[:-1]}",
        f"ts={TS};h1={H1[:-1]}ß",
        f"ts={TS};h1={H1.upper()}",
        f"ts={TS};h1={H1};h1=x",
        f"ts={TS};h1={H1};",
        f"ts={TS};h2={H1}",
        f"ts={TS}=1;h1={H1}",
        f"ts={TS}.0;h1={H1}",
        f"ts=+{TS};h1={H1}",
        f"ts= {TS};h1={H1}",
        f"ts=1_{TS % 10**9};h1={H1}",
        f"ts=٠{TS};h1={H1}",
        f"ts={'9' * 5_000};h1={H1}",
        f"ts=NaN;h1={H1}",
        f"ts={TS};ts={TS};h1={H1}",
        f"TS={TS};h1={H1}",
        f"ts={TS},h1={H1}",
        f"ts={TS}; h1={H1}",
        f"ts={TS + 1};h1={H1}",
    ],
)
def test_malformed_headers_are_refused(bad: str | None) -> None:
    assert not accepts(bad)


def test_another_scheme_beside_a_good_signature_disturbs_nobody() -> None:
    assert accepts(f"ts={TS};h2=new;h1={H1}")


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b"", b"\xff\xfe", BODY + b"\0"])
def test_another_body_is_refused(body: bytes) -> None:
    assert not accepts(GOOD, body=body)
    assert accepts(objects.signed(body, SECRET, at=NOW), body=body)


@pytest.mark.parametrize("secret", ["", " ", "\ud800"])
def test_senseless_secrets_accept_nothing(secret: str) -> None:
    assert not accepts(GOOD, secret)
    assert not paddle.verify({"Paddle-Signature": GOOD}, BODY, [], now=NOW)
    assert accepts(GOOD, secret, SECRET)


def test_an_empty_secret_signs_nothing() -> None:
    assert not accepts(objects.signed(BODY, "", at=NOW), "")
