"""Chargebee signs nothing: who knows user and password is let in, in whatever words it is sent."""

from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest

from app.conversions.providers import chargebee
from app.conversions.providers.registry import PROVIDERS
from tests.contract import chargebee_objects as objects

SECRET, OLD_SECRET = "chargebee:new-pässword>>?", "chargebee:old-password"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
GOOD = objects.authorized(SECRET)
ENCODED = GOOD.partition(" ")[2]


def accepts(header: str | None, *secrets: str, now: datetime = NOW) -> bool:
    headers = {} if header is None else {"Authorization": header}
    return chargebee.verify(headers, b"any", secrets or (SECRET,), now=now)


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_user_and_password_are_accepted_whatever_the_case_around_them(
    name: str, scheme: str
) -> None:
    headers = {"Host": "x", name: f"{scheme} {ENCODED}"}
    assert chargebee.verify(headers, b"any", [SECRET], now=NOW)


def test_a_password_may_have_colons() -> None:
    secret = "user:a:b:c"
    assert chargebee.is_secret(secret)
    assert accepts(objects.authorized(secret), secret)
    assert not accepts(objects.authorized("user:a:b"), secret)


@pytest.mark.parametrize("secrets", [(SECRET, OLD_SECRET), (OLD_SECRET, SECRET)])
def test_any_secret_will_do_while_it_is_changed(secrets: tuple[str, str]) -> None:
    for secret in secrets:
        assert accepts(objects.authorized(secret), *secrets)
    assert not accepts(objects.authorized("chargebee:other"), *secrets)


@pytest.mark.parametrize("off", [timedelta(days=-3_650), timedelta(0), timedelta(days=3_650)])
def test_nothing_tells_the_time_of_a_request(off: timedelta) -> None:
    assert accepts(GOOD, now=NOW + off)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        " ",
        "Basic",
        "Basic ",
        ENCODED,
        f"Bearer {ENCODED}",
        f" Basic {ENCODED}",
        f"Basic  {ENCODED}",
        f"Basic\t{ENCODED}",
        f"Basic {ENCODED} ",
        f"Basic {ENCODED}\n",
        f"Basic {ENCODED},Basic {ENCODED}",
        f"Basic {ENCODED} {ENCODED}",
        f"Basic {ENCODED[:-4]}",
        f"Basic {ENCODED.rstrip('=')}!",
        f"Basic {ENCODED}====",
        f"Basic {SECRET}",
        "Basic é",
        "Basic \ud800",
        "Basic ====",
        f"Basic {urlsafe_b64encode(SECRET.encode()).decode()}",
        f"Basic {b64encode(SECRET.encode('latin-1')).decode()}",
        f"Basic {b64encode(SECRET.encode('utf-16')).decode()}",
        f"Basic {b64encode(SECRET.upper().encode()).decode()}",
        f"Basic {b64encode((SECRET + ' ').encode()).decode()}",
        f"Basic {b64encode(SECRET.encode() + bytes(1)).decode()}",
        f"Basic {b64encode(b':').decode()}",
        f"Basic {b64encode(bytes([255] * 99)).decode()}",
    ],
)
def test_malformed_headers_are_refused(bad: str | None) -> None:
    assert not accepts(bad)


@pytest.mark.parametrize("secret", ["", ":", "user", "user:", ":password", "\ud800"])
def test_half_a_secret_lets_nobody_in(secret: str) -> None:
    assert not chargebee.is_secret(secret)
    assert not PROVIDERS["chargebee"].is_secret(secret)
    encoded = b64encode(secret.encode(errors="surrogatepass")).decode()
    assert not accepts(f"Basic {encoded}", secret)
    assert not chargebee.verify({"Authorization": GOOD}, b"any", [], now=NOW)
    assert accepts(GOOD, secret, SECRET)
