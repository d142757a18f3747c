"""Commit before the answer; a database that is away is a 503, a bug a 500 without details."""

from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import text

from app.api import build
from app.auth import TxDep
from app.db.engine import Database
from app.secret_keys import SecretKeys
from app.settings import Settings
from tests.http.client import Api, read

KEYS = SecretKeys(["a key for tests, 32 characters long"])


@pytest.fixture
def broken(database: Database) -> FastAPI:
    """The API with routes that break on purpose."""
    app = build(database, Settings(), KEYS, _yes)
    router = APIRouter(prefix="/v1")

    @router.post("/commit")
    async def commit(tx: TxDep) -> dict[str, bool]:
        create = "CREATE TEMP TABLE doubled (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
        await tx.execute(text(f"{create} ON COMMIT DROP"))
        await tx.execute(text("INSERT INTO doubled VALUES (1), (1)"))
        return {"done": True}

    @router.post("/bug")
    async def bug() -> None:
        raise ZeroDivisionError("the secret of the house")

    @router.post("/type")
    async def wrong_type(tx: TxDep) -> None:
        driver = await tx.driver()
        await driver.execute("SELECT $1::int", "no number")

    @router.post("/slow")
    async def slow(tx: TxDep) -> None:
        await tx.execute(text("SET LOCAL statement_timeout = 20"))
        await tx.execute(text("SELECT pg_sleep(5)"))

    app.include_router(router)
    return app


async def test_a_failing_commit_is_no_200(broken: FastAPI) -> None:
    response = await Api(broken, "").send("POST", "/commit")
    assert read(response, 500)["code"] == "internal_error"
    assert "done" not in response.text


async def test_a_bug_tells_no_details(broken: FastAPI) -> None:
    for path in ("/bug", "/type"):
        response = await Api(broken, "").send("POST", path)
        problem = read(response, 500)
        assert "errors" not in problem
        assert "secret" not in response.text
        assert "number" not in response.text


async def test_a_statement_out_of_time_is_a_503(broken: FastAPI) -> None:
    response = await Api(broken, "").send("POST", "/slow")
    assert read(response, 503)["code"] == "unavailable"


@pytest.fixture
async def nowhere() -> AsyncIterator[Database]:
    """Pools on a port where nothing listens."""
    pools = Database("postgresql://postgres@127.0.0.1:1/none")
    yield pools
    await pools.close()


async def test_a_database_that_is_gone_is_a_503(nowhere: Database) -> None:
    app = build(nowhere, Settings(), KEYS, _yes)
    response = await Api(app, "k" * 40).send("GET", "/links")
    assert read(response, 503)["code"] == "unavailable"
    assert int(response.headers["retry-after"]) > 0


async def test_the_api_is_shut_until_the_schema_is_there(api: Api, database: Database) -> None:
    is_ready = False
    app = build(database, Settings(), KEYS, lambda: is_ready)
    response = await Api(app, api.key).send("GET", "/links")
    assert read(response, 503)["code"] == "unavailable"
    assert int(response.headers["retry-after"]) > 0
    is_ready = True
    await Api(app, api.key).get("/links")


async def test_connections_that_postgres_ended_are_replaced(
    api: Api, database: Database, fresh_database: Database
) -> None:
    app = build(database, Settings(), KEYS, _yes)
    await Api(app, api.key).get("/links")
    async with fresh_database.tx() as tx:
        await tx.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = :name"
            ),
            {"name": database.url.rsplit("/", 1)[1].split("?")[0]},
        )
    await Api(app, api.key).get("/links")


def _yes() -> bool:
    return True
