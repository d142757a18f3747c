"""Equal e-mails are one customer where a workspace wants it; different own ids never are."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.conversions.addresses import normal
from app.db.engine import Database
from tests.contract import stripe_objects as objects
from tests.contract.stripe_invoices import invoice
from tests.http.bringing import codes, pending, tell
from tests.http.client import Api, make_partner
from tests.http.importing import bring
from tests.http.selling import Selling, open_selling, signature, verified

ADDRESS = "kim@example.com"


@pytest.fixture
async def selling(api: Api, database: Database) -> AsyncIterator[Selling]:
    made = await open_selling(api, database)
    yield made
    await verified(made)


async def opt(selling: Selling, *, joins: bool) -> Any:
    (workspace,) = (await selling.api.get("/workspaces"))["data"]
    return await selling.api.patch(f"/workspaces/{workspace['id']}", {"joins_emails": joins})


async def sign_up(selling: Selling, who: str, address: str = ADDRESS, **more: Any) -> Any:
    told = {"customer_external_id": who, "customer_email": address, **more}
    return await tell(selling, "lead", **told)


async def pay(selling: Selling, number: int, address: str = ADDRESS) -> Any:
    return await selling.webhook(paid_by(number, address))


def paid_by(number: int, address: str) -> dict[str, Any]:
    """Of Stripe's customer, who is known to us by an address and nothing else."""
    paid = invoice(id=f"in_{number}", customer=f"cus_{number}")
    paid["customer_email"] = address
    return objects.event(
        "invoice.paid", paid, id=f"evt_{number}", livemode=True, created=int(time.time())
    )


async def customers(selling: Selling) -> list[Any]:
    listed = (await selling.api.get("/customers"))["data"]
    return [await selling.api.get(f"/customers/{one['id']}") for one in listed]


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize("paid_first", [True, False])
async def test_stripe_s_customer_is_ours_by_its_address_only_if_we_say_so(
    selling: Selling, *, joins: bool, paid_first: bool
) -> None:
    assert (await opt(selling, joins=joins))["joins_emails"] is joins
    # A sign-up that is told late was before the payment all the same.
    signed_up = {"click_id": selling.click(), "occurred_at": "2026-01-01T00:00:00Z"}
    if paid_first:
        await pay(selling, 1)
    told = await sign_up(selling, "user-17", " Kim@EXAMPLE.com", **signed_up)
    assert codes(told)
    if not paid_first:
        await pay(selling, 1)
    found = await customers(selling)
    assert len(found) == (1 if joins else 2)
    names = {(a["namespace"], a["external_id"]) for one in found for a in one["aliases"]}
    assert names - {("email", ADDRESS)} == {("own", "user-17"), ("stripe:", "cus_1")}
    assert (("email", ADDRESS) in names) is joins


async def test_it_counts_from_the_opt_in_on(selling: Selling) -> None:
    await sign_up(selling, "user-17")
    before = await opt(selling, joins=True)
    assert (await opt(selling, joins=True))["joins_emails_since"] == before["joins_emails_since"]
    await pay(selling, 1)
    assert len(await customers(selling)) == 2
    await sign_up(selling, "user-17", event_name="again")
    assert len(await customers(selling)) == 1
    await opt(selling, joins=False)
    await pay(selling, 2)
    # What has joined stays, and `verify` reads each message as it was read on its day.
    assert len(await customers(selling)) == 2


async def test_an_import_s_addresses_join_too(selling: Selling) -> None:
    await opt(selling, joins=True)
    await pay(selling, 1)
    row = f"customer_external_id,customer_email,occurred_at\nu-1,{ADDRESS},2026-01-01T00:00:00Z\n"
    await bring(selling, "customers", row)
    assert len(await customers(selling)) == 1


async def test_what_is_read_anew_is_read_by_the_setting_of_that_day(selling: Selling) -> None:
    await opt(selling, joins=True)
    await sign_up(selling, "user-17")
    await opt(selling, joins=False)
    body = objects.encoded(paid_by(1, ADDRESS))
    stored = await selling.post(body, {"Stripe-Signature": signature(body)})
    async with selling.database.tx() as tx:
        driver = await tx.driver()
        await driver.execute(
            "UPDATE events SET state = 'ignored', mapped = NULL, fingerprint = 'older'"
            " WHERE workspace_id = $1 AND decision_no IS NULL",
            selling.workspace,
        )
    await opt(selling, joins=True)
    await selling.api.post(f"/events/{stored.json()['event_id']}/replay", status=202)
    await selling.settle()
    assert len(await customers(selling)) == 1


async def test_one_address_of_two_own_ids_is_told_and_joins_nobody(selling: Selling) -> None:
    await opt(selling, joins=True)
    await sign_up(selling, "user-1")
    told = await sign_up(selling, "user-2")
    assert codes(told)[0] == "email_of_another_customer"
    await pay(selling, 1)
    found = {one["aliases"][0]["external_id"]: one for one in await customers(selling)}
    assert [a["external_id"] for a in found["user-1"]["aliases"]] == ["user-1", "cus_1", ADDRESS]
    assert len(found["user-2"]["aliases"]) == 1


async def test_an_erased_address_joins_nobody_any_more(selling: Selling) -> None:
    await opt(selling, joins=True)
    await sign_up(selling, "user-1")
    (known,) = await customers(selling)
    await selling.api.post(f"/customers/{known['id']}/erase", status=200)
    await pay(selling, 1)
    assert len(await customers(selling)) == 2
    # The own id is still known, by its digest, and still tells customers apart.
    await sign_up(selling, "user-1", "other@example.com", event_name="again")
    assert len(await customers(selling)) == 2


OTHERS = [
    ("one@example.com", "one@example.com"),
    ("  One@Example.COM ", "one@example.com"),
    ("Jörg@Bücher.example", "jörg@xn--bcher-kva.example"),
    ("o.ne+tag@gmail.com", "o.ne+tag@gmail.com"),
    ("a@b@example.com", ""),
    ("a b@example.com", ""),
    ("a@localhost", ""),
    ("a@example.com:80", ""),
    ("@example.com", ""),
    ("one", ""),
    ("a\0@example.com", ""),
    ("", ""),
    ("x" * 250 + "@example.com", ""),
]


@pytest.mark.parametrize(("told", "name"), OTHERS)
def test_an_address_has_one_form(told: str, name: str) -> None:
    assert normal(told) == name


@pytest.mark.parametrize("imported_first", [True, False])
async def test_an_invoice_of_two_customers_stays_the_first_one_s(
    selling: Selling, *, imported_first: bool
) -> None:
    bo = await make_partner(selling.api, selling.program, name="Bo", email="bo@example.com")
    row = "invoice_id,customer_external_id,amount,currency,occurred_at,partner\n"
    row += "INV-1,user-2,10000,usd,2026-01-02T00:00:00Z,bo@example.com\n"

    async def bring_it() -> Any:
        return await bring(selling, "sales", row, already_paid=False)

    async def tell_it() -> Any:
        sold = selling.sale(customer_external_id="user-1", click_id=selling.click())
        return await tell(selling, "sale", **sold)

    if imported_first:
        await bring_it()
        told = await tell_it()
        assert (told["conversion_id"], codes(told)) == (None, ["payment_of_another_customer"])
    else:
        await tell_it()
        assert (await bring_it())["failed"] == 1, "an import looks before"
    assert len(await customers(selling)) == 1
    earned = [await pending(selling, one) for one in (selling.partner, bo)]
    assert earned == ([0, 2_000] if imported_first else [2_000, 0])
    (dead,) = (await selling.api.get("/events?state=dead"))["data"] or [None]
    assert (dead is not None) is imported_first


async def test_what_was_refused_is_tried_again_once_the_two_are_one(selling: Selling) -> None:
    await tell(selling, "sale", **selling.sale(customer_external_id="user-1"))
    row = "invoice_id,customer_external_id,amount,currency,occurred_at\n"
    row += "INV-3,user-2,10000,usd,2026-01-02T00:00:00Z\n"
    await bring(selling, "sales", row, already_paid=True)
    sold = selling.sale(customer_external_id="user-1", invoice_id="INV-3")
    assert codes(await tell(selling, "sale", **sold)) == ["payment_of_another_customer"]
    one = next(c for c in await customers(selling) if c["aliases"][0]["external_id"] == "user-1")
    alias = {"namespace": "own", "external_id": "user-2"}
    await selling.api.post(f"/customers/{one['id']}/aliases", alias)
    (dead,) = (await selling.api.get("/events?state=dead"))["data"]
    await selling.api.post(f"/events/{dead['id']}/replay", status=202)
    await selling.settle()
    event = await selling.api.get(f"/events/{dead['id']}")
    assert (event["state"], codes(event["outcome"])[-1]) == ("applied", "imported_as_paid")
