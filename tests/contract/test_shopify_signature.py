"""Shopify's signature: HMAC-SHA256 over the raw body, in base64, and every way to be wrong.

Shopify has no library for it. The known answers here were made by `openssl dgst -sha256 -hmac`.
"""

import base64

import pytest

from app.conversions.providers import shopify
from app.conversions.providers.registry import PROVIDERS
from tests.contract.shopify_objects import NOW, SECRET, encoded, order, signature

OLD_SECRET = "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"
BODY = encoded(order(email="bäb@example.com"))
GOOD = signature(BODY)
KNOWN = (
    (b"", "hush-hush-hush-hush", "5udf3xxufBI5PchOUlOhJByIn0aSJ+a+jbluFj5bOEQ="),
    (b'{"id":1}', "hush-hush-hush-hush", "gqb/mZI8OCf3/j3Ur1xqzHGfmqHHhNnpOakaVHyc9dw="),
    (b"\xff\x00", "hush-hush-hush-hush", "/k+IPcytOtDzir9M5ZT1RXsuFjcVlo6K6y0VcKaDs8c="),
)


def accepts(header: str | None, *secrets: str, body: bytes = BODY) -> bool:
    headers = {} if header is None else {"X-Shopify-Hmac-Sha256": header}
    return shopify.verify(headers, body, secrets or (SECRET,), now=NOW)


@pytest.mark.parametrize(("body", "secret", "known"), KNOWN)
def test_known_answers(body: bytes, secret: str, known: str) -> None:
    assert accepts(known, secret, body=body)


@pytest.mark.parametrize(
    "name", ["x-shopify-hmac-sha256", "X-Shopify-Hmac-Sha256", "X-SHOPIFY-HMAC-SHA256"]
)
def test_signed_body_is_accepted_whatever_the_header_s_case(name: str) -> None:
    assert shopify.verify({"Host": "x", name: GOOD}, BODY, [SECRET], now=NOW)


@pytest.mark.parametrize("secrets", [(SECRET, OLD_SECRET), (OLD_SECRET, SECRET)])
def test_any_secret_will_do_while_it_is_rolled(secrets: tuple[str, ...]) -> None:
    assert accepts(GOOD, *secrets)
    assert accepts(signature(BODY, OLD_SECRET), *secrets)
    assert not accepts(signature(BODY, SECRET[::-1]), *secrets)


def test_no_time_is_signed() -> None:
    """So a body is accepted whenever it comes: what it says again changes nothing."""
    for at in (NOW.replace(year=2000), NOW.replace(year=2100)):
        headers = {"X-Shopify-Hmac-Sha256": GOOD, "X-Shopify-Triggered-At": "1999-01-01T00:00:00Z"}
        assert shopify.verify(headers, BODY, [SECRET], now=at)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        " ",
        "nonsense",
        GOOD[:-1],
        GOOD[:-2],
        GOOD.lower(),
        f" {GOOD}",
        f"{GOOD}\n",
        f"{GOOD}, {GOOD}",
        f"{signature(BODY, OLD_SECRET)} {GOOD}",
        f"v1,{GOOD}",
        f"sha256={GOOD}",
        GOOD.replace("=", ""),
        base64.b64decode(GOOD).hex(),
        base64.urlsafe_b64encode(base64.b64decode(GOOD) + b"\xff\xfe").decode(),
        f"{GOOD}é",
        "\ud800",
        "\0",
        "A" * 100_000,
        signature(BODY, OLD_SECRET),
    ],
)
def test_malformed_headers_are_refused(bad: str | None) -> None:
    assert not accepts(bad)


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b"", b"\xff\xfe", BODY + b"\0"])
def test_another_body_is_refused(body: bytes) -> None:
    assert not accepts(GOOD, body=body)


@pytest.mark.parametrize("secret", ["", " ", "\ud800"])
def test_senseless_secrets_accept_nothing(secret: str) -> None:
    assert not accepts(GOOD, secret)
    assert not accepts(signature(BODY, ""), "")
    assert not shopify.verify({"X-Shopify-Hmac-Sha256": GOOD}, BODY, [], now=NOW)
    assert accepts(GOOD, secret, SECRET)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (SECRET, 1),
        (OLD_SECRET, 1),
        ("a" * 64, 1),
        ("short", 0),
        ("with a space, and long", 0),
        ("long enough, but not ascii é", 0),
    ],
)
def test_what_can_be_a_secret(text: str, is_one: int) -> None:
    assert PROVIDERS["shopify"].is_secret(text) == bool(is_one)
