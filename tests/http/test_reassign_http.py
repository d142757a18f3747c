"""A customer is given to another partner, with a reason, an author and proof."""

from collections.abc import AsyncIterator

import pytest

from app.db.engine import Database
from tests.http.bringing import codes, pending, tell
from tests.http.client import Api, make_partner
from tests.http.selling import Selling, open_selling, verified


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


async def test_what_is_open_changes_hands_and_the_customer_tells_why(selling: Selling) -> None:
    api, ana = selling.api, selling.partner
    bo = await make_partner(api, selling.program, name="Bo")
    sold = await tell(selling, "sale", **selling.sale(), click_id=selling.click())
    path = f"/customers/{sold['commissions'][0]['customer_id']}"
    given = {
        "partner_id": bo["id"], "program_id": selling.program["id"], "reason": "Bo ran the demo.",
    }  # fmt: skip
    customer = await api.post(f"{path}/reassign", given, status=200)
    assert (await pending(selling, ana), await pending(selling, bo)) == (0, 2_000)
    assert customer["binding"]["credits"] == [{"partner_id": bo["id"], "bps": 10_000}]
    (said,) = customer["reassignments"]
    keys = {key["id"] for key in (await api.get("/keys"))["data"]}
    assert said.pop("author_key_id") in keys
    assert said.pop("at") == customer["binding"]["since"]
    assert said == given
    later = await tell(selling, "sale", **selling.sale(invoice_id="INV-2"))
    assert [c["partner_id"] for c in later["commissions"]] == [bo["id"]]
    assert codes(later)[0] == "reassigned"
    assert f"was given to {bo['id']}" in later["reasons"][0]["text"]
    nobody = await api.post(
        f"{path}/reassign", {"partner_id": None, "reason": "An employee's."}, status=200
    )
    assert nobody["binding"] is None
    assert [one["partner_id"] for one in nobody["reassignments"]] == [None, bo["id"]]
    assert (await pending(selling, ana), await pending(selling, bo)) == (0, 0)
    export = await api.get(f"{path}/export")
    assert "An employee" in str(export)
    await verified(selling)
    await api.post(f"{path}/erase", {}, status=200)
    erased = await api.get(path)
    assert [one["reason"] for one in erased["reassignments"]] == [None, None]
    await api.post(f"{path}/reassign", given, status=409)


async def test_only_a_partner_who_may_earn_gets_a_customer(selling: Selling) -> None:
    api = selling.api
    sold = await tell(selling, "sale", **selling.sale(), click_id=selling.click())
    path = f"/customers/{sold['commissions'][0]['customer_id']}/reassign"
    bo = await make_partner(api, selling.program, name="Bo")
    program = selling.program["id"]
    left = {"program_id": program, "status": "suspended"}
    await api.patch(f"/partners/{bo['id']}", {"enrollments": [left]})
    own = {"partner_id": bo["id"], "program_id": program, "reason": "Why not"}
    await api.post(path, own, status=409)
    elsewhere = await make_partner(api, selling.program, name="Cy")
    unknown = elsewhere["id"][:-4] + "0000"
    await api.post(path, {**own, "partner_id": unknown}, status=404)
    for wrong in (
        {"partner_id": None, "program_id": program, "reason": "x"},
        {"partner_id": bo["id"], "reason": "x"},
        {"partner_id": None, "reason": "  "},
        {"reason": "x"},
    ):
        await api.post(path, wrong, status=422)
    writer = await api.with_scopes("conversions:write")
    await writer.post(path, own, status=403)
    assert await pending(selling, selling.partner) == 2_000
