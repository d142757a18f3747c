"""Two web processes and a worker on one database, for all races."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.conftest import copied_database
from tests.e2e.client import GIVEN, Shop, command, open_shop
from tests.service import Service, serve


@pytest.fixture(scope="package")
async def race_database_url(server_url: str, template: str) -> AsyncIterator[str]:
    async for url in copied_database(server_url, template):
        yield url


@pytest.fixture(scope="package")
def services(
    tmp_path_factory: pytest.TempPathFactory, race_database_url: str
) -> Iterator[list[Service]]:
    """A whole service, and beside it another web process with a port of its own.

    After all races every decision and balance has to recompute.
    """
    folders = [tmp_path_factory.mktemp("races") / "data" for _ in range(2)]
    given = GIVEN | {"DATABASE_URL": race_database_url}
    with (
        serve(folders[0], environment=given) as whole,
        serve(folders[1], "--role", "api", environment=given) as other,
    ):
        for role in ("redirect", "api", "worker"):
            whole.ready(role)
        other.ready("api")
        yield [whole, other]
        status, printed = command(whole, "verify", DATABASE_URL=race_database_url)
        assert status == 0, printed


@pytest.fixture(scope="package")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, limits=httpx.Limits(max_connections=64)) as client:
        yield client


@pytest.fixture
def shop(services: list[Service], http: httpx.Client) -> Shop:
    """Each request goes to the other web process than the one before."""
    return open_shop([service.url for service in services], http)
