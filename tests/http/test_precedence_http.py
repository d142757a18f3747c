"""A workspace's own order of what goes before what, from the request to the paid sale."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.world import PRECEDENCE
from app.db.engine import Database
from tests.http.bringing import ago, code_of, codes, pending, tell
from tests.http.client import Api, click_on, make_partner, make_program
from tests.http.selling import Selling, open_selling, verified

CODE_FIRST = ["code", "binding", "deal", "referrer", "click", "self_reported"]


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


async def own(selling: Selling) -> Any:
    return (await selling.api.get("/workspaces"))["data"][0]


async def test_a_code_goes_before_the_binding_from_the_change_on(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    await code_of(selling, bo, "SPRING")
    await code_of(selling, selling.partner, "ANA")
    await tell(selling, "sale", **selling.sale(code="ana", occurred_at=ago(hours=3)))
    before = selling.sale(invoice_id="INV-2", code="spring", occurred_at=ago(hours=2))
    old = await tell(selling, "sale", **before)
    assert codes(old)[0] == "bound"
    workspace = await own(selling)
    assert workspace["precedence"] == list(PRECEDENCE)
    path = f"/workspaces/{workspace['id']}"
    # As it was said before there was a kind that goes last.
    patched = await selling.api.patch(path, {"precedence": CODE_FIRST[:5]})
    assert patched["precedence"] == CODE_FIRST
    sold = await tell(selling, "sale", **selling.sale(invoice_id="INV-3", code="spring"))
    assert [c["partner_id"] for c in sold["commissions"]] == [bo["id"]]
    assert codes(sold)[0] == "binding_outranked"
    assert sold["reasons"][0]["text"].endswith("but here a code goes before that.")
    # What was sold before keeps the order of its day; the customer is bound as it was.
    assert (await pending(selling, selling.partner), await pending(selling, bo)) == (4_000, 2_000)
    customer = await selling.api.get(f"/customers/{sold['commissions'][0]['customer_id']}")
    assert customer["binding"]["credits"][0]["partner_id"] == selling.partner["id"]
    await selling.api.patch(path, {"precedence": list(PRECEDENCE)})
    back = await tell(selling, "sale", **selling.sale(invoice_id="INV-4", code="spring"))
    assert codes(back)[0] == "bound"


async def test_an_order_has_each_word_once(selling: Selling) -> None:
    path = f"/workspaces/{(await own(selling))['id']}"
    short = CODE_FIRST[:4]
    for wrong in (short, [*short, "code"], [*short, "luck"], [*short, "self_reported"], None):
        await selling.api.patch(path, {"precedence": wrong}, status=422)
    assert (await own(selling))["precedence"] == list(PRECEDENCE)


async def test_a_program_goes_before_others_from_the_change_on(selling: Selling) -> None:
    api = selling.api
    path = f"/workspaces/{(await own(selling))['id']}"
    other = await make_program(api, name="Friends")
    bo = await make_partner(api, other, name="Bo")
    clicked = [selling.click(), click_on(bo["default_link"], api.app)]
    before = await tell(selling, "sale", **selling.sale(click_ids=clicked))
    assert [c["partner_id"] for c in before["commissions"]] == [bo["id"]]
    listed = [selling.program["id"], other["id"]]
    patched = await api.patch(path, {"program_precedence": listed})
    assert (patched["program_precedence"], patched["precedence"]) == (listed, list(PRECEDENCE))
    clicked = [selling.click(), click_on(bo["default_link"], api.app)]
    sold = await tell(
        selling,
        "sale",
        **selling.sale(invoice_id="INV-2", customer_external_id="user-18", click_ids=clicked),
    )
    assert [c["partner_id"] for c in sold["commissions"]] == [selling.partner["id"]]
    outranked = next(r for r in sold["reasons"] if r["code"] == "program_outranked")
    assert outranked["text"].endswith(f"here {selling.program['id']} goes before that.")
    # What is said of kinds leaves the programs alone; an empty list lets the latest touch decide.
    said = await api.patch(path, {"precedence": CODE_FIRST})
    assert (said["program_precedence"], said["precedence"]) == (listed, CODE_FIRST)
    cleared = await api.patch(path, {"program_precedence": []})
    assert (cleared["program_precedence"], cleared["precedence"]) == ([], CODE_FIRST)


async def test_an_order_of_programs_has_each_of_ones_own_once(selling: Selling) -> None:
    path = f"/workspaces/{(await own(selling))['id']}"
    mine = selling.program["id"]
    twice = await selling.api.patch(path, {"program_precedence": [mine, mine]}, status=422)
    assert twice["errors"][0]["place"] == "body/program_precedence"
    unknown = [mine, "prog_01h45ytscbebyvny4gc8cr8ma2"]
    refused = await selling.api.patch(path, {"program_precedence": unknown}, status=404)
    assert refused["errors"][0]["place"] == "body/program_precedence/1"
    assert (await own(selling))["program_precedence"] == []
