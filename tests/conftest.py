"""One Postgres for the whole run, one database for each worker, and no way out to the network.

The server is TEST_DATABASE_URL's, or an embedded one that the first test in need starts and the
run's own process stops. Databases are copies of a template that is migrated once.
"""

import asyncio
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from app.db import embedded
from app.db.engine import Database
from app.db.migrate import upgrade
from app.db.tx import Tx

RUN = "FINDERFEE_TEST_RUN"
"""The run's own folder, handed to the workers by environment."""
_numbers = count(1)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = tempfile.mkdtemp(prefix="ff-test-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """The workers have ended: drop the run's databases, or the embedded server with them."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(os.environ.pop(RUN))
    if (folder / "postgres").exists():
        embedded.stop(folder)
    elif (folder / "template").exists():
        asyncio.run(_drop_all(folder))
    shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def no_outside_network() -> Iterator[None]:
    """Only this machine, and the host of TEST_DATABASE_URL, can be reached."""
    allowed: set[object] = {"127.0.0.1", "::1", "localhost", "", None}
    if given := os.environ.get("TEST_DATABASE_URL"):
        allowed.add(make_url(given).host)
        allowed |= {found[4][0] for found in socket.getaddrinfo(make_url(given).host, None)}
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in allowed:
            raise RuntimeError(f"a test reached for the network: {address}")
        connect(self, address)  # type: ignore[arg-type]

    def guarded_resolve(host: object, *rest: object, **named: object) -> object:
        if host not in allowed:
            raise RuntimeError(f"a test looked up a name: {host!r}")
        return resolve(host, *rest, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        yield


@pytest.fixture(scope="session")
async def server_url() -> str:
    """The server on which the run's databases are made; its own database stays untouched."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        return given
    return await asyncio.to_thread(embedded.start, _folder(), fsync=False)


@pytest.fixture(scope="session")
async def template(server_url: str) -> str:
    """The name of the migrated database that all others are copies of; made once a run."""
    name = f"{_prefix(_folder())}_template"
    with _locked():
        if not (_folder() / "template").exists():
            await _execute(server_url, f'CREATE DATABASE "{name}"')
            await upgrade(_on(server_url, name))
            (_folder() / "template").touch()
    return name


@pytest.fixture(scope="session")
async def database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """This worker's database: tests share it, so each makes a workspace of its own."""
    async for url in copied_database(server_url, template):
        yield url


@pytest.fixture
async def fresh_database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """A database for this test alone, migrated and empty."""
    async for url in copied_database(server_url, template):
        yield url


@pytest.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """Pools on the worker's database; what is committed stays until the run ends."""
    pools = Database(database_url)
    yield pools
    await pools.close()


@pytest.fixture
async def fresh_database(fresh_database_url: str) -> AsyncIterator[Database]:
    """Pools on a database for this test alone."""
    pools = Database(fresh_database_url)
    yield pools
    await pools.close()


@pytest.fixture
async def db(database: Database) -> AsyncIterator[Tx]:
    """A transaction that is rolled back after the test."""
    async with database._engine.connect() as connection:
        transaction = await connection.begin()
        yield Tx(connection)
        await transaction.rollback()


async def copied_database(server_url: str, template: str) -> AsyncIterator[str]:
    """The URL of a new copy of the template, dropped when the iteration goes on."""
    name = f"{_prefix(_folder())}_{os.getpid()}_{next(_numbers)}"
    # Two copies at once would see each other's connection to the template.
    with _locked():
        await _execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield _on(server_url, name)
    await _execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


async def _drop_all(folder: Path) -> None:
    connection = await asyncpg.connect(os.environ["TEST_DATABASE_URL"])
    try:
        left = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", _prefix(folder)
        )
        for row in left:
            await connection.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
    finally:
        await connection.close()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def _locked() -> Iterator[None]:
    """One worker at a time; the kernel gives the lock back if one dies."""
    with (_folder() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _folder() -> Path:
    return Path(os.environ[RUN])


def _prefix(folder: Path) -> str:
    return folder.name.replace("-", "_").lower()


def _on(server_url: str, name: str) -> str:
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)
