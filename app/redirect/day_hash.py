"""A visitor's hash under one day's salt."""

import hashlib
from typing import Final

VISITOR_BYTES: Final = 8
SALT_BYTES: Final = 32
_BLOCK_BYTES: Final = 64
_DOMAIN: Final = b"finderfee visitor\x00"


class DayHash:
    """`DayHash(salt)(workspace, address, agent)`: 8 bytes of an HMAC-SHA256.

    They mean the same visitor on the same day in the same workspace, and nothing else. Both of
    HMAC's hash states are prepared once a day, since every redirect needs them.
    """

    def __init__(self, salt: bytes) -> None:
        assert len(salt) == SALT_BYTES
        block = salt.ljust(_BLOCK_BYTES, b"\x00")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + _DOMAIN)
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def __call__(self, workspace: bytes, address: bytes, agent: bytes) -> bytes:
        """workspace: 16 bytes. address: 255 bytes at most."""
        inner = self._inner.copy()
        # Its length before the address: no two visitors give the same message.
        inner.update(b"%b%c%b%b" % (workspace, len(address), address, agent))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[:VISITOR_BYTES]
