"""A program moves in by files: what is in afterwards, what it pays, and what it doesn't."""

from datetime import UTC, datetime, timedelta

import pytest

from app.db.engine import Database
from tests.http.bringing import codes, pending, tell
from tests.http.client import Api, make_program
from tests.http.importing import (
    CUSTOMERS,
    PARTNERS,
    SALES,
    bring,
    counts,
    errors,
    links,
    selling,
    send,
)
from tests.http.selling import Selling, open_selling, verified

__all__ = ["selling"]


async def test_a_program_moves_in_and_a_new_sale_earns_by_its_imported_binding(
    selling: Selling,
) -> None:
    assert counts(await bring(selling, "partners", PARTNERS)) == (2, 0, 0)
    assert counts(await bring(selling, "links", links(selling))) == (2, 0, 0)
    assert counts(await bring(selling, "customers", CUSTOMERS)) == (3, 0, 0)
    report = await bring(selling, "sales", SALES, already_paid=True)

    sums = {s["currency"]: (s["count"], s["amount"]) for s in report["sums"]}
    assert sums == {"usd": (3, 10_010 + 7 + 1_990), "jpy": (1, 1_500), "kwd": (1, 3_001)}
    assert report["agrees"] is True
    stored = (await selling.api.get("/conversions?limit=100"))["data"]
    sales = [c for c in stored if c["kind"] != "lead"]
    for currency, told in sums.items():
        of_it = [c["gross"] for c in sales if c["currency"] == currency]
        assert (len(of_it), sum(of_it)) == told
    assert {c["refunded"] for c in sales} == {0, 7, 995}

    partners = {p["external_id"]: p for p in (await selling.api.get("/partners"))["data"]}
    assert (partners["aff_2"]["name"], partners["aff_1"]["country"]) == ("Bo Old, Jr.", "DE")
    assert (await selling.api.get("/commissions"))["data"] == []
    sold = await tell(selling, "sale", **selling.sale(customer_external_id="u-1", invoice_id="N"))
    assert [(c["partner_id"], c["amount"]) for c in sold["commissions"]] == [
        (partners["aff_1"]["id"], 2_000)
    ]
    assert "bound" in codes(sold)
    nobody = await tell(selling, "sale", **selling.sale(customer_external_id="u-3", invoice_id="M"))
    assert nobody["commissions"] == []
    await verified(selling)


async def test_the_same_files_again_change_nothing(selling: Selling) -> None:
    files: tuple[tuple[str, str, dict[str, bool]], ...] = (
        ("partners", PARTNERS, {}),
        ("links", links(selling), {}),
        ("customers", CUSTOMERS, {}),
        ("sales", SALES, {"already_paid": False}),
    )
    for kind, text, query in files:
        await bring(selling, kind, text, **query)
    before, events = await selling.stored(), (await selling.api.get("/events"))["data"]
    assert before["commissions"] > 0
    for kind, text, query in files:
        again = await bring(selling, kind, text, **query)
        assert counts(again) == (0, again["rows"], 0)
        assert again["agrees"] is True
    assert await selling.stored() == before
    assert (await selling.api.get("/events"))["data"] == events
    await verified(selling)


async def test_a_dry_run_tells_the_same_and_stores_its_report_only(selling: Selling) -> None:
    await bring(selling, "partners", PARTNERS)
    before = await selling.stored()
    partners = await selling.api.get("/partners")
    for kind, text in (
        ("partners", PARTNERS + "c@example.com,C,C,aff_3,\nbad,B,B,,\n"),
        ("links", links(selling)),
        ("customers", CUSTOMERS),
        ("sales", SALES + "A-1,u-1,1,usd,2024-02-02T10:00:00Z,\n"),
    ):
        query = {"already_paid": True} if kind == "sales" else {}
        dry = await bring(selling, kind, text, dry_run=True, **query)
        assert dry["dry_run"] is True and await selling.stored() == before
        assert await selling.api.get("/partners") == partners
        assert dry["created"] > 0
        wet = await bring(selling, kind, text, **query)
        same = ("rows", "created", "unchanged", "failed", "sums", "agrees", "state")
        assert [dry[name] for name in same] == [wet[name] for name in same]
        assert await errors(selling, dry) == await errors(selling, wet)
        before, partners = await selling.stored(), await selling.api.get("/partners")


async def test_past_sales_pay_only_where_nobody_has_paid_them(selling: Selling) -> None:
    await bring(selling, "partners", PARTNERS)
    header = "invoice_id,customer_external_id,amount,currency,occurred_at,partner"
    rows = "\nP-1,v-1,10000,usd,2024-02-02T10:00:00Z,aff_1\n"
    unclear = await send(
        selling.api, (header + rows).encode(), kind="sales", program_id=selling.program["id"]
    )
    assert (unclear.status_code, unclear.json()["errors"][0]["place"]) == (
        422, "query/already_paid",
    )  # fmt: skip
    both = f"{header},paid{rows.rstrip()},true\nP-2,v-2,10000,usd,2024-02-02T10:00:00Z,aff_1,\n"
    await bring(selling, "sales", both, already_paid=False)
    (commission,) = (await selling.api.get("/commissions"))["data"]
    assert commission["amount"] == 2_000
    stored = (await selling.api.get("/conversions"))["data"]
    assert len(stored) == 2
    (paid,) = [c for c in stored if c["id"] != commission["conversion_id"]]
    whole = await selling.api.get(f"/conversions/{paid['id']}")
    assert [c["partner_id"] for c in whole["credits"]] == [commission["partner_id"]]
    assert whole["commissions"] == [] and "imported_as_paid" in codes(whole)
    await verified(selling)


async def test_what_an_earlier_system_paid_is_not_paid_again_when_it_is_told_again(
    selling: Selling,
) -> None:
    """The two systems ran side by side: what the new one earned for it goes."""
    click = selling.click()
    await tell(selling, "sale", **selling.sale(invoice_id="X-1", click_id=click))
    assert await pending(selling, selling.partner) == 2_000
    row = "X-1,user-17,10000,usd,{at},{paid}\n"
    text = "invoice_id,customer_external_id,amount,currency,occurred_at,paid\n" + row.format(
        at=datetime.now(UTC).isoformat(), paid="true"
    )
    other = await bring(selling, "sales", text.replace("10000", "10001"))
    assert counts(other) == (0, 0, 1)
    assert await pending(selling, selling.partner) == 2_000
    assert counts(await bring(selling, "sales", text)) == (1, 0, 0)
    assert await pending(selling, selling.partner) == 0
    # Another source tells it later under an id of its own: that one is held, not the history.
    at = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    told = await tell(selling, "sale", **selling.sale(invoice_id="X-2", occurred_at=at))
    assert [c["status"] for c in told["commissions"]] == ["held"]
    await verified(selling)


async def test_imported_customers_earn_no_bonus_for_a_lead(api: Api, database: Database) -> None:
    bonus = {"to": "partner", "flat": {"amount": 500, "currency": "usd"}}
    plan = {
        "hold_days": 30,
        "attribution": {"model": "last_click", "window_days": 60},
        "combine": "first_match",
        "rules": [{"id": "lead", "match": {"kind": "lead"}, "pay": bonus}],
    }
    selling = await open_selling(api, database, plan=plan)
    await bring(selling, "partners", PARTNERS)
    await bring(selling, "customers", CUSTOMERS)
    assert (await api.get("/commissions"))["data"] == []
    assert len((await api.get("/customers"))["data"]) == 3
    lead = await tell(selling, "lead", customer_external_id="new", click_id=selling.click())
    assert [c["amount"] for c in lead["commissions"]] == [500]


async def test_partners_keep_their_place_and_links_their_owner(
    selling: Selling, stranger: Api
) -> None:
    elsewhere = await make_program(selling.api, name="Second")
    await bring(selling, "partners", PARTNERS)
    response = await send(
        selling.api, PARTNERS.encode(), kind="partners", program_id=elsewhere["id"]
    )
    # By external_id the same partners get a place in the other program.
    assert counts(response.json()) == (2, 0, 0)
    listed = (await selling.api.get("/partners"))["data"]
    assert sorted(len(p["enrollments"]) for p in listed) == [1, 2, 2]
    other_id = "email,name,external_id\nANNA@example.com,Anna,aff_9\n"
    assert [f for _, f, _ in await errors(selling, await bring(selling, "partners", other_id))] == [
        "email"
    ]
    await bring(selling, "links", links(selling))
    swapped = links(selling).replace("aff_1,", "bo@example.com,", 1)
    report = await bring(selling, "links", swapped)
    assert counts(report) == (0, 1, 1)
    assert [(line, field) for line, field, _ in await errors(selling, report)] == [(2, "code")]


@pytest.mark.parametrize(
    ("scopes", "status"),
    [(["imports:write"], 201), (["imports:read"], 403), (["partners:write"], 403)],
)
async def test_an_import_needs_its_scope(selling: Selling, scopes: list[str], status: int) -> None:
    key = await selling.api.with_scopes(*scopes)
    program = selling.program["id"]
    response = await send(key, PARTNERS.encode(), kind="partners", program_id=program)
    assert response.status_code == status
    json = await send(
        selling.api, b"{}", media="application/json", kind="links", program_id=program
    )
    assert (json.status_code, json.json()["errors"][0]["place"]) == (422, "header/content-type")


REWARDFUL = """\
stripe_customer_id,first_name,last_name,email,paypal_email,wise_email,token
cus_1,Xi,Li,xi@example.com,,,xi
cus_2,Xi,Li,xi@example.com,pay@example.com,,xi
cus_3,Yu,Wu,yu@example.com,,,
"""


async def test_a_customer_known_by_stripe_s_id_is_bound_when_stripe_tells_a_sale(
    selling: Selling,
) -> None:
    """The columns that Rewardful documents for its own import."""
    apart = ["paypal_email:-", "wise_email:-"]
    column = [*apart, "token:external_id", "stripe_customer_id:-"]
    report = await bring(selling, "partners", REWARDFUL, column=column)
    assert counts(report) == (2, 1, 0)
    column = [*apart, "token:-", "first_name:-", "last_name:-", "email:partner"]
    assert counts(await bring(selling, "customers", REWARDFUL, column=column)) == (3, 0, 0)
    sale = "stripe_customer_id,invoice_id,amount,currency,occurred_at\ncus_2,in_0,500,usd,{}\n"
    past = sale.format("2024-02-02T10:00:00Z")
    report = await bring(selling, "sales", past, already_paid=True)
    assert counts(report) == (1, 0, 0) and report["agrees"]
    told = selling.sale(customer_external_id="later")
    alias = {"namespace": "stripe:", "external_id": "cus_2"}
    sold = await tell(selling, "sale", **told, customer_aliases=[alias])
    partners = {p["external_id"]: p["id"] for p in (await selling.api.get("/partners"))["data"]}
    assert [c["partner_id"] for c in sold["commissions"]] == [partners["xi"]]
    await verified(selling)


OLDER = """\
Imported ID,First Name,Last Name,Email,PayPal Email,Wise Email,Token
cus_1,Xi,Li,xi@example.com,,,xi-older
cus_2,Yu,Wu,yu@example.com,,,
"""


@pytest.mark.parametrize(("text", "links"), [(REWARDFUL, (1, 1, 1)), (OLDER, (1, 0, 1))])
async def test_a_preset_names_the_columns_that_a_vendor_documents(
    selling: Selling, text: str, links: tuple[int, int, int]
) -> None:
    own = {"preset": "rewardful"}
    text = text.replace(",xi\n", ",xi-newer\n")
    assert counts(await bring(selling, "partners", text, **own))[0] == 2
    assert counts(await bring(selling, "links", text, **own)) == links
    assert counts(await bring(selling, "customers", text, **own))[2] == 0
    listed = (await selling.api.get("/partners"))["data"]
    (token,) = {p["external_id"] for p in listed if p["name"] == "Xi Li"}
    assert token in {"xi-newer", "xi-older"}
    # What it doesn't know is refused by name, and `column` goes before it.
    more = text.replace("irst_name", "irst_name,zz", 1).replace("First Name", "First Name,zz", 1)
    more = more.replace(",Xi,", ",Xi,1,").replace(",Yu,", ",Yu,2,")
    refused = await send(
        selling.api, more.encode(), kind="partners", program_id=selling.program["id"], **own
    )
    assert (refused.status_code, "`zz`" in refused.text) == (422, True)
    column = ["zz:-", "token:-" if "token" in more else "Token:-"]
    assert counts(await bring(selling, "partners", more, **own, column=column))[2] == 0


async def test_imported_people_are_handed_out_and_erased(selling: Selling) -> None:
    await bring(selling, "partners", PARTNERS)
    await bring(selling, "customers", CUSTOMERS)
    customers = (await selling.api.get("/customers"))["data"]
    (known,) = [c for c in customers if c["email"] == "u1@example.com"]
    export = await selling.api.get(f"/customers/{known['id']}/export")
    assert "u1@example.com" in str(export) and "import.customer" in str(export)
    await selling.api.post(f"/customers/{known['id']}/erase", status=200)
    assert counts(await bring(selling, "customers", CUSTOMERS)) == (0, 3, 0)
    assert (await selling.api.get(f"/customers/{known['id']}"))["email"] in (None, "")
    assert (await selling.api.get("/events?limit=1"))["data"][0]["source_id"] is None
    await verified(selling)
