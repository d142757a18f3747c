"""`preload.c`, compiled, and the orders that the processes under it obey at once."""

import errno
import mmap
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ORDERS = struct.Struct("=qq")


@dataclass(frozen=True)
class Preload:
    """environment: for the service that shall obey."""

    environment: dict[str, str]
    _orders: mmap.mmap

    def clock(self, ahead_s: float) -> None:
        """Set the wall clock ahead of the true one, or behind it; never the monotonic one."""
        self._orders[:8] = struct.pack("=q", round(ahead_s * 1e9))

    def break_sync(self, *, broken: bool) -> None:
        self._orders[8:16] = struct.pack("=q", errno.EIO if broken else 0)


def preload(folder: Path) -> Preload:
    """Compile into the folder; needs gcc."""
    library, orders = folder / "preload.so", folder / "orders"
    source = Path(__file__).with_name("preload.c")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    orders.write_bytes(_ORDERS.pack(0, 0))
    with orders.open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), _ORDERS.size)
    return Preload({"LD_PRELOAD": str(library), "FAULTS_ORDERS": str(orders)}, mapped)
