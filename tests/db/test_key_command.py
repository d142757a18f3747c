"""`python -m app key`: a way back in when nobody knows an admin key."""

import asyncio

import pytest
from pydantic import SecretStr

from app import commands
from app.auth import Caller, Scope, find_caller
from app.db.engine import Database
from app.ids import encode
from app.program.workspaces.create import create
from app.settings import Settings


@pytest.fixture
def settings(fresh_database: Database) -> Settings:
    return Settings(database_url=SecretStr(fresh_database.url), secret_keys=("-" * 32,))


async def test_it_prints_an_admin_key_of_the_first_workspace_or_of_the_named_one(
    fresh_database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with fresh_database.tx() as tx:
        other = await create(tx, name="Other", mode="test")
        await create(tx, name="Lost", mode="live", first=True)

    async def caller(workspace: str | None = None) -> Caller:
        making = asyncio.to_thread(commands.key, settings, name="Ops", workspace=workspace)
        assert await making == 0
        async with fresh_database.read() as read:
            found = await find_caller(read, capsys.readouterr().out.strip())
        assert found is not None
        return found

    first, named = await caller(), await caller(encode("ws", other.id))
    assert (first.first, first.mode) == (True, "live")
    assert (named.workspace_id, named.mode) == (other.id, "test")
    assert first.scopes == named.scopes == frozenset({Scope.ADMIN})


@pytest.mark.parametrize("workspace", [None, "ws_unheard-of", "ws_01h45ytscbebyvny4gc8cr8ma2"])
async def test_without_such_a_workspace_it_says_so_and_exits_1(
    settings: Settings, capsys: pytest.CaptureFixture[str], workspace: str | None
) -> None:
    assert await asyncio.to_thread(commands.key, settings, name="Ops", workspace=workspace) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert (workspace or "no workspace yet") in printed.err
