"""What tests of imports send and ask."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.conversions.intake import inbox
from app.db.engine import Database
from tests.http.client import Api
from tests.http.selling import Selling, open_selling

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
