"""Registered leads: first come keeps the prospect, whoever comes later is told why."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.db.engine import Database
from app.program.deals.stages import expire_due
from tests.http.client import Api, make_program
from tests.http.dealing import ACME, Dealing, open_dealing


@pytest.fixture
async def dealing(api: Api, database: Database) -> Dealing:
    return await open_dealing(api, database)


async def test_a_deal_goes_its_way_and_keeps_its_history(dealing: Dealing) -> None:
    deal = await dealing.register(dealing.ana)
    assert deal["stage"] == "registered"
    assert {name: deal[name] for name in ACME} == ACME
    assert deal["partner_id"] == dealing.ana["id"]
    registered_at = datetime.fromisoformat(deal["registered_at"])
    assert datetime.fromisoformat(deal["lock_until"]) == registered_at + timedelta(days=90)
    await dealing.step(deal, "accept", reason="A good one.")
    await dealing.step(deal, "extend")
    await dealing.step(deal, "qualify")
    await dealing.api.patch(f"/deals/{deal['id']}", {"note": "They want 40 seats."})
    won = await dealing.step(deal, "win", customer_external_id="acme-1")
    assert (won["stage"], won["customer_external_id"]) == ("won", "acme-1")
    assert won["note"] == "They want 40 seats."
    (key,) = (await dealing.api.get("/keys"))["data"]
    assert [(one["stage"], one["reason"], one["key_id"]) for one in won["history"]] == [
        ("registered", "", key["id"]),
        ("accepted", "A good one.", key["id"]),
        ("accepted", "", key["id"]),
        ("qualified", "", key["id"]),
        ("won", "", key["id"]),
    ]
    locks = [datetime.fromisoformat(one["lock_until"]) for one in won["history"]]
    assert locks[2] - locks[1] == timedelta(days=90)
    times = [one["at"] for one in won["history"]]
    assert times == sorted(times)
    assert await dealing.api.get(f"/deals/{deal['id']}") == won


@pytest.mark.parametrize(
    ("changes", "matched"),
    [
        ({"company": "B", "domain": "shop.ACME.example.", "contact_email": None}, "domain"),
        ({"company": "Other", "domain": None, "contact_email": "Bo@mail.acme.example"}, "domain"),
        ({"company": "Other", "domain": None, "contact_email": "ANA+fair@acme.example"}, "email"),
        ({"company": "ACME, Inc.", "domain": "acme.test", "contact_email": None}, "company"),
    ],
)
async def test_who_comes_later_is_told_the_match_and_its_date_and_not_who_was_first(
    dealing: Dealing, changes: dict[str, Any], matched: str
) -> None:
    first = await dealing.register(dealing.ana)
    answer = await dealing.api.send("POST", "/deals", json=dealing.body(dealing.bo, **changes))
    told = answer.json()
    assert (answer.status_code, told["code"]) == (409, "deal_conflict")
    place = "contact_email" if matched == "email" else matched
    assert told["errors"][0]["place"] == f"body/{place}"
    assert matched in told["detail"]
    assert first["registered_at"][:10] in told["detail"]
    for secret in (first["id"], dealing.ana["id"], "Ana", "ana@acme.example"):
        assert secret not in answer.text
    assert [deal["id"] for deal in (await dealing.api.get("/deals"))["data"]] == [first["id"]]
    (late,) = (await dealing.api.get("/deals/conflicts"))["data"]
    assert (late["partner_id"], late["deal_id"]) == (dealing.bo["id"], first["id"])
    assert (late["matched"], late["customer_id"]) == (matched, None)


async def test_a_customer_of_the_workspace_is_nobody_s_prospect(dealing: Dealing) -> None:
    known = {"customer_external_id": "user-1", "customer_email": "Ceo@Acme.example"}
    await dealing.api.post("/track/lead", known, status=200)
    private = {"customer_external_id": "user-2", "customer_email": "max@gmail.com"}
    await dealing.api.post("/track/lead", private, status=200)
    by_domain = await dealing.register(dealing.ana, status=409)
    assert "domain is a customer since" in by_domain["detail"]
    exact: dict[str, Any] = {"company": "Max", "domain": None}
    by_email = await dealing.register(
        dealing.ana, status=409, **exact, contact_email="max@gmail.com"
    )
    assert "email is a customer since" in by_email["detail"]
    await dealing.register(dealing.ana, **exact, contact_email="mia@gmail.com")
    await dealing.register(
        dealing.bo, company="Near", domain="nacme.example", contact_email="a@acme.example.org"
    )
    late = (await dealing.api.get("/deals/conflicts"))["data"]
    customers = (await dealing.api.get("/customers"))["data"]
    assert {one["customer_id"] for one in late} == {one["id"] for one in customers}


async def test_of_ten_at_once_exactly_one_keeps_it(dealing: Dealing) -> None:
    partners = [dealing.ana, dealing.bo] * 5
    answers = await asyncio.gather(
        *(
            dealing.api.send("POST", "/deals", json=dealing.body(partner, company=f"Acme {n}"))
            for n, partner in enumerate(partners)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 9]
    assert len((await dealing.api.get("/deals"))["data"]) == 1
    assert len((await dealing.api.get("/deals/conflicts"))["data"]) == 9


@pytest.mark.parametrize("steps", [("reject",), ("accept", "reject"), ("accept", "lose")])
async def test_what_is_rejected_or_lost_is_anybody_s_again(
    dealing: Dealing, steps: tuple[str, ...]
) -> None:
    deal = await dealing.register(dealing.ana)
    ended = await dealing.step(deal, *steps, reason="Not for us.")
    assert ended["history"][-1]["reason"] == "Not for us."
    await dealing.register(dealing.bo)


async def test_what_is_won_stays_taken(dealing: Dealing) -> None:
    deal = await dealing.register(dealing.ana)
    await dealing.step(deal, "accept", "win")
    await dealing.end_lock(deal)
    await dealing.register(dealing.bo, status=409)


@pytest.mark.parametrize("job_first", [False, True])
async def test_a_lock_that_has_ended_frees_the_prospect_before_any_job_saw_it(
    dealing: Dealing, *, job_first: bool
) -> None:
    deal = await dealing.register(dealing.ana, lock_days=30)
    await dealing.step(deal, "accept")
    await dealing.end_lock(deal)
    if job_first:
        await expire_due(dealing.database)
    shown = await dealing.api.get(f"/deals/{deal['id']}")
    assert (shown["stage"], shown["extensions_left"]) == ("expired", 0)
    listed = (await dealing.api.get("/deals?stage=expired"))["data"]
    assert [one["id"] for one in listed] == [deal["id"]]
    assert (await dealing.api.get("/deals?stage=accepted"))["data"] == []
    for action in ("qualify", "win", "lose", "extend"):
        answer = await dealing.step(deal, action, status=409)
        assert "expired" in answer["detail"]
    second = await dealing.register(dealing.bo)
    await expire_due(dealing.database)
    entries = (await dealing.api.get(f"/deals/{deal['id']}"))["history"]
    assert [one["stage"] for one in entries] == ["registered", "accepted", "expired"]
    assert entries[-1]["at"] == entries[-1]["lock_until"]
    assert entries[-1]["key_id"] is None
    assert (await dealing.api.get(f"/deals/{second['id']}"))["stage"] == "registered"


async def test_a_lock_is_extended_twice_at_most(dealing: Dealing) -> None:
    deal = await dealing.register(dealing.ana, lock_days=10)
    extended = await dealing.step(deal, "extend", "extend", reason="They need the quarter's end.")
    span = datetime.fromisoformat(extended["lock_until"])
    assert span - datetime.fromisoformat(deal["registered_at"]) == timedelta(days=30)
    assert extended["extensions_left"] == 0
    await dealing.step(deal, "extend", status=409)


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ((), "qualify"), ((), "win"), (("accept",), "accept"), (("accept", "win"), "lose"),
        (("accept", "qualify"), "reject"), (("reject",), "accept"), (("lose",), "extend"),
    ],
)  # fmt: skip
async def test_a_step_leads_on_from_its_stages_only(
    dealing: Dealing, steps: tuple[str, ...], wrong: str
) -> None:
    deal = await dealing.register(dealing.ana)
    await dealing.step(deal, *steps)
    before = await dealing.api.get(f"/deals/{deal['id']}")
    await dealing.step(deal, wrong, status=409)
    assert await dealing.api.get(f"/deals/{deal['id']}") == before


async def test_only_a_partner_who_may_earn_registers(dealing: Dealing) -> None:
    api, ana = dealing.api, dealing.ana
    both = dealing.body(ana, customer_external_id="user-1")
    await api.post("/deals", both, status=422)
    nobody = {**dealing.body(ana), "customer_external_id": "user-1"}
    del nobody["partner_id"]
    answer = await api.post("/deals", nobody, status=404)
    assert answer["errors"][0]["place"] == "body/customer_external_id"
    elsewhere = await make_program(api, name="Elsewhere")
    answer = await dealing.register(ana, status=404, program_id=elsewhere["id"])
    assert answer["errors"][0]["place"] == "body/partner_id"
    suspended = {"program_id": dealing.program["id"], "status": "suspended"}
    await api.patch(f"/partners/{ana['id']}", {"enrollments": [suspended]})
    await dealing.register(ana, status=409)
    assert (await api.get("/deals"))["data"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"company": "!!!"},
        {"domain": "acme"},
        {"domain": "a b.com"},
        {"lock_days": 0},
        {"lock_days": 366},
    ],
)
async def test_what_is_no_prospect_is_refused(dealing: Dealing, changes: dict[str, Any]) -> None:
    await dealing.register(dealing.ana, status=422, **changes)


async def test_keys_read_or_write_deals_by_their_scopes(dealing: Dealing) -> None:
    deal = await dealing.register(dealing.ana)
    reader = await dealing.api.with_scopes("deals:read")
    writer = await dealing.api.with_scopes("deals:write")
    other = await dealing.api.with_scopes("partners:write")
    assert (await reader.get("/deals"))["data"][0]["id"] == deal["id"]
    await reader.post(f"/deals/{deal['id']}/accept", {}, status=403)
    await other.get("/deals", status=403)
    await writer.post(f"/deals/{deal['id']}/accept", {}, status=200)
    assert (await writer.get("/deals"))["data"][0]["stage"] == "accepted"


async def test_a_contact_can_be_forgotten_and_no_other_put_in_its_place(dealing: Dealing) -> None:
    deal = await dealing.register(dealing.ana, domain=None, contact_email="max@gmail.com")
    path = f"/deals/{deal['id']}"
    await dealing.api.patch(path, {"contact_email": "mia@gmail.com"}, status=422)
    left = await dealing.api.patch(path, {"contact_email": None, "contact_name": None})
    assert (left["contact_name"], left["contact_email"]) == ("", "")
    other: dict[str, Any] = {"company": "Other", "domain": None}
    await dealing.register(dealing.bo, **other, contact_email="max@gmail.com")
    await dealing.register(dealing.bo, status=409)  # the company is still kept
