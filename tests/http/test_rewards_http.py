"""Two levels, a company and a customer are paid for one sale, from the API through `verify`."""

from typing import Any

import pytest

from app.conversions.proof import verify
from app.db.engine import Database
from app.db.tx import Tx
from app.ids import decode
from tests.http.client import Api, make_partner, make_program
from tests.http.rewarding import PLAN, open_rewarding, reasons
from tests.http.selling import verified


async def test_each_recipient_has_its_own_and_gives_back_its_own(
    api: Api, database: Database
) -> None:
    it = await open_rewarding(api, database)
    told = await it.sell(click_id=it.click())
    earned = {c["rule"]: c for c in told["outcome"]["commissions"]}
    assert {rule: c["amount"] for rule, c in earned.items()} == {
        "own": 2_000, "up": 200, "up2": 100, "firm": 500, "thanks": 700, "mug": 1,
    }  # fmt: skip
    assert earned["up"]["base"] == 2_000
    customer = earned["own"]["customer_id"]
    assert await it.pending(f"partners/{it.ana['id']}") == {"usd": 2_000}
    assert await it.pending(f"partners/{it.bo['id']}") == {"usd": 200}
    assert await it.pending(f"partners/{it.cy['id']}") == {"usd": 100}
    assert await it.pending(f"partners/{it.firm['id']}") == {"credit usd": 500}
    assert await it.pending(f"customers/{customer}") == {"discount usd": 700, "gift mug": 1}
    await it.refund(5_000)
    # Half of a mug stays a mug; 0.5 is rounded to the even 0.
    assert await it.pending(f"customers/{customer}") == {"discount usd": 350, "gift mug": 1}
    assert await it.pending(f"partners/{it.bo['id']}") == {"usd": 100}
    await it.refund(1, refund_id="r2")
    assert await it.pending(f"customers/{customer}") == {"discount usd": 350, "gift mug": 0}
    await it.refund(4_999, refund_id="r3")
    for whose in ("ana", "bo", "cy", "firm"):
        pending = await it.pending(f"partners/{getattr(it, whose)['id']}")
        assert set(pending.values()) == {0}
    await verified(it.selling)


async def test_a_commission_tells_to_whom_as_what_and_at_which_cost(
    api: Api, database: Database
) -> None:
    it = await open_rewarding(api, database)
    told = await it.sell(click_id=it.click())
    shown = {c["rule"]: c for c in told["outcome"]["commissions"]}
    assert _told(shown["own"]) == ("partner", None, "cash", "usd", None, (2_000, "usd"))
    assert _told(shown["up2"]) == ("recruiter", 2, "cash", "usd", None, (100, "usd"))
    assert _told(shown["firm"]) == ("company", None, "credit", "usd", None, (500, "usd"))
    assert _told(shown["mug"]) == ("customer", None, "gift", None, "mug", (450, "usd"))
    assert shown["mug"]["partner_id"] is None
    assert shown["firm"]["partner_id"] == it.firm["id"]
    whole = await it.api.get(f"/commissions/{shown['mug']['id']}")
    assert [(m["as"], m["item"], m["amount"]) for m in whole["adjustments"]] == [("gift", "mug", 1)]
    texts = [r["text"] for r in whole["explanation"] if r["code"] == "rule_paid"]
    assert "The rule `mug` pays the customer 1 for the sale: 1 × gift mug." in texts
    of_customer = (await it.api.get("/commissions?recipient=customer"))["data"]
    assert {c["rule"] for c in of_customer} == {"thanks", "mug"}
    accounts = (await it.api.get("/ledger/accounts?limit=100"))["data"]
    owners = {(a["as"], bool(a["partner_id"]), bool(a["customer_id"])) for a in accounts}
    assert ("gift", False, True) in owners
    assert ("gift", True, False) not in owners


async def test_a_partner_s_list_shows_only_what_it_earns(api: Api, database: Database) -> None:
    it = await open_rewarding(api, database)
    await it.sell(click_id=it.click())
    for whose, rules in (("ana", {"own"}), ("bo", {"up"}), ("cy", {"up2"}), ("firm", {"firm"})):
        listed = await it.api.get(f"/commissions?partner_id={getattr(it, whose)['id']}")
        assert {c["rule"] for c in listed["data"]} == rules
        # What the customer was given is nothing for a partner's eyes.
        for commission in listed["data"]:
            one = await it.api.get(f"/commissions/{commission['id']}")
            assert {r["params"].get("rule") for r in one["explanation"]} <= {None, *rules}
    customer = listed["data"][0]["customer_id"]
    told = await it.api.get(f"/customers/{customer}/export")
    assert {(r["as"], r["amount"], r["item"]) for r in told["rewards"]} == {
        ("discount", 700, None),
        ("gift", 1, "mug"),
    }
    held = await it.api.get(f"/partners/{it.firm['id']}/export")
    (earned,) = held["commissions"]
    assert (earned["to"], earned["as"], earned["currency"]) == ("company", "credit", "usd")


async def test_a_suspended_recruiter_and_company_are_passed_by_and_told(
    api: Api, database: Database
) -> None:
    it = await open_rewarding(api, database)
    before = await it.sell(1, click_id=it.click())
    for whose in (it.bo, it.firm):
        place = {"program_id": it.selling.program["id"], "status": "suspended"}
        await it.api.patch(f"/partners/{whose['id']}", {"enrollments": [place]})
    after = await it.sell(2)
    assert {c["rule"] for c in after["outcome"]["commissions"]} == {"own", "up2"}
    assert {"recruiter_suspended", "company_suspended"} <= reasons(after)
    again = await it.api.get(f"/conversions/{before['outcome']['conversion_id']}")
    assert {c["rule"] for c in again["commissions"]} >= {"up", "firm"}
    await verified(it.selling)


async def test_who_has_no_recruiter_and_no_company_leaves_the_others_untouched(
    api: Api, database: Database
) -> None:
    it = await open_rewarding(api, database)
    told = await it.sell(click_id=it.selling.click())
    assert {c["rule"] for c in told["outcome"]["commissions"]} == {"own", "thanks", "mug"}
    missing = [r for r in told["outcome"]["reasons"] if r["code"] == "recruiter_missing"]
    assert [r["params"] for r in missing] == [
        {"partner_id": it.selling.partner["id"], "level": level} for level in (1, 2)
    ]
    assert "company_missing" in reasons(told)


async def test_nobody_earns_as_recruiter_or_company_on_what_one_buys(
    api: Api, database: Database
) -> None:
    it = await open_rewarding(api, database)
    lead = {"customer_external_id": "user-17", "event_name": "signup"}
    await it.api.post("/track/lead", lead, status=200)
    (customer,) = (await it.api.get("/customers"))["data"]
    program = it.selling.program["id"]
    own = {"program_id": program, "name": "Self", "email": "self@example.com"}
    self_ = await it.api.post(f"/customers/{customer['id']}/partner", own)
    body = {"name": "Di", "email": "di@example.com", "recruited_by": self_["partner_id"]}
    di = await make_partner(it.api, it.selling.program, **body, company=self_["partner_id"])
    referred = {**lead, "event_name": "told", "referrer": {"partner_id": di["id"]}}
    await it.api.post("/track/lead", referred, status=200)
    told = await it.sell()
    assert {c["rule"] for c in told["outcome"]["commissions"]} == {"own", "thanks", "mug"}
    assert {"recruiter_is_customer", "company_is_customer"} <= reasons(told)
    await verified(it.selling)


async def test_a_company_counts_from_the_day_it_was_joined(api: Api, database: Database) -> None:
    it = await open_rewarding(api, database)
    partner = it.selling.partner
    sold = [await it.sell(1, click_id=it.selling.click())]
    joined = await it.api.patch(f"/partners/{partner['id']}", {"company": it.firm["id"]})
    assert joined["company"] == it.firm["id"]
    sold.append(await it.sell(2))
    left = await it.api.patch(f"/partners/{partner['id']}", {"company": None})
    assert left["company"] is None
    sold.append(await it.sell(3))
    paid = ["firm" in {c["rule"] for c in told["outcome"]["commissions"]} for told in sold]
    assert paid == [False, True, False]
    # Decided anew, each is read as of its own day.
    for number in (1, 2, 3):
        await it.refund(1_000, number, refund_id=f"r{number}")
    assert await it.pending(f"partners/{it.firm['id']}") == {"credit usd": 450}
    await verified(it.selling)


async def test_who_comes_into_the_program_after_a_sale_has_nothing_of_it(
    api: Api, database: Database
) -> None:
    it = await open_rewarding(api, database)
    partner = it.selling.partner
    elsewhere = await make_program(api, name="Elsewhere")
    late = await make_partner(api, elsewhere, name="Late", email="late@example.com")
    await api.patch(f"/partners/{partner['id']}", {"company": late["id"]})
    told = await it.sell(1, click_id=it.selling.click())
    assert "company_missing" in reasons(told)
    place = {"program_id": it.selling.program["id"]}
    await api.post(f"/partners/{late['id']}/enrollments", place)
    # Decides the first sale anew.
    again = await it.sell(2)
    assert "firm" in {c["rule"] for c in again["outcome"]["commissions"]}
    assert await it.pending(f"partners/{late['id']}") == {"credit usd": 500}
    await verified(it.selling)


@pytest.mark.parametrize("closes", [False, True], ids=["open", "closed"])
async def test_who_turns_out_to_be_another_has_the_rewards_of_both(
    api: Api, database: Database, *, closes: bool
) -> None:
    """Of two first sales one is the second then, unless both had closed."""
    terms = {"hold_days": 0, "late_days": 0} if closes else {}
    it = await open_rewarding(api, database, **terms)
    first = await it.sell(1, click_id=it.click(), customer_external_id="one")
    second = await it.sell(2, click_id=it.click(), customer_external_id="two")
    ids = [told["outcome"]["commissions"][0]["customer_id"] for told in (first, second)]
    joined = [{"namespace": "own", "external_id": "two"}]
    same = {"customer_external_id": "one", "event_name": "same", "customer_aliases": joined}
    await it.api.post("/track/lead", same, status=200)
    mugs = 2 if closes else 1
    for customer in ids:
        has = await it.pending(f"customers/{customer}")
        assert has == {"discount usd": 700 * mugs, "gift mug": mugs}
    await it.refund(10_000, 1)
    await it.refund(10_000, 2, refund_id="r2")
    for customer in ids:
        assert await it.pending(f"customers/{customer}") == {"discount usd": 0, "gift mug": 0}
    await verified(it.selling)


async def test_what_makes_no_company_or_ring_is_refused(api: Api, database: Database) -> None:
    it = await open_rewarding(api, database)
    ana, firm, bo = it.ana["id"], it.firm["id"], it.bo["id"]
    refusals: list[tuple[str, dict[str, Any], int]] = [
        (f"/partners/{ana}", {"company": ana}, 404),
        (f"/partners/{ana}", {"company": "part_01h45ytscbebyvny4gc8cr8ma2"}, 404),
        (f"/partners/{bo}", {"company": ana}, 409),
        (f"/partners/{firm}", {"company": bo}, 409),
    ]
    for path, body, status in refusals:
        assert (await it.api.patch(path, body, status=status))["code"]
    other = await it.api.post(
        "/programs",
        {
            "name": "Other", "currency": "usd", "destination_hosts": ["shop.example.com"],
            "default_destination": "https://shop.example.com/", "plan": PLAN,
        },
    )  # fmt: skip
    place = {"program_id": other["id"]}
    await it.api.post(f"/partners/{ana}/enrollments", {**place, "recruited_by": bo})
    await it.api.post(f"/partners/{bo}/enrollments", {**place, "recruited_by": ana}, status=409)
    await it.api.post(f"/partners/{bo}/enrollments", {**place, "recruited_by": firm})


def _told(commission: Any) -> tuple[object, ...]:
    cost = commission["cost"]
    plain = tuple(commission[name] for name in ("to", "level", "as", "currency", "item"))
    return (*plain, (cost["amount"], cost["currency"]))


@pytest.mark.parametrize(
    "forged",
    [
        "UPDATE enrollments SET recruited_by = $3 WHERE workspace_id = $1 AND partner_id = $2",
        "UPDATE enrollments SET recruited_by = NULL WHERE workspace_id = $1 AND partner_id = $2",
        "UPDATE partner_companies SET company_id = $3 WHERE workspace_id = $1 AND partner_id = $2",
        "DELETE FROM partner_companies WHERE workspace_id = $1 AND partner_id = $2 AND $3 <> $2",
    ],
)
async def test_who_stood_behind_a_partner_can_t_be_forged(
    forged: str, api: Api, database: Database, db: Tx
) -> None:
    """`verify` sees it in the same transaction, which is never committed."""
    it = await open_rewarding(api, database)
    await it.sell(click_id=it.click())
    ana, cy = decode("part", it.ana["id"]), decode("part", it.cy["id"])
    workspace = it.selling.workspace
    driver = await db.driver()
    await driver.execute(forged, *[workspace, ana, cy][: 3 if "$3" in forged else 2])
    found = [one.problem async for one in verify._workspace(driver, workspace)]
    assert found == ["it knew another recruiter or company of a partner than there is"]
