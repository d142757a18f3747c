import base64
import os
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.click_token import LENGTH, ClickToken, sign, verify
from app.core.traffic import CLASSES

KEY, OLDER, FOREIGN = (bytes([n]) * 32 for n in (1, 2, 3))
CLICK = UUID("01932f2a-8f3c-7abc-8def-0123456789ab")
LINK = UUID("01932f2a-0000-7000-8000-00000000beef")
TOKEN = ClickToken(CLICK, LINK, "human")

uuid7s = st.tuples(
    st.integers(0, 253_402_300_799_999), st.integers(0, 2**12 - 1), st.integers(0, 2**62 - 1)
).map(lambda p: UUID(int=p[0] << 80 | 7 << 76 | p[1] << 64 | 2 << 62 | p[2]))
tokens = st.builds(ClickToken, uuid7s, st.uuids(), st.sampled_from(sorted(CLASSES)))


@given(tokens)
def test_a_signed_token_comes_back_whole(token: ClickToken) -> None:
    text = sign(token, [KEY])
    assert len(text) == LENGTH
    assert len(base64.urlsafe_b64decode(text)) == 45
    assert verify(text, [KEY]) == token


def test_signing_is_stable_across_releases() -> None:
    assert sign(TOKEN, [KEY]) == GOLDEN


GOLDEN = "HAEBky8qjzx6vI3vASNFZ4mrAZMvKgAAcACAAAAAAAC-78FT5gm9-Hf3wQod"


def test_every_single_bit_is_protected() -> None:
    signed = base64.urlsafe_b64decode(sign(TOKEN, [KEY]))
    for bit in range(len(signed) * 8):
        flipped = bytearray(signed)
        flipped[bit // 8] ^= 1 << bit % 8
        assert verify(base64.urlsafe_b64encode(flipped).decode(), [KEY]) is None


def test_older_keys_verify_wherever_they_stand() -> None:
    text = sign(TOKEN, [OLDER])
    assert verify(text, [KEY, OLDER]) == TOKEN
    assert verify(text, [OLDER, KEY]) == TOKEN
    assert verify(text, [KEY, FOREIGN]) is None
    assert verify(text, []) is None


@pytest.mark.parametrize(
    "spell",
    [
        lambda t: t[:0],
        lambda t: t + "\n",
        lambda t: " " + t,
        lambda t: t[:-1],
        lambda t: t + "A",
        lambda t: t[:-1] + "=",
        lambda t: t[:-4] + "====",
        lambda t: t[:-1] + "é",
        lambda t: t[:-1] + "٣",
        lambda t: t[:-1] + "\x00",
        lambda t: t[:-1] + "\ud800",
    ],
)
def test_other_spellings_are_refused(spell: Callable[[str], str]) -> None:
    text = sign(TOKEN, [KEY])
    assert verify(text, [KEY]) == TOKEN
    assert verify(spell(text), [KEY]) is None


def test_the_standard_alphabet_is_no_second_spelling() -> None:
    texts = (sign(ClickToken(CLICK, UUID(int=n), "human"), [KEY]) for n in range(200))
    text = next(t for t in texts if "-" in t or "_" in t)
    assert verify(text.replace("-", "+").replace("_", "/"), [KEY]) is None


@given(
    st.text(max_size=80)
    | st.binary(min_size=45, max_size=45).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_anything_else_is_none(text: str) -> None:
    assert verify(text, [KEY, OLDER]) is None


def test_a_token_tells_when_the_link_was_opened() -> None:
    at = datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC)
    ms = int(at.timestamp() * 1000)
    click = UUID(int=ms << 80 | 7 << 76 | 2 << 62 | int.from_bytes(os.urandom(4)))
    assert ClickToken(click, LINK, "human").at == at


def test_only_uuid7s_with_a_time_we_can_hold_are_clicks() -> None:
    for click in (UUID(int=LINK.int ^ 3 << 76), UUID(int=CLICK.int | 0xFFFF_FFFF_FFFF << 80)):
        assert verify(sign(ClickToken(click, LINK, "human"), [KEY]), [KEY]) is None
