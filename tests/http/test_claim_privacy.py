"""What claims say of people is handed out to them, and found nowhere once they are erased."""

from typing import Any

import pytest

from app.db.engine import Database
from tests.canary import canaries, gather_statistics, where
from tests.http.bringing import pending, tell
from tests.http.client import Api, make_partner
from tests.http.selling import Selling, open_selling, verified

TEXTS = ("own_id", "statement", "url", "note", "text", "answer")


@pytest.fixture
async def selling(api: Api, database: Database) -> Selling:
    return await open_selling(api, database)


async def told(selling: Selling, partner: Any, texts: dict[str, str]) -> Any:
    """A claim with a canary in every field that takes one, answered."""
    filed = await selling.api.post(
        "/claims",
        {
            "program_id": selling.program["id"],
            "partner_id": partner["id"],
            "customer_external_id": texts["own_id"],
            "statement": texts["statement"],
            "evidence": [
                {"kind": "url", "url": f"https://x.example/{texts['url']}", "text": texts["note"]},
                {"kind": "text", "text": texts["text"]},
            ],
        },
    )
    answer = {"reason_code": "records", "answer": texts["answer"]}
    return await selling.api.post(f"/claims/{filed['id']}/accept", answer, status=200)


def marked() -> tuple[str, dict[str, str]]:
    (canary,) = canaries("claim").values()
    return canary, {name: f"{name.replace('_', '-')}-{canary}" for name in TEXTS}


async def test_a_customer_s_claims_are_forgotten_with_it(selling: Selling) -> None:
    canary, texts = marked()
    bo = await make_partner(selling.api, selling.program, name="Bo")
    sold = {"customer_external_id": texts["own_id"]}
    said = {"answer": f"heard-{canary}", "partner_id": bo["id"]}
    await tell(selling, "sale", **selling.sale(**sold, self_reported=said))
    claimed = await told(selling, bo, texts)
    assert {place.partition(".")[0] for place in await where(selling.database.url, canary)} == {
        "claim_words", "customer_names", "customers", "event_bodies",
    }  # fmt: skip
    await gather_statistics(selling.database.url)
    customer = claimed["customer_id"]
    assert (await selling.api.get(f"/customers/{customer}"))["heard_from"] == said["answer"]
    export = await selling.api.send("GET", f"/customers/{customer}/export")
    assert [name for name in TEXTS if texts[name] not in export.text] == []
    assert bo["id"] not in str(export.json()["claims"])
    assert export.json()["customer"]["heard_from"] == said["answer"]

    erasure = await selling.api.post(f"/customers/{customer}/erase", status=200)

    assert erasure["counts"]["claims"] == 1
    assert await where(selling.database.url, canary) == []
    left = await selling.api.get(f"/claims/{claimed['id']}")
    assert (left["statement"], left["evidence"], left["answer"]) == ("", [], "")
    assert left["customer_external_id"] is None
    assert (left["status"], left["outcome"]) == ("accepted", claimed["outcome"])
    assert await pending(selling, bo) == 2_000
    await verified(selling)


async def test_a_partner_s_claims_are_forgotten_with_it(selling: Selling) -> None:
    canary, texts = marked()
    bo = await make_partner(selling.api, selling.program, name="Bo")
    await tell(selling, "sale", **selling.sale(customer_external_id="user-17"))
    named = {**texts, "own_id": "user-17"}
    await told(selling, bo, named)
    open_one = {"customer_external_id": "user-18", "statement": texts["statement"]}
    own = {"program_id": selling.program["id"], "partner_id": bo["id"]}
    waiting = await selling.api.post("/claims", {**own, **open_one})
    export = await selling.api.send("GET", f"/partners/{bo['id']}/export")
    assert [name for name in TEXTS if named[name] not in export.text] == []

    erasure = await selling.api.post(f"/partners/{bo['id']}/erase", status=200)

    assert erasure["counts"]["claims"] == 2
    assert await where(selling.database.url, canary) == []
    left = await selling.api.get(f"/claims/{waiting['id']}")
    assert (left["status"], left["statement"]) == ("withdrawn", "")
    assert [step["status"] for step in left["history"]] == ["open", "withdrawn"]
    again = await selling.api.post(f"/partners/{bo['id']}/erase", status=200)
    assert again["id"] == erasure["id"]
