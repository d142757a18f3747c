"""The installation's secret keys: one derived key a purpose, the first signs, all verify."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.settings import Settings

MIN_LENGTH: Final = 32
_NONCE_BYTES: Final = 12


class SecretKeyError(RuntimeError):
    """The keys are missing, too short, or not those that sealed something."""


class SecretKeys:
    """`SecretKeys(["…32 characters or more…"])`; older keys follow the one in use."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SecretKeyError("FINDERFEE_SECRET_KEYS is required with DATABASE_URL")
        if any(len(key) < MIN_LENGTH for key in keys):
            raise SecretKeyError(f"FINDERFEE_SECRET_KEYS: {MIN_LENGTH} characters or more each")
        self.click_keys: Final = tuple(_derive(key, "click token") for key in keys)
        """32 bytes each; the first signs click tokens, all verify them."""
        self._sealing: Final = tuple(AESGCM(_derive(key, "sealed secrets")) for key in keys)

    def seal(self, plain: bytes, *, owner: bytes) -> bytes:
        """Encrypt with the first key. owner: what it belongs to, needed again to open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._sealing[0].encrypt(nonce, plain, owner)

    def open(self, sealed: bytes, *, owner: bytes) -> bytes:
        """Decrypt with whichever key sealed it; SecretKeyError if none did."""
        for cipher in self._sealing:
            try:
                return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner)
            except InvalidTag:
                continue
        raise SecretKeyError("no key in FINDERFEE_SECRET_KEYS opens this secret")


def load(settings: Settings) -> SecretKeys:
    """From the settings; without DATABASE_URL from the data folder, made there once (0600)."""
    if settings.secret_keys or settings.database_url:
        return SecretKeys([key.get_secret_value() for key in settings.secret_keys])
    return SecretKeys([_own_key(settings.data_dir / "secret.key")])


def _own_key(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        # Written beside and linked into place, so two starts at once end with one key, whole.
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def _derive(key: str, purpose: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"finderfee {purpose}".encode())
    return hkdf.derive(key.encode())
