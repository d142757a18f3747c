"""Reading customers, conversions, commissions, balances and the ledger; names that join."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.db.engine import Database
from app.ids import encode, uuid7
from tests.http.client import Api
from tests.http.selling import Selling, open_selling, verified

SALES = 3


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


@pytest.fixture
async def sold(selling: Selling) -> list[Any]:
    """Sales of 100.00, 200.00 and 300.00 to three customers; the answers."""
    return [await sell(selling, n) for n in range(1, SALES + 1)]


async def sell(selling: Selling, number: int, **changes: Any) -> Any:
    body = selling.sale(
        customer_external_id=f"user-{number}", invoice_id=f"INV-{number}", amount=number * 10_000
    )
    return await selling.api.post(
        "/track/sale", {**body, "click_id": selling.click(), **changes}, status=200
    )


async def test_a_balance_is_the_sum_of_all_sales(selling: Selling, sold: list[Any]) -> None:
    assert len(sold) == SALES
    balance = await selling.api.get(f"/partners/{selling.partner['id']}/balance")
    zero = {"held": 0, "payable": 0, "in_flight": 0, "paid": 0}
    assert balance == {"data": [{"currency": "usd", "pending": 12_000, **zero}], "rewards": []}
    await sell(selling, 9, currency="jpy", amount=1_000)
    both = await selling.api.get(f"/partners/{selling.partner['id']}/balance")
    assert [(row["currency"], row["pending"]) for row in both["data"]] == [
        ("jpy", 200),
        ("usd", 12_000),
    ]


async def test_who_earned_nothing_has_no_balance(selling: Selling) -> None:
    nothing: dict[str, list[Any]] = {"data": [], "rewards": []}
    assert await selling.api.get(f"/partners/{selling.partner['id']}/balance") == nothing
    await selling.api.get(f"/partners/{encode('part', uuid7())}/balance", status=404)


async def test_the_ledger_adds_up(selling: Selling, sold: list[Any]) -> None:
    first = await selling.api.get("/ledger/transfers?limit=2")
    assert [(move["number"], move["amount"]) for move in first["data"]] == [(3, 6_000), (2, 4_000)]
    assert first["has_more"]
    rest = await selling.api.get("/ledger/transfers?limit=2&starting_after=2")
    assert [(move["number"], move["amount"]) for move in rest["data"]] == [(1, 2_000)]
    assert not rest["has_more"]
    (commission,) = sold[0]["outcome"]["commissions"]
    own = await selling.api.get(f"/ledger/transfers?commission_id={commission['id']}")
    assert own["data"] == rest["data"]
    accounts = (await selling.api.get("/ledger/accounts"))["data"]
    assert {a["role"]: a["balance"] for a in accounts} == {"expense": -12_000, "pending": 12_000}
    names = {account["role"]: account["id"] for account in accounts}
    assert rest["data"][0]["debit_account"] == names["expense"]
    assert rest["data"][0]["credit_account"] == names["pending"]


@pytest.mark.parametrize("path", ["commissions", "conversions", "customers", "events"])
async def test_lists_go_page_by_page_newest_first(
    selling: Selling, sold: list[Any], path: str
) -> None:
    whole = (await selling.api.get(f"/{path}"))["data"]
    assert len(whole) == SALES
    paged, after = [], ""
    for left in (True, True, False):
        page = await selling.api.get(f"/{path}?limit=1{after}")
        assert page["has_more"] == left
        paged += page["data"]
        after = f"&starting_after={page['data'][-1]['id']}"
    assert paged == whole
    for one in whole:
        shown = await selling.api.get(f"/{path}/{one['id']}")
        assert {name: shown[name] for name in one} == one


async def test_filters_find_what_they_name(selling: Selling, sold: list[Any]) -> None:
    (commission,) = sold[1]["outcome"]["commissions"]
    for path in ("commissions", "conversions"):
        found = await selling.api.get(f"/{path}?customer_id={commission['customer_id']}")
        assert [one["customer_id"] for one in found["data"]] == [commission["customer_id"]]
        for query in (
            f"program_id={encode('prog', uuid7())}",
            "to=2020-01-01T00:00:00Z",
            "from=2999-01-01T00:00:00Z",
        ):
            assert (await selling.api.get(f"/{path}?{query}"))["data"] == [], query
    assert len((await selling.api.get("/commissions?status=pending"))["data"]) == SALES
    assert (await selling.api.get("/commissions?status=void"))["data"] == []
    assert (await selling.api.get("/conversions?kind=renewal"))["data"] == []


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("commissions?status=owed", "query/status"),
        ("commissions?from=yesterday", "query/from"),
        ("commissions?partner_id=x", "query/partner_id"),
        ("commissions?partner=x", "query/partner"),
        ("commissions?starting_after=com_x", "query/starting_after"),
        ("conversions?kind=gift", "query/kind"),
        ("conversions?limit=0", "query/limit"),
        ("customers?limit=101", "query/limit"),
        ("events?state=lost", "query/state"),
        ("events?source_id=evt_1", "query/source_id"),
        ("ledger/transfers?starting_after=x", "query/starting_after"),
        ("ledger/transfers?starting_after=99999999999999999999", "query/starting_after"),
        ("ledger/accounts?starting_after=x", "query/starting_after"),
    ],
)
async def test_a_wrong_query_is_refused_in_its_place(
    selling: Selling, query: str, place: str
) -> None:
    problem = await selling.api.get(f"/{query}", status=422)
    assert problem["errors"][0]["place"] == place
    assert problem["errors"][0]["remedy"]


async def test_a_commission_shows_every_move_and_its_reason(
    selling: Selling, sold: list[Any]
) -> None:
    (commission,) = sold[0]["outcome"]["commissions"]
    refund = {"invoice_id": "INV-1", "amount_refunded": 3_333, "currency": "usd"}
    await selling.api.post("/track/refund", refund, status=200)
    whole = await selling.api.get(f"/commissions/{commission['id']}")
    # 20.00 × 33.33 ÷ 100.00 is 6.666.
    assert (whole["amount"], whole["reversed"], whole["paid"]) == (2_000, 667, 0)
    assert [(m["code"], m["amount"]) for m in whole["adjustments"]] == [
        ("award", 2_000),
        ("reversal", 667),
    ]
    assert [reason["code"] for reason in whole["explanation"]] == [
        "touch_counted",
        "attributed",
        "rule_paid",
    ]
    assert selling.partner["id"] in whole["explanation"][1]["text"]


async def customer_of(selling: Selling, told: Any) -> str:
    event = await selling.api.get(f"/events/{told['event_id']}")
    assert isinstance(event["customer_id"], str)
    return event["customer_id"]


async def test_an_alias_that_nobody_has_is_one_more_name(selling: Selling, sold: list[Any]) -> None:
    customer = await customer_of(selling, sold[0])
    alias = {"namespace": "stripe:", "external_id": "cus_1"}
    named = await selling.api.post(f"/customers/{customer}/aliases", alias)
    assert named["aliases"] == [{"namespace": "own", "external_id": "user-1"}, alias]
    again = await selling.api.post(f"/customers/{customer}/aliases", alias)
    assert again == named


async def test_an_alias_that_somebody_has_makes_them_one(selling: Selling, sold: list[Any]) -> None:
    elder, younger = [await customer_of(selling, told) for told in sold[:2]]
    alias = {"namespace": "own", "external_id": "user-1"}
    joined = await selling.api.post(f"/customers/{younger}/aliases", alias)
    assert joined["id"] == elder
    assert len(joined["conversions"]) == 2
    assert await selling.api.get(f"/customers/{younger}") == joined
    assert len((await selling.api.get("/customers"))["data"]) == SALES - 1
    balance = await selling.api.get(f"/partners/{selling.partner['id']}/balance")
    assert balance["data"][0]["pending"] == 12_000


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body/namespace"),
        ({"namespace": "stripe:"}, "body/external_id"),
        ({"namespace": "o wn", "external_id": "a"}, "body/namespace"),
        ({"namespace": "x" * 65, "external_id": "a"}, "body/namespace"),
        ({"namespace": "own", "external_id": ""}, "body/external_id"),
        ({"namespace": "own", "external_id": "a\0"}, "body/external_id"),
        ({"namespace": "own", "external_id": "a", "email": "a@b.c"}, "body/email"),
        (["own", "a"], "body"),
    ],
)
async def test_a_wrong_alias_is_refused_in_its_place(
    selling: Selling, sold: list[Any], body: Any, place: str
) -> None:
    before = await selling.stored()
    path = f"/customers/{await customer_of(selling, sold[0])}/aliases"
    problem = await selling.api.post(path, body, status=422)
    assert problem["errors"][0]["place"] == place
    assert problem["errors"][0]["remedy"]
    assert await selling.stored() == before


async def test_who_is_unknown_gets_no_alias(selling: Selling) -> None:
    path = f"/customers/{encode('cus', uuid7())}/aliases"
    await selling.api.post(path, {"namespace": "own", "external_id": "a"}, status=404)
    assert (await selling.stored())["events"] == 0
