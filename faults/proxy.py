"""A way to Postgres that can be refused, hang, be slow, or reset connections at random.

A process of its own (`python -m faults.proxy URL SEED`), so that its work delays no visitor that
is measured. It prints its port, then obeys lines: pass, refuse, hang, slow S, reset S.
"""

import asyncio
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import make_url

RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Way:
    """The proxy as a fault sees it."""

    url: str
    process: "subprocess.Popen[str]"

    def tell(self, order: str) -> None:
        """Returns once the order is obeyed."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != order:
            raise SystemExit(f"the proxy did not obey {order!r}")


@contextmanager
def proxy_to(url: str, seed: int) -> Iterator[Way]:
    process = subprocess.Popen(
        [sys.executable, "-m", "faults.proxy", url, str(seed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    try:
        port = int(process.stdout.readline())
        own = make_url(url).set(host="127.0.0.1", port=port)
        own = own.difference_update_query(["host", "port"])
        yield Way(own.render_as_string(hide_password=False), process)
    finally:
        process.stdin.close()
        process.wait(5)
        process.stdout.close()


class Proxy:
    """Connections in pairs; every order holds for those that are open, too."""

    def __init__(self, url: str, seed: int) -> None:
        self._upstream = make_url(url)
        self._dice = random.Random(seed)
        self._passes = asyncio.Event()
        self._passes.set()
        self._refuses = False
        self._delay_s = 0.0
        self._reset_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self) -> None:
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            self._obey(line.strip())
            print(line.strip(), flush=True)
        self._reset_all()
        server.close()

    def _obey(self, order: str) -> None:
        name, _, seconds = order.partition(" ")
        self._refuses = name == "refuse"
        self._delay_s = float(seconds) if name == "slow" else 0.0
        self._reset_s = float(seconds) if name == "reset" else 0.0
        if name == "hang":
            self._passes.clear()
        else:
            self._passes.set()
        if name == "refuse":
            self._reset_all()

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            _reset(writer)
            return
        folder = self._upstream.query.get("host")
        port = self._upstream.port or 5432
        try:
            if isinstance(folder, str):
                back, forth = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.{port}")
            else:
                back, forth = await asyncio.open_connection(self._upstream.host, port)
        except OSError:
            _reset(writer)
            return
        self._writers |= {writer, forth}
        breaking = asyncio.create_task(self._break(writer))
        try:
            await asyncio.gather(self._copy(reader, forth), self._copy(back, writer))
        finally:
            breaking.cancel()
            self._writers -= {writer, forth}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                await self._passes.wait()
                writer.write(chunk)
                await writer.drain()
        with suppress(OSError):
            writer.close()

    async def _break(self, writer: asyncio.StreamWriter) -> None:
        """Reset the connection after a random while, if that is the order then."""
        while True:
            mean_s = self._reset_s
            await asyncio.sleep(self._dice.expovariate(1 / mean_s) if mean_s else 0.1)
            if mean_s and self._reset_s:
                _reset(writer)
                return


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset, as a crashed host or a firewall does."""
    opened = writer.get_extra_info("socket")
    if opened is not None and opened.family == socket.AF_INET:
        with suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(Proxy(sys.argv[1], int(sys.argv[2])).serve())
