"""A partner says that it referred a customer: heard, weighed, answered, and proved to the cent."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from app.db.engine import Database
from tests.http.bringing import ago, codes, pending, tell
from tests.http.client import PLAN, Api, make_partner
from tests.http.selling import Selling, open_selling, verified

STATEMENT = "I showed them the product at the fair."
ACCEPT = {"reason_code": "evidence", "answer": "You did, thank you."}
REJECT = {"reason_code": "no_evidence", "answer": "Nobody there remembers you."}


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database, plan={**PLAN, "late_days": 0})
    yield made
    await verified(made)


def claim(selling: Selling, partner: Any, **about: Any) -> dict[str, Any]:
    own = {"program_id": selling.program["id"], "partner_id": partner["id"]}
    told = {"statement": STATEMENT, "customer_external_id": "user-17"}
    ways = {"customer_id", "customer_alias", "conversion_id", "invoice_id"}
    if ways & about.keys():
        del told["customer_external_id"]
    return {**own, **told, **about}


async def file(selling: Selling, partner: Any, status: int = 201, **about: Any) -> Any:
    return await selling.api.post("/claims", claim(selling, partner, **about), status=status)


async def decide(
    selling: Selling, filed: Any, how: str, body: Any = None, status: int = 200
) -> Any:
    return await selling.api.post(f"/claims/{filed['id']}/{how}", body, status=status)


async def test_an_accepted_claim_moves_what_is_open_and_tells_what_had_closed(
    selling: Selling,
) -> None:
    api, ana = selling.api, selling.partner
    bo = await make_partner(api, selling.program, name="Bo")
    click = selling.click(datetime.fromisoformat(ago(days=51)))
    closed = await tell(selling, "sale", **selling.sale(occurred_at=ago(days=50), click_id=click))
    moving = await tell(selling, "sale", **selling.sale(invoice_id="INV-2", amount=5_000))
    filed = await file(selling, bo, evidence=[{"kind": "text", "text": "My notes of the day."}])
    assert (filed["status"], filed["waits_for_customer"], filed["outcome"]) == ("open", False, None)
    for why in filed["why_not"]:
        assert why["touches"] == []
    assert [why["reasons"][0]["code"] for why in filed["why_not"]] == ["bound", "attributed"]

    accepted = await decide(selling, filed, "accept", ACCEPT)

    assert (accepted["status"], accepted["reason_code"]) == ("accepted", "evidence")
    assert accepted["answer"] == ACCEPT["answer"]
    outcome = accepted["outcome"]
    (moved,), (stays,) = outcome["moved"], outcome["closed"]
    assert (outcome["already"], outcome["not_moved"]) == ([], [])
    assert (moved["conversion_id"], moved["amount"]) == (moving["conversion_id"], 5_000)
    assert [(one["amount"], one["currency"]) for one in moved["commissions"]] == [(1_000, "usd")]
    assert (stays["conversion_id"], stays["amount"]) == (closed["conversion_id"], 10_000)
    assert stays["commissions"] == []
    assert (await pending(selling, ana), await pending(selling, bo)) == (2_000, 1_000)
    customer = await api.get(f"/customers/{accepted['customer_id']}")
    assert customer["reassignments"][0]["reason"] == f"Claim {filed['id']}"
    later = await tell(selling, "sale", **selling.sale(invoice_id="INV-3"))
    assert [c["partner_id"] for c in later["commissions"]] == [bo["id"]]
    assert codes(later)[0] == "reassigned"
    # Twice is once, and tells what it told.
    again = await decide(selling, filed, "accept", {"reason_code": "goodwill"})
    assert again["outcome"] == outcome
    assert again["history"] == accepted["history"]
    assert [step["status"] for step in again["history"]] == ["open", "accepted"]
    keys = {key["id"] for key in (await api.get("/keys"))["data"]}
    assert {step["key_id"] for step in again["history"]} <= keys
    assert len((await api.get(f"/customers/{accepted['customer_id']}"))["reassignments"]) == 1


async def test_of_two_claims_the_accepted_one_answers_the_other(selling: Selling) -> None:
    bo, cy = [await make_partner(selling.api, selling.program, name=name) for name in ("Bo", "Cy")]
    sold = await tell(selling, "sale", **selling.sale())
    first = await file(selling, bo)
    second = await file(selling, cy, conversion_id=sold["conversion_id"])
    other = await file(selling, cy, customer_external_id="user-99")
    won = await decide(selling, second, "accept", ACCEPT)
    assert [one["conversion_id"] for one in won["outcome"]["moved"]] == [sold["conversion_id"]]
    lost = await selling.api.get(f"/claims/{first['id']}")
    assert (lost["status"], lost["reason_code"]) == ("rejected", "other_claim_accepted")
    assert lost["lost_to"] == second["id"]
    assert (await selling.api.get(f"/claims/{other['id']}"))["status"] == "open"
    await decide(selling, first, "accept", ACCEPT, status=409)
    anew = await file(selling, bo)
    assert anew["why_not"][0]["reasons"][0]["code"] == "reassigned"


async def test_a_claim_waits_for_a_customer_whom_nobody_knows(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    cy = await make_partner(selling.api, selling.program, name="Cy")
    filed = await file(selling, bo)
    assert (filed["waits_for_customer"], filed["customer_id"]) == (True, None)
    invoice = await file(selling, cy, invoice_id="INV-1")
    assert invoice["waits_for_customer"]
    await decide(selling, filed, "accept", ACCEPT, status=409)
    sold = await tell(selling, "sale", **selling.sale())
    found = await selling.api.get(f"/claims/{filed['id']}")
    assert not found["waits_for_customer"]
    assert found["why_not"][0]["reasons"][0]["code"] == "no_touch"
    listed = await selling.api.all(f"/claims?customer_id={found['customer_id']}")
    assert [one["id"] for one in listed] == [invoice["id"], filed["id"]]
    accepted = await decide(selling, filed, "accept", ACCEPT)
    assert accepted["outcome"]["moved"][0]["conversion_id"] == sold["conversion_id"]
    assert await pending(selling, bo) == 2_000


async def test_a_partner_has_one_open_claim_on_a_customer(selling: Selling) -> None:
    api = selling.api
    bo = await make_partner(api, selling.program, name="Bo")
    waiting = await file(selling, bo)
    twice = await file(selling, bo, status=409)
    assert (twice["code"], waiting["id"] in twice["detail"]) == ("claim_exists", True)
    sold = await tell(selling, "sale", **selling.sale())
    for about in (
        {"conversion_id": sold["conversion_id"]},
        {"invoice_id": "INV-1"},
        {"customer_alias": {"namespace": "own", "external_id": "user-17"}},
    ):
        assert (await file(selling, bo, status=409, **about))["code"] == "claim_exists"
    withdrawn = await decide(selling, waiting, "withdraw")
    assert (withdrawn["status"], withdrawn["decided_at"] is None) == ("withdrawn", False)
    assert (await decide(selling, waiting, "withdraw"))["history"] == withdrawn["history"]
    await decide(selling, waiting, "reject", REJECT, status=409)
    again = await file(selling, bo, customer_id=withdrawn["customer_id"])
    rejected = await decide(selling, again, "reject", REJECT)
    assert (rejected["answer"], rejected["outcome"]) == (REJECT["answer"], None)
    await decide(selling, again, "accept", ACCEPT, status=409)
    assert await pending(selling, bo) == 0


async def test_claims_are_listed_by_status_partner_and_time(selling: Selling) -> None:
    api = selling.api
    bo = await make_partner(api, selling.program, name="Bo")
    made = [await file(selling, bo, customer_external_id=f"user-{n}") for n in range(3)]
    await decide(selling, made[0], "reject", REJECT)
    newest_first = [one["id"] for one in reversed(made)]
    page = await api.get("/claims?limit=2")
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (newest_first[:2], True)
    rest = await api.get(f"/claims?limit=2&starting_after={newest_first[1]}")
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (newest_first[2:], False)
    for query, count in (
        ("status=open", 2),
        ("status=rejected", 1),
        (f"partner_id={bo['id']}", 3),
        (f"partner_id={selling.partner['id']}", 0),
        (f"program_id={selling.program['id']}&status=withdrawn", 0),
        (f"from={made[1]['filed_at']}", 2),
        (f"to={made[1]['filed_at']}", 1),
    ):
        assert len(await api.all(f"/claims?{query}")) == count, query


async def test_a_program_may_end_the_time_for_claims(selling: Selling) -> None:
    api = selling.api
    path = f"/programs/{selling.program['id']}"
    assert (await api.get(path))["claim_days"] is None
    assert (await api.patch(path, {"claim_days": 30}))["claim_days"] == 30
    bo = await make_partner(api, selling.program, name="Bo")
    await tell(selling, "sale", **selling.sale(occurred_at=ago(days=31)))
    await tell(selling, "sale", **selling.sale(invoice_id="INV-2"))
    late = await file(selling, bo, status=409, invoice_id="INV-2")
    assert late["code"] == "claim_too_late"
    fresh = selling.sale(customer_external_id="user-18", invoice_id="INV-3")
    await tell(selling, "sale", **{**fresh, "occurred_at": ago(days=29)})
    await file(selling, bo, customer_external_id="user-18")
    assert (await api.patch(path, {"claim_days": None}))["claim_days"] is None
    await file(selling, bo)


async def test_a_claim_tells_what_became_of_the_partner_s_touches(selling: Selling) -> None:
    api, ana = selling.api, selling.partner
    await tell(
        selling,
        "sale",
        **selling.sale(click_id=selling.click(datetime.fromisoformat(ago(days=90)))),
    )
    filed = await file(selling, ana)
    ((touch,), (nobody,)) = filed["why_not"][0]["touches"], filed["why_not"][0]["reasons"]
    assert nobody["code"] == "no_eligible_touch"
    assert (touch["kind"], touch["counted"], touch["traffic_class"]) == ("click", False, "human")
    assert touch["reason"]["code"] == "outside_window"
    assert touch["age_s"] // 86_400 == 90
    assert (await api.get(f"/claims/{filed['id']}"))["why_not"] == filed["why_not"]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"statement": " "}, 422),
        ({"statement": None}, 422),
        ({"customer_external_id": None}, 422),
        ({"invoice_id": "INV-1", "customer_external_id": "user-17"}, 422),
        ({"customer_alias": {"namespace": "a b", "external_id": "x"}}, 422),
        ({"evidence": [{"kind": "url", "url": "javascript:alert(1)"}]}, 422),
        ({"evidence": [{"kind": "url", "url": "https:evil.example"}]}, 422),
        ({"evidence": [{"kind": "url", "url": "https://a@b.example/"}]}, 422),
        ({"evidence": [{"kind": "file", "text": "x"}]}, 422),
        ({"evidence": [{"kind": "text", "text": ""}]}, 422),
        ({"evidence": [{"kind": "text", "text": "x"}] * 11}, 422),
        ({"surprise": 1}, 422),
        ({"conversion_id": "conv_01h45ytscbebyvny4gc8cr8ma2"}, 404),
        ({"customer_id": "cus_01h45ytscbebyvny4gc8cr8ma2"}, 404),
        ({"partner_id": "part_01h45ytscbebyvny4gc8cr8ma2"}, 404),
        ({"program_id": "prog_01h45ytscbebyvny4gc8cr8ma2"}, 404),
    ],
)
async def test_what_makes_no_claim_is_refused(
    selling: Selling, wrong: dict[str, Any], status: int
) -> None:
    await selling.api.post("/claims", {**claim(selling, selling.partner, **wrong)}, status=status)
    assert (await selling.api.get("/claims"))["data"] == []


async def test_who_may_file_can_not_decide(selling: Selling) -> None:
    filer = await selling.api.with_scopes("claims:write")
    filed = await filer.post("/claims", claim(selling, selling.partner))
    for how, body in (("accept", ACCEPT), ("reject", REJECT)):
        await filer.post(f"/claims/{filed['id']}/{how}", body, status=403)
    for body in ({}, {"reason_code": "luck", "answer": "x"}, {"reason_code": "other"}):
        await decide(selling, filed, "reject", body, status=422)
    reader = await selling.api.with_scopes("claims:read")
    assert (await reader.get(f"/claims/{filed['id']}"))["statement"] == STATEMENT
    await reader.post(f"/claims/{filed['id']}/withdraw", status=403)
    await filer.post(f"/claims/{filed['id']}/withdraw", status=200)


async def test_a_partner_who_may_not_earn_gets_nobody(selling: Selling) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo")
    filed = await file(selling, bo)
    await tell(selling, "sale", **selling.sale())
    left = {"program_id": selling.program["id"], "status": "suspended"}
    await selling.api.patch(f"/partners/{bo['id']}", {"enrollments": [left]})
    await decide(selling, filed, "accept", ACCEPT, status=409)
    await file(selling, bo, status=409, customer_external_id="user-18")
    assert (await selling.api.get(f"/claims/{filed['id']}"))["status"] == "open"


async def test_a_claim_filed_twice_under_one_key_is_one(selling: Selling) -> None:
    body = claim(selling, selling.partner)
    first, again = [
        await selling.api.send("POST", "/claims", json=body, once="k1") for _ in range(2)
    ]
    assert (first.status_code, again.json()) == (201, first.json())
