"""Whom the embedded Postgres runs as: never root, and still able to reach its folders."""

import os
import shutil
from pathlib import Path
from typing import Final

SERVER_UID: Final = 65432
"""Whom the server runs as when we are root; it needs no entry in the user database."""


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
    capability = _reaching_capability()
    if capability:
        command += [f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}"]
    return command


def _reaching_capability() -> str:
    """The least capability of ours that opens 0700 folders on the way; containers differ."""
    held = 0
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapPrm:"):
            held = int(line.split()[1], 16)
    for name, bit in (("dac_read_search", 2), ("dac_override", 1)):
        if held >> bit & 1:
            return name
    return ""
