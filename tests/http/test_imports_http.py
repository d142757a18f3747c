"""Files of an earlier system: what is in afterwards, what each row is told, and what it costs."""

import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.conversions import inbox
from app.db.engine import Database
from tests.http.bringing import codes, pending, tell
from tests.http.client import Api, make_program
from tests.http.selling import Selling, open_selling, verified

PARTNERS = """\
email,first_name,last_name,external_id,country
anna@example.com,Ana,Old,aff_1,de
"bo@example.com",Bo,"Old, Jr.",aff_2,
"""
LINKS = "partner,code,destination\naff_1,{ana},https://shop.example.com/a\nbo@example.com,{bo},\n"
CUSTOMERS = """\
customer_external_id,partner,customer_email,occurred_at
u-1,aff_1,u1@example.com,2024-02-01T10:00:00Z
u-2,bo@example.com,,2024-03-01T10:00:00+02:00
u-3,,,2024-04-01T00:00:00Z
"""
SALES = """\
invoice_id,customer_external_id,amount_decimal,currency,occurred_at,refunded_decimal
A-1,u-1,100.10,USD,2024-02-02T10:00:00Z,
A-2,u-1,0.07,usd,2024-03-02T10:00:00Z,0.07
A-3,u-2,19.9,usd,2024-03-02T10:00:00Z,9.95
A-4,u-2,1500,jpy,2024-04-02T10:00:00Z,
A-5,u-3,3.001,kwd,2024-04-02T10:00:00Z,
"""


async def send(
    api: Api, content: bytes | AsyncIterator[bytes], *, media: str = "text/csv", **query: Any
) -> httpx.Response:
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {api.key}", "Content-Type": media}
    async with httpx.AsyncClient(transport=transport, base_url="http://api", timeout=60) as client:
        return await client.post("/v1/imports", content=content, params=query, headers=headers)


async def bring(selling: Selling, kind: str, text: str | bytes, **query: Any) -> Any:
    """The report of a file that can be read."""
    content = text.encode() if isinstance(text, str) else text
    response = await send(
        selling.api, content, kind=kind, program_id=selling.program["id"], **query
    )
    assert response.status_code == 201, response.text
    report = response.json()
    assert report["rows"] == report["created"] + report["unchanged"] + report["failed"]
    assert await selling.api.get(f"/imports/{report['id']}") == report
    while await inbox.settle(selling.database, selling.workspace):
        continue
    return report


def counts(report: Any) -> tuple[int, int, int]:
    return report["created"], report["unchanged"], report["failed"]


async def errors(selling: Selling, report: Any) -> list[tuple[int, str, str]]:
    listed = await selling.api.get(f"/imports/{report['id']}/errors?limit=100")
    return [(e["line"], e["field"], e["problem"]) for e in listed["data"]]


@pytest.fixture
async def selling(api: Api, database: Database) -> Selling:
    return await open_selling(api, database)


def links(selling: Selling) -> str:
    """Codes are unique in all workspaces."""
    name = selling.program["id"][-12:]
    return LINKS.format(ana=f"ana-{name}", bo=f"bo-{name}")


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
    files = (
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
