"""The API on the worker's database, and callers with workspaces of their own."""

import pytest
from fastapi import FastAPI

from app.api import build
from app.db.engine import Database
from app.secret_keys import SecretKeys
from app.settings import Settings
from tests.http.client import Api, new_workspace


@pytest.fixture(scope="session")
def app(database: Database) -> FastAPI:
    return build(database, Settings(), SecretKeys(["a key for tests, 32 characters long"]), _ready)


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
