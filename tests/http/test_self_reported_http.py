"""'How did you hear about us?': who is named earns where that is asked for, by no mere words."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from app.db.engine import Database
from tests.http.bringing import ago, code_of, codes, pending, tell
from tests.http.client import PLAN, Api, click_on, make_partner
from tests.http.selling import Selling, open_selling, verified

ASKING = {
    **PLAN,
    "late_days": 0,
    "attribution": {"model": "last_click", "window_days": 60, "windows": {"self_reported": 30}},
}
WORDS = "My neighbour told me"


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database, plan=ASKING)
    yield made
    await verified(made)


async def touches(selling: Selling, outcome: Any) -> list[Any]:
    found = await selling.api.get(f"/conversions/{outcome['conversion_id']}")
    return list(found["touches"])


async def test_who_is_named_at_sign_up_has_the_customer(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    said = {"answer": WORDS, "partner_id": bo["id"]}
    # A click at the same moment would go before it; this one comes an hour later.
    signed_up = {"customer_external_id": "user-17", "occurred_at": ago(hours=1)}
    lead = await tell(selling, "lead", **signed_up, self_reported=said)
    assert codes(lead)[:2] == ["touch_counted", "attributed"]
    (touch,) = await touches(selling, lead)
    assert (touch["kind"], touch["partner_id"], touch["counted"]) == (
        "self_reported", bo["id"], True,
    )  # fmt: skip
    sold = await tell(selling, "sale", **selling.sale(click_id=selling.click()))
    assert codes(sold)[0] == "bound"
    assert await pending(selling, bo) == 2_000
    assert await touches(selling, sold) == []
    customer = await selling.api.get(f"/customers/{sold['commissions'][0]['customer_id']}")
    assert customer["heard_from"] == WORDS
    assert ("self_reported", bo["id"]) in {
        (touch["kind"], touch["partner_id"]) for touch in customer["touches"]
    }
    async with selling.database.read() as read:
        driver = await read.driver()
        for told in ("SELECT facts::text FROM decisions", "SELECT mapped::text FROM events"):
            assert not any(WORDS in str(row[0]) for row in await driver.fetch(told))


async def test_a_code_that_is_named_on_a_sale_goes_after_a_click(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    await code_of(selling, bo, "SPRING")
    said = {"code": " spring "}
    alone = await tell(selling, "sale", **selling.sale(self_reported=said))
    assert [c["partner_id"] for c in alone["commissions"]] == [bo["id"]]
    other = selling.sale(customer_external_id="user-18", invoice_id="INV-2", self_reported=said)
    clicked = await tell(selling, "sale", **other, click_id=selling.click())
    assert [c["partner_id"] for c in clicked["commissions"]] == [selling.partner["id"]]
    assert [
        (t["kind"], t["counted"], t["reason"]["code"]) for t in await touches(selling, clicked)
    ] == [
        ("click", True, "touch_counted"),
        ("self_reported", False, "outranked"),
    ]
    assert (await pending(selling, bo), await pending(selling, selling.partner)) == (2_000, 2_000)


async def test_words_alone_are_no_touch(selling: Selling) -> None:
    sold = await tell(selling, "sale", **selling.sale(self_reported={"answer": WORDS}))
    assert (codes(sold), await touches(selling, sold)) == (["no_touch"], [])


async def test_a_program_that_does_not_ask_pays_nobody_on_mere_word(
    api: Api, database: Database
) -> None:
    selling = await open_selling(api, database)
    said = {"partner_id": selling.partner["id"]}
    sold = await tell(selling, "sale", **selling.sale(self_reported=said))
    assert codes(sold) == ["self_report_not_taken", "no_eligible_touch"]
    assert "mere word" in sold["reasons"][0]["text"]
    (touch,) = await touches(selling, sold)
    assert (touch["counted"], touch["reason"]["code"]) == (False, "self_report_not_taken")
    assert await pending(selling, selling.partner) == 0
    await verified(selling)


async def test_what_answers_nothing_is_refused(selling: Selling) -> None:
    partner = selling.partner["id"]
    for wrong in (
        {}, {"answer": "  "}, {"answer": "x" * 501}, {"partner_id": partner, "code": "SPRING"},
        {"partner_id": "part_1"}, {"words": "x"}, "Ana", {"code": ""},
    ):  # fmt: skip
        for what, body in (("sale", selling.sale()), ("lead", {"customer_external_id": "u"})):
            told = {**body, "self_reported": wrong}
            await selling.api.post(f"/track/{what}", told, status=422)
    unknown = {"partner_id": f"{partner[:-4]}0000"}
    for what, body in (("sale", selling.sale()), ("lead", {"customer_external_id": "u"})):
        await selling.api.post(f"/track/{what}", {**body, "self_reported": unknown}, status=404)
    assert (await selling.stored())["events"] == 0


async def test_a_conversion_shows_each_touch_with_class_age_and_verdict(selling: Selling) -> None:
    """One of every kind, and of clicks the ones that don't count; each finds its own reason."""
    api, ana = selling.api, selling.partner
    bo = await make_partner(api, selling.program, name="Bo")
    await code_of(selling, bo, "SPRING", provider_ids=["stripe:promo_1"])
    old = selling.click(datetime.fromisoformat(ago(days=90)))
    fresh = click_on(bo["default_link"], api.app, datetime.fromisoformat(ago(hours=2)))
    sold = await tell(
        selling,
        "lead",
        customer_external_id="user-17",
        click_ids=[old, "not-ours", fresh],
        code="stripe:promo_1",
        referrer={"partner_id": ana["id"]},
        self_reported={"code": "spring"},
    )
    shown = await touches(selling, sold)
    assert [
        (t["kind"], t["partner_id"], t["counted"], t["reason"]["code"], t["traffic_class"])
        for t in shown
    ] == [
        ("click", None, False, "token_invalid", None),
        ("click", ana["id"], False, "outside_window", "human"),
        ("click", bo["id"], False, "outranked", "human"),
        ("code", bo["id"], True, "touch_counted", None),
        ("referrer", ana["id"], False, "outranked", None),
        ("self_reported", bo["id"], False, "outranked", None),
    ]
    assert [t["age_s"] is None or t["age_s"] // 3_600 for t in shown] == [
        True, 90 * 24, 2, 0, 0, 0,
    ]  # fmt: skip
    assert [t["program_id"] for t in shown[1:]] == [selling.program["id"]] * 5
    assert {t["reason"]["text"] for t in shown} <= {r["text"] for r in sold["reasons"]}
