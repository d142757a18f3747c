"""Whom the embedded Postgres runs as: never root, and still able to reach its folders."""

import os
import shutil
from pathlib import Path
from typing import Final

SERVER_UID: Final = 65432
"""Whom the server runs as when we are root; it needs no entry in the user database."""

_CAPABILITIES: Final = {"dac_override": 1, "dac_read_search": 2, "setpcap": 8}
"""Their bits, from linux/capability.h."""


class EmbeddedPostgresError(RuntimeError):
    """The server can't be made, started or reached; the message says what to do."""


def server_uid(home: Path) -> int:
    """Who owns an existing cluster; else ourselves, or a user of its own if we are root."""
    data = home / "data"
    if data.exists():
        owner = data.stat().st_uid
        if os.geteuid() not in {0, owner}:
            raise EmbeddedPostgresError(f"{data} belongs to user {owner}; start as that user")
        return owner
    return os.geteuid() or SERVER_UID


def as_user(uid: int) -> list[str]:
    """The prefix that runs a command as another user who still reaches our folders."""
    if uid == os.geteuid():
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedPostgresError(
            "as root the embedded Postgres needs setpriv (util-linux): install it, "
            "start as another user, or set DATABASE_URL"
        )
    command = [setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
    held = _held_capabilities()
    # The least one that opens folders of mode 0700 on the way; containers leave us different ones.
    reaching = next((name for name in ("dac_read_search", "dac_override") if name in held), None)
    if reaching:
        command += [f"--inh-caps=-all,+{reaching}", f"--ambient-caps=-all,+{reaching}"]
    if reaching and "setpcap" in held:
        # Without this bit access(2), by which initdb looks for its neighbours, ignores the rest.
        command.append("--securebits=+no_setuid_fixup")
    return command


def _held_capabilities() -> frozenset[str]:
    permitted = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapPrm:"):
            permitted = int(line.split()[1], 16)
    return frozenset(name for name, bit in _CAPABILITIES.items() if permitted >> bit & 1)
