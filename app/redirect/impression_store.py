"""Impressions into Postgres: each batch once, whatever became of the attempt before.

A writer's batches are numbered, and its row in Postgres holds the last number that was added, in
the same transaction. So a batch whose commit was left unanswered is sent again and not added again.
"""

import asyncio
import os
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import orjson
import structlog

from app.redirect.folders import orphaned_folders
from app.redirect.impressions import BATCH_KEYS, Batch, Tally
from app.redirect.metrics import FAILURES, IMPRESSIONS_STORED
from app.redirect.postgres import CONNECTION_FAILURES, connect

if TYPE_CHECKING:
    from app.redirect.postgres import Connection

STORE_S: Final = 1.0
LEFT: Final = "impressions-*.json"
_SWEEP_S: Final = 10.0
_STATEMENT_S: Final = 10.0
_LAST_S: Final = 0.3
"""Within what the parent gives a process to end; what is left then is in a file."""
_EPOCH: Final = date(1970, 1, 1)

# Sorted, so that two processes with the same links can't wait for each other.
_STORE: Final = """
    WITH fresh AS (
        INSERT INTO impression_writers AS old (id, batch) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET batch = excluded.batch WHERE old.batch < excluded.batch
        RETURNING id
    ), added AS (
        INSERT INTO link_impressions AS old (link_id, on_day, traffic_class, impressions)
        SELECT counted.*
        FROM fresh, unnest($3::uuid[], $4::date[], $5::smallint[], $6::bigint[]) AS counted
        ORDER BY 1, 2, 3
        ON CONFLICT (link_id, on_day, traffic_class)
        DO UPDATE SET impressions = old.impressions + excluded.impressions
    )
    SELECT count(*) FROM fresh
"""

log = structlog.get_logger()


async def store_own(tally: Tally, database_url: str) -> None:
    """The task that empties a tally each second; until something fails."""
    while True:
        # Who shows no pixels needs no connection.
        if tally.seal() is not None:
            async with connect(database_url, timeout_s=_STATEMENT_S) as connection:
                await _keep_emptying(tally, connection)
        await asyncio.sleep(STORE_S)


async def keep_taking_up(folder: Path, database_url: str) -> None:
    """Store what ended processes left, here and in nobody's folders: at once and every 10 s."""
    while True:
        if any(folder.parent.glob(f"web-*/{LEFT}")):
            # Connected before anything is locked, as for left journals.
            async with connect(database_url, timeout_s=_STATEMENT_S) as connection:
                with orphaned_folders(folder.parent) as folders:
                    await _take_up_all(connection, [folder, *folders])
        await asyncio.sleep(_SWEEP_S)


async def finish(tally: Tally, folder: Path, database_url: str) -> None:
    """At a process' end: what waits goes to a file first, then to Postgres if that is there."""
    batches = []
    while (batch := tally.seal()) is not None:
        batches.append(batch)
        tally.settle()
    if not batches:
        return
    path = folder / LEFT.replace("*", batches[0].writer.hex)
    try:
        await asyncio.to_thread(_write, path, batches)
    except OSError:
        log.exception("impressions.not_written", path=str(path))
    try:
        async with asyncio.timeout(_LAST_S), connect(database_url, timeout_s=_LAST_S) as connection:
            for batch in batches:
                await store(connection, batch)
    except CONNECTION_FAILURES as error:
        log.warning("impressions.left", path=str(path), error=repr(error))
    else:
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def store(connection: "Connection", batch: Batch) -> None:
    """Add a batch, in one transaction, unless it was added before."""
    writer, number, counts = batch
    links, days, classes = zip(*counts, strict=True)
    added = await connection.fetchval(
        _STORE,
        writer,
        number,
        [UUID(bytes=link) for link in links],
        [_EPOCH + timedelta(days=day) for day in days],
        classes,
        list(counts.values()),
    )
    if added:
        IMPRESSIONS_STORED.inc(sum(counts.values()))


def _write(path: Path, batches: list[Batch]) -> None:
    """Whole or not at all, also if the machine ends meanwhile."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(orjson.dumps([_as_json(batch) for batch in batches]))
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


async def _keep_emptying(tally: Tally, connection: "Connection") -> None:
    while not connection.is_closed():
        batch = tally.seal()
        if batch is not None:
            await store(connection, batch)
            tally.settle()
        if batch is None or len(batch.counts) < BATCH_KEYS:
            await asyncio.sleep(STORE_S)


async def _take_up_all(connection: "Connection", folders: Iterable[Path]) -> None:
    for path in [path for folder in folders for path in sorted(folder.glob(LEFT))]:
        try:
            await _take_up(connection, path)
        except ValueError:
            # It stays for a person to look at; the others must not wait for it.
            FAILURES.labels("left_impressions").inc()
            log.exception("impressions.unreadable", path=str(path))


async def _take_up(connection: "Connection", path: Path) -> None:
    """Store a left file's batches, then remove it; ValueError if it is not what `_write` wrote."""
    for batch in _read(await asyncio.to_thread(path.read_bytes)):
        await store(connection, batch)
    await asyncio.to_thread(path.unlink)


def _as_json(batch: Batch) -> dict[str, object]:
    rows = [[link.hex(), day, number, count] for (link, day, number), count in batch.counts.items()]
    return {"writer": batch.writer.hex, "number": batch.number, "counts": rows}


def _read(raw: bytes) -> list[Batch]:
    try:
        return [
            Batch(
                UUID(one["writer"]),
                one["number"],
                {
                    (bytes.fromhex(link), day, kind): count
                    for link, day, kind, count in one["counts"]
                },
            )
            for one in orjson.loads(raw)
        ]
    except (KeyError, TypeError) as error:
        raise ValueError("not a file of impressions") from error
