"""Export and erasure over HTTP: what a person is handed, and that nothing of it is left."""

from typing import Any
from uuid import UUID

import pytest

from app.core.click_token import verify
from app.db.engine import Database
from app.ids import decode, encode, uuid7
from tests.canary import canaries, found, gather_statistics
from tests.contract import stripe_objects as objects
from tests.contract.stripe_objects import checkout_session
from tests.http.client import Api
from tests.http.selling import Selling, open_selling, verified

CUSTOMER_TEXTS = (
    "email", "name", "own_id", "alias", "metadata", "stripe_id", "payment", "ignored", "dead",
    "sub_id", "quarantined",
)  # fmt: skip


@pytest.fixture
async def selling(api: Api, database: Database) -> Selling:
    return await open_selling(api, database)


async def track(selling: Selling, what: str, **body: Any) -> Any:
    return await selling.api.post(f"/track/{what}", body, status=200)


async def tell_all(selling: Selling, texts: dict[str, str], invoice_id: str = "INV-1") -> str:
    """A customer with a canary in every field that takes one: its id."""
    token = selling.click()
    click = verify(token, selling.api.app.state.secret_keys.click_keys)
    assert click is not None
    await _store_click(selling.database, click.click_id, click.link_id, texts)
    told = await track(
        selling,
        "lead",
        customer_external_id=texts["own_id"],
        customer_aliases=[{"namespace": "stripe:", "external_id": texts["stripe_id"]}],
        customer_email=f"{texts['email']}@example.com",
        customer_name=f"Ms {texts['name']}",
        metadata={"note": texts["metadata"]},
        click_id=token,
    )
    event = await selling.api.get(f"/events/{told['event_id']}")
    customer: str = event["customer_id"]
    alias = {"namespace": "crm", "external_id": texts["alias"]}
    await selling.api.post(f"/customers/{customer}/aliases", alias)
    sold = selling.sale(customer_external_id=texts["own_id"], invoice_id=invoice_id)
    await track(selling, "sale", **sold)
    paid = checkout_session(
        mode="payment", customer=texts["stripe_id"], payment_intent=f"pi_{uuid7().hex}"
    )
    paid["id"] = f"cs_{uuid7().hex}"
    paid["shipping_details"] = {"name": texts["payment"]}
    paid["customer_details"] |= {"email": f"{texts['email']}@example.com", "name": texts["name"]}
    event = await selling.webhook(objects.event("checkout.session.completed", paid, livemode=True))
    assert event["state"] == "applied", event
    moved = {**objects.customer(texts["stripe_id"]), "name": texts["ignored"]}
    event = await selling.webhook(objects.event("customer.updated", moved, livemode=True))
    assert event["state"] == "ignored"
    broken = {**paid, "id": 17, "amount_total": "?", "description": texts["dead"]}
    event = await selling.webhook(
        objects.event("checkout.session.completed", broken, livemode=True)
    )
    assert event["state"] == "dead"
    return customer


async def _store_click(database: Database, click: UUID, link: UUID, texts: dict[str, str]) -> None:
    async with database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(
            "INSERT INTO clicks (id, link_id, traffic_class, subs, country, visitor, agent_id)"
            " VALUES ($1, $2, 1, $3, 'DE', 77, 4711)",
            click,
            link,
            f"sub1={texts['sub_id']}",
        )
        await driver.execute(
            "INSERT INTO quarantined_clicks (click_id, row, error) VALUES ($1, $2, '')",
            click,
            texts["quarantined"].encode(),
        )


async def test_every_text_of_a_customer_is_found_nowhere_afterwards(selling: Selling) -> None:
    texts = canaries(*CUSTOMER_TEXTS)
    customer = await tell_all(selling, texts)
    await tell_all(selling, canaries(*CUSTOMER_TEXTS), invoice_id="INV-2")
    assert (await found(selling.database.url, texts)).keys() == texts.keys()
    await gather_statistics(selling.database.url)
    before = await selling.api.get("/ledger/accounts")

    erasure = await selling.api.post(f"/customers/{customer}/erase", status=200)

    assert await found(selling.database.url, texts) == {}
    assert await selling.api.get("/ledger/accounts") == before
    await verified(selling)
    assert erasure["customer_id"] == customer
    assert erasure["partner_id"] is None
    assert erasure["counts"] == {
        "deals": 0, "claims": 0, "contacts": 1, "aliases": 3, "clicks": 1, "quarantined_clicks": 1,
        "bodies": 6,
    }  # fmt: skip
    shown = await selling.api.get(f"/customers/{customer}")
    assert shown["erased_at"] == erasure["erased_at"]
    assert (shown["email"], shown["name"], shown["aliases"]) == ("", "", [])
    assert len(shown["conversions"]) == 3


async def test_other_customers_keep_everything(selling: Selling) -> None:
    mine, theirs = canaries(*CUSTOMER_TEXTS), canaries(*CUSTOMER_TEXTS)
    customer = await tell_all(selling, mine)
    other = {**selling.sale(invoice_id="INV-2"), "customer_external_id": theirs["own_id"]}
    await track(selling, "sale", **other)
    another = {"name": theirs["ignored"], "email": "another@example.com"}
    moved = {**objects.customer("cus_of_another"), **another}
    await selling.webhook(objects.event("customer.updated", moved, livemode=True))
    theirs = {name: theirs[name] for name in ("own_id", "ignored")}
    before = await found(selling.database.url, theirs)
    assert before.keys() == theirs.keys()
    await selling.api.post(f"/customers/{customer}/erase", status=200)
    assert await found(selling.database.url, theirs) == before


async def test_the_export_holds_every_text_and_no_partner(selling: Selling) -> None:
    texts = canaries(*(name for name in CUSTOMER_TEXTS if name != "quarantined"))
    customer = await tell_all(selling, {**texts, "quarantined": "x"})
    response = await selling.api.send("GET", f"/customers/{customer}/export")
    assert response.status_code == 200, response.text
    assert [name for name, text in texts.items() if text not in response.text] == []
    assert selling.partner["id"] not in response.text
    document = response.json()
    assert document["customer"]["email"] == f"{texts['email']}@example.com"
    assert {one["external_id"] for one in document["aliases"]} == {
        texts["own_id"], texts["stripe_id"], texts["alias"],
    }  # fmt: skip
    (touch,) = document["touches"]
    assert (touch["country"], touch["sub_ids"]) == ("DE", f"sub1={texts['sub_id']}")
    assert touch["link_code"] == selling.partner["default_link"]["code"]
    assert [one["kind"] for one in document["conversions"]].count("lead") == 1
    assert document["left_out"] == {"aliases": 0, "touches": 0, "conversions": 0}
    assert len(document["events"]) == 6
    assert document["has_more"] is False


async def test_an_export_after_the_erasure_has_ids_and_digests_alone(selling: Selling) -> None:
    customer = await tell_all(selling, canaries(*CUSTOMER_TEXTS))
    erasure = await selling.api.post(f"/customers/{customer}/erase", status=200)
    document = await selling.api.get(f"/customers/{customer}/export")
    assert document["customer"]["erased_at"] == erasure["erased_at"]
    assert {one["external_id"] for one in document["aliases"]} == {None}
    assert {one["body"] for one in document["events"]} == {None}
    assert document["touches"][0]["sub_ids"] is None


async def test_messages_come_in_pages(selling: Selling) -> None:
    for number in range(5):
        await track(selling, "sale", **selling.sale(invoice_id=f"INV-{number}"))
    (customer,) = (await selling.api.get("/customers"))["data"]
    path = f"/customers/{customer['id']}/export?limit=2"
    seen: list[str] = []
    while True:
        after = f"&starting_after={seen[-1]}" if seen else ""
        document = await selling.api.get(path + after)
        seen += [one["id"] for one in document["events"]]
        if not document["has_more"]:
            break
        assert len(document["events"]) == 2
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 5
    for wrong in (encode("evt", uuid7()), "x"):
        await selling.api.get(f"{path}&starting_after={wrong}", status=422)


async def test_a_page_ends_before_it_gets_too_large(
    selling: Selling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.conversions.people.export.MAX_BODY_BYTES", 1)
    for number in range(2):
        await track(selling, "sale", **selling.sale(invoice_id=f"INV-{number}"))
    (customer,) = (await selling.api.get("/customers"))["data"]
    document = await selling.api.get(f"/customers/{customer['id']}/export")
    assert (len(document["events"]), document["has_more"]) == (1, True)


async def test_bytes_that_are_no_text_come_as_base64(selling: Selling) -> None:
    told = await track(selling, "sale", **selling.sale())
    async with selling.database.tx() as tx:
        driver = await tx.driver()
        await driver.execute("SET session_replication_role = replica")
        await driver.execute(
            "UPDATE event_bodies SET body = '\\xff00' WHERE event_id = $1",
            decode("evt", told["event_id"]),
        )
        await driver.execute("SET session_replication_role = DEFAULT")
    (customer,) = (await selling.api.get("/customers"))["data"]
    (event,) = (await selling.api.get(f"/customers/{customer['id']}/export"))["events"]
    assert (event["encoding"], event["body"]) == ("base64", "/wA=")


async def test_erasures_are_listed_newest_first(selling: Selling) -> None:
    await track(selling, "sale", **selling.sale())
    (customer,) = (await selling.api.get("/customers"))["data"]
    first = await selling.api.post(f"/customers/{customer['id']}/erase", status=200)
    assert await selling.api.post(f"/customers/{customer['id']}/erase", status=200) == first
    second = await selling.api.post(f"/partners/{selling.partner['id']}/erase", status=200)
    second.pop("outstanding")
    listed = await selling.api.get("/erasures")
    assert listed == {"data": [second, first], "has_more": False}
    assert (await selling.api.get("/erasures?limit=1"))["has_more"] is True
    rest = await selling.api.get(f"/erasures?starting_after={second['id']}")
    assert rest["data"] == [first]
    (key,) = (await selling.api.get("/keys"))["data"]
    assert {one["key_id"] for one in listed["data"]} == {key["id"]}


async def test_only_an_admin_exports_and_erases(selling: Selling) -> None:
    await track(selling, "sale", **selling.sale())
    (customer,) = (await selling.api.get("/customers"))["data"]
    other = await selling.api.with_scopes(
        "conversions:write", "partners:write", "commissions:read", "programs:write", "links:write"
    )
    for subject in (f"/customers/{customer['id']}", f"/partners/{selling.partner['id']}"):
        assert (await other.get(f"{subject}/export", status=403))["code"] == "missing_scope"
        assert (await other.post(f"{subject}/erase", status=403))["code"] == "missing_scope"
    await other.get("/erasures", status=403)
    assert (await selling.api.get("/erasures"))["data"] == []
