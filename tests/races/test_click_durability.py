"""kill -9 of the redirecting process at random moments under load.

FINDERFEE_KILLS tells how often; 30 times by default.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

from app.core.click_token import verify
from app.secret_keys import SecretKeys
from tests.races.serve_road import SECRET
from tests.redirect.making import connected, make_link
from tests.service import START_S, free_port

KILLS = int(os.environ.get("FINDERFEE_KILLS", "30"))
VISITORS = 32
CODES = [f"code{n}" for n in range(20)]
KEYS = SecretKeys([SECRET]).click_keys


async def test_no_answered_click_is_lost_or_counted_twice(
    fresh_database_url: str, tmp_path: Path
) -> None:
    for code in CODES:
        await make_link(fresh_database_url, code)
    answered: set[UUID] = set()
    dice = random.Random()
    rounds = []
    for _ in range(KILLS):
        async with redirector(tmp_path, fresh_database_url) as (process, port):
            before = len(answered)
            visiting = [asyncio.create_task(visit(port, answered)) for _ in range(VISITORS)]
            await asyncio.sleep(dice.uniform(0.05, 0.8))
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await asyncio.gather(*visiting)
            rounds.append(len(answered) - before)
    # On a crowded machine a process may be killed before it has answered anybody.
    assert rounds.count(0) <= KILLS // 5, rounds
    async with redirector(tmp_path, fresh_database_url):
        found = await settled(fresh_database_url, answered)
    assert answered <= found, f"{len(answered - found)} of {len(answered)} answered clicks lost"
    async with connected(fresh_database_url) as connection:
        counted = await connection.fetchval("SELECT sum(clicks) FROM link_clicks")
    assert counted == len(found)


async def visit(port: int, answered: set[UUID]) -> None:
    """Open links, one after the other, until the process is gone."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        # Killed before this one's turn came.
        return
    try:
        while True:
            code = random.choice(CODES)
            writer.write(f"GET /r/{code} HTTP/1.1\r\nHost: x\r\nUser-Agent: v\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 302"), head
            token = verify(head.partition(b"click_id=")[2][:60].decode(), KEYS)
            assert token is not None
            answered.add(token.click_id)
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        await end(writer)


async def end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def settled(url: str, answered: set[UUID]) -> set[UUID]:
    """What Postgres has, once all answered clicks are there or nothing comes any more."""
    found: set[UUID] = set()
    async with connected(url) as connection:
        for _ in range(60):
            rows = await connection.fetch("SELECT id FROM clicks")
            found, before = {row["id"] for row in rows}, found
            if answered <= found and len(found) == len(before):
                break
            await asyncio.sleep(0.25)
    return found


@asynccontextmanager
async def redirector(
    data_dir: Path, url: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.races.serve_road", str(port), url, str(data_dir)
    )
    try:
        async with asyncio.timeout(START_S):
            while not await sends_on(port):
                await asyncio.sleep(0.05)
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def sends_on(port: int) -> bool:
    """Not yet: nothing listens, or the first start has no links yet and asks Postgres."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /r/code0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    await end(writer)
    return answer.startswith(b"HTTP/1.1 302")
