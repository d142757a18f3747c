"""The click id that leaves the house: 45 signed bytes in 60 base64url characters.

version and key number 1 · class 1 · click id 16 (UUIDv7) · link id 16 · MAC 11.
It proves that our link was opened, not by whom.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from uuid import UUID

from app.core.records import record
from app.core.traffic import CLASSES, NAMES

LENGTH: Final = 60
_VERSION: Final = 1
_BODY_BYTES: Final = 34
_MAC_BYTES: Final = 11
_BLOCK_BYTES: Final = 64
_DOMAIN: Final = b"finderfee click token 1\x00"
_SHAPE: Final = re.compile(rf"[A-Za-z0-9_-]{{{LENGTH}}}")
_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999  # the end of year 9999, the last that a datetime holds


@record
class ClickToken:
    """What a click id says: which click on which link, and what opened it."""

    click_id: UUID
    link_id: UUID
    traffic_class: str

    @property
    def at(self) -> datetime:
        """When the link was opened, to the millisecond: the UUIDv7's own time."""
        return _EPOCH + timedelta(milliseconds=self.click_id.int >> 80)


class Signer:
    """Makes tokens with one key: `Signer(key).text(1, click, link)`.

    Both of HMAC's hash states are prepared once, since every redirect signs.
    """

    def __init__(self, key: bytes) -> None:
        block = (key if len(key) <= _BLOCK_BYTES else hashlib.sha256(key).digest()).ljust(
            _BLOCK_BYTES, b"\x00"
        )
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + _DOMAIN)
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
        self._heads = {
            number: bytes((_VERSION << 4 | _key_number(key), number)) for number in NAMES
        }

    def text(self, class_number: int, click: bytes, link: bytes) -> bytes:
        """The token as ASCII. click, link: the 16 bytes of each id."""
        body = self._heads[class_number] + click + link
        inner = self._inner.copy()
        inner.update(body)
        outer = self._outer.copy()
        outer.update(inner.digest())
        signed = body + outer.digest()[:_MAC_BYTES]
        return b2a_base64(signed, newline=False).translate(_URLSAFE)


def sign(token: ClickToken, keys: Sequence[bytes]) -> str:
    """Sign with the first key; KeyError for a class that is none."""
    number = CLASSES[token.traffic_class]
    return Signer(keys[0]).text(number, token.click_id.bytes, token.link_id.bytes).decode()


def verify(text: str, keys: Sequence[bytes]) -> ClickToken | None:
    """The token that one of our keys signed; None for anything else, however malformed."""
    # 60 characters hold 45 bytes to the bit, so one token has one spelling.
    if _SHAPE.fullmatch(text) is None:
        return None
    signed = urlsafe_b64decode(text)
    body, mac = signed[:_BODY_BYTES], signed[_BODY_BYTES:]
    for key in keys:
        if body[0] == _VERSION << 4 | _key_number(key):
            expected = hmac.digest(key, _DOMAIN + body, "sha256")[:_MAC_BYTES]
            if hmac.compare_digest(mac, expected):
                return _read(body)
    return None


def _read(body: bytes) -> ClickToken | None:
    click_id = UUID(bytes=body[2:18])
    name = NAMES.get(body[1])
    if name is None or click_id.version != 7 or click_id.int >> 80 > _LAST_MS:
        return None
    return ClickToken(click_id, UUID(bytes=body[18:34]), name)


@cache
def _key_number(key: bytes) -> int:
    """4 bits that stay with a key wherever it stands in the list; a hint, not a proof."""
    return hashlib.sha256(b"finderfee key number\x00" + key).digest()[0] & 0x0F
