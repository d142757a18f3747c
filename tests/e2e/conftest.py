"""One whole service for all stories, each told in a workspace of its own."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.conftest import copied_database
from tests.e2e.client import GIVEN, Shop, open_shop
from tests.service import Service, serve


@pytest.fixture(scope="package")
async def story_database_url(server_url: str, template: str) -> AsyncIterator[str]:
    async for url in copied_database(server_url, template):
        yield url


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, story_database_url: str) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("story") / "data"
    with serve(folder, environment=GIVEN | {"DATABASE_URL": story_database_url}) as running:
        running.ready("redirect")
        running.ready("api")
        running.ready("worker")
        yield running


@pytest.fixture(scope="package")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


@pytest.fixture
def shop(service: Service, http: httpx.Client) -> Shop:
    """A workspace with a program that pays 20 %, held for 14 days."""
    return open_shop([service.url], http)
