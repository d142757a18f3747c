"""Standard Webhooks: signed by the specification's library, and every way to be wrong."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from app.conversions.providers import standard
from app.conversions.providers.registry import PROVIDERS
from tests.contract.standard_objects import NOW, SECRET, encoded, lead, signed

OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OTHER_SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
BODY = encoded(lead(customer_name="Bäb"))
GOOD = signed(BODY)
SIGNATURE = GOOD["webhook-signature"]
STAMP = GOOD["webhook-timestamp"]


def accepts(
    *secrets: str, body: bytes = BODY, changes: Mapping[str, str | None] | None = None
) -> bool:
    """changes: other headers; None leaves one out."""
    headers = {**GOOD, **(changes or {})}
    sent = {name: text for name, text in headers.items() if text is not None}
    return standard.verify(sent, body, secrets or (SECRET,), now=NOW)


def test_the_specification_s_own_example() -> None:
    """Published with the specification: secret, id, time, body and signature."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    at = NOW.fromtimestamp(1_614_265_330, NOW.tzinfo)
    assert standard.verify(headers, b'{"test": 2432232314}', [SECRET], now=at)
    assert not standard.verify(headers, b'{"test": 2432232315}', [SECRET], now=at)


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_signed_body_is_accepted_whatever_the_headers_case(change: object) -> None:
    assert callable(change)
    headers = {change(name): text for name, text in GOOD.items()}
    assert standard.verify({"Host": "x", **headers}, BODY, [SECRET], now=NOW)


@pytest.mark.parametrize("secrets", [(SECRET, OLD_SECRET), (OLD_SECRET, SECRET)])
def test_any_secret_will_do_while_we_roll_it(secrets: tuple[str, ...]) -> None:
    assert accepts(*secrets)
    old = signed(BODY, secret=OLD_SECRET)["webhook-signature"]
    assert accepts(*secrets, changes={"webhook-signature": old})
    assert not accepts(OTHER_SECRET)


def test_any_signature_will_do_while_the_sender_rolls_it() -> None:
    old = signed(BODY, secret=OLD_SECRET)["webhook-signature"]
    for both in (f"{old} {SIGNATURE}", f"{SIGNATURE} {old}", f"v1a,abc  {SIGNATURE} nonsense"):
        assert accepts(changes={"webhook-signature": both})
        assert not accepts(OTHER_SECRET, changes={"webhook-signature": both})


@pytest.mark.parametrize(("off_s", "accepted"), [(0, 1), (-300, 1), (-301, 0), (300, 1), (301, 0)])
def test_time_counts_on_both_sides(off_s: int, accepted: int) -> None:
    headers = signed(BODY, at=NOW + timedelta(seconds=off_s))
    assert standard.verify(headers, BODY, [SECRET], now=NOW) == bool(accepted)


def test_id_and_time_are_signed_too() -> None:
    assert not accepts(changes={"webhook-id": "msg_2"})
    assert not accepts(changes={"webhook-timestamp": str(int(STAMP) + 1)})


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("bad", [None, "", " ", "nonsense", "é", "\ud800", "\0", "A" * 100_000])
def test_each_header_is_needed_and_checked(name: str, bad: str | None) -> None:
    assert not accepts(changes={name: bad})


@pytest.mark.parametrize(
    "bad",
    [
        "v1",
        "v1,",
        ",",
        SIGNATURE[3:],
        SIGNATURE[:-1],
        SIGNATURE.lower(),
        SIGNATURE.replace("v1,", "v2,"),
        SIGNATURE.replace("v1,", "v1a,"),
        SIGNATURE.replace("v1,", "v1, "),
        f"{SIGNATURE},{SIGNATURE}",
        f"{SIGNATURE}\n",
        SIGNATURE.replace("=", "") + "é",
        signed(BODY, secret=OLD_SECRET)["webhook-signature"],
        signed(BODY + b" ")["webhook-signature"],
    ],
)
def test_malformed_signatures_are_refused(bad: str) -> None:
    assert not accepts(changes={"webhook-signature": bad})


@pytest.mark.parametrize(
    "bad",
    [f"+{STAMP}", f" {STAMP}", f"{STAMP}.0", "NaN", "inf", "1e9", "-1", f"٠{STAMP}", "9" * 5_000],
)
def test_malformed_times_are_refused(bad: str) -> None:
    assert not accepts(changes={"webhook-timestamp": bad})


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b"", b"\xff\xfe", BODY + b"\0"])
def test_another_body_is_refused(body: bytes) -> None:
    assert not accepts(body=body)


@pytest.mark.parametrize("secret", ["", " ", "\ud800", "whsec_", "whsec_é", "whsec_A", "nonsense"])
def test_senseless_secrets_accept_nothing_and_hide_none(secret: str) -> None:
    assert not accepts(secret)
    assert accepts(secret, SECRET)
    assert not standard.verify(GOOD, BODY, [], now=NOW)


def test_what_we_accept_the_library_accepts() -> None:
    """It reads the clock itself, so this is signed now."""
    now = NOW.now(NOW.tzinfo)
    headers = signed(BODY, at=now)
    Webhook(SECRET).verify(BODY, headers)
    assert standard.verify(headers, BODY, [SECRET], now=now)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (SECRET, 1),
        (SECRET.removeprefix("whsec_"), 0),
        ("whsec_0123456789abcdef", 0),
        ("whsec_" + "A" * 22, 1),
        ("whsec_" + "A" * 22 + "==", 1),
        ("whsec_" + "A" * 25, 0),
        ("whsec_" + "-" * 32, 0),
        ("whpk_" + "A" * 32, 0),
    ],
)
def test_what_can_be_a_secret(text: str, is_one: int) -> None:
    assert PROVIDERS["standard"].is_secret(text) == bool(is_one)
