"""The API on the worker's database, and callers with workspaces of their own."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from fastapi import FastAPI

from app.api import build
from app.db.engine import Database
from app.redirect.journal import Journal
from app.redirect.record import Recorder
from app.redirect.visits import Visits
from app.secret_keys import SecretKeys
from app.settings import Settings
from tests.http.client import Api, new_workspace
from tests.http.hosts import Hosts


@pytest.fixture(scope="session")
async def journal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Journal]:
    """Where the API writes the clicks that it is told of; nothing drains it here."""
    journal = Journal(tmp_path_factory.mktemp("journal"), max_bytes=2_000_000_000)
    yield journal
    await journal.close()


@pytest.fixture(scope="session")
async def hosts() -> AsyncIterator[Hosts]:
    """The DNS and the web that the API meets when it calls out: empty until a test fills it."""
    async with Hosts() as hosts:
        yield hosts


@pytest.fixture(scope="session")
def app(
    database: Database, journal: Journal, hosts: Hosts, tmp_path_factory: pytest.TempPathFactory
) -> FastAPI:
    keys = SecretKeys(["a key for tests, 32 characters long"])
    # httpx calls from 127.0.0.1.
    settings = Settings(trusted_proxies=(ip_network("127.0.0.0/8"),), country_header="cf-ipcountry")
    visits = Visits(settings, tmp_path_factory.mktemp("node"), keys)
    app = build(database, settings, keys, _ready, Recorder(journal, keys.click_keys, visits))
    app.state.outgoing = hosts.outgoing("127.0.0.0/8")
    return app


@pytest.fixture
async def api(app: FastAPI, database: Database) -> Api:
    """An admin of a workspace that only this test knows."""
    return await new_workspace(app, database)


@pytest.fixture
async def stranger(app: FastAPI, database: Database) -> Api:
    """An admin of another workspace."""
    return await new_workspace(app, database)


def _ready() -> bool:
    return True
