"""The API file, fuzzed: whatever is sent, the answer is one that the file tells of, and no 5xx.

`make fuzz` takes longer and another seed each time: FUZZ_SECONDS and FUZZ_SEED set both.
"""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import copied_database
from tests.contract.fuzzing import objects, run
from tests.e2e.client import ADMIN_KEY, GIVEN, Shop, set_up
from tests.service import serve

SEED = int(os.environ.get("FUZZ_SEED", "20261122"))
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))
NOWHERE = {
    "FINDERFEE_DNS_SERVER": "127.0.0.1:9",
    "FINDERFEE_STRIPE_API": "http://127.0.0.1:9",
}
"""The service calls no host that is made up here."""
REACHED = 0.7
"""The share of operations that were done at least once; the others were refused for good reason."""


@pytest.fixture
async def own_database_url(server_url: str, template: str) -> AsyncIterator[str]:
    async for url in copied_database(server_url, template):
        yield url


def test_every_answer_is_one_that_the_document_tells_of(
    own_database_url: str, tmp_path: Path
) -> None:
    given = GIVEN | NOWHERE | {"DATABASE_URL": own_database_url}
    with (
        serve(tmp_path / "fuzz/data", environment=given) as service,
        httpx.Client(timeout=20) as http,
    ):
        for role in ("redirect", "api", "worker"):
            service.ready(role)
        shop = set_up(Shop([service.url], ADMIN_KEY, http))
        lasting = {kind: [one] for kind, one in objects(shop).items()}
        # What is deleted and erased are the objects of a second program.
        passing = {kind: [one] for kind, one in objects(set_up(shop)).items()}
        findings = run(
            shop, lasting=lasting, passing=passing, seed=SEED, seconds=SECONDS, folder=tmp_path
        )
        bugs = [line for line in service.log.read_text().splitlines() if '"api.bug"' in line]
        sys.stdout.write(findings.printed)
        assert not findings.failed, findings.printed
        assert not bugs
        assert shop.get("/keys"), "the key that asked was revoked"
        paths = http.get(f"{service.url}/openapi.json").json()["paths"]
    operations = {f"{method.upper()} {path}" for path, of in paths.items() for method in of}
    refused = findings.never_done(operations)
    assert len(refused) < (1 - REACHED) * len(operations), refused
