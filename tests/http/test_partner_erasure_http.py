"""A partner is erased: its names are found nowhere, its money stays, its codes are nobody's."""

import asyncio
import contextlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from app.db.engine import Database
from app.redirect import siblings
from tests.canary import canaries, found, gather_statistics
from tests.http.client import Api, make_link, make_partner, read
from tests.http.selling import Selling, open_selling, verified
from tests.http.visiting import open_site


@pytest.fixture
async def selling(api: Api, database: Database) -> Selling:
    return await open_selling(api, database)


async def test_every_text_of_a_partner_is_found_nowhere_afterwards(
    api: Api, selling: Selling
) -> None:
    texts = canaries("name", "email", "external_id", "destination", "sub", "asset", "utm")
    partner = await make_partner(
        api,
        selling.program,
        name=texts["name"],
        email=f"{texts['email']}@example.com",
        external_id=texts["external_id"],
    )
    link = await link_saying(api, partner, texts)
    await make_partner(api, selling.program, external_id=f"other-{texts['external_id'][::-1]}")
    assert (await found(selling.database.url, texts)).keys() == texts.keys()
    await gather_statistics(selling.database.url)
    export = await api.send("GET", f"/partners/{partner['id']}/export")
    assert [name for name, text in texts.items() if text not in export.text] == []

    erasure = await api.post(f"/partners/{partner['id']}/erase", status=200)

    assert await found(selling.database.url, texts) == {}
    assert (erasure["partner_id"], erasure["customer_id"]) == (partner["id"], None)
    assert erasure["counts"] == {
        "members": 1, "external_ids": 1, "archived_links": 2, "links": 1, "deals": 0, "claims": 0,
    }  # fmt: skip
    shown = await api.get(f"/partners/{partner['id']}")
    assert shown["erased_at"] == erasure["erased_at"]
    assert shown["archived_at"] is not None
    assert (shown["name"], shown["email"], shown["external_id"]) == ("", "", None)
    assert {one["status"] for one in shown["enrollments"]} == {"suspended"}
    kept = await api.get(f"/links/{link['id']}")
    assert kept["archived_at"] is not None
    assert (kept["code"], kept["fallback"]) == (link["code"], "https://shop.example.com/gone")
    await api.patch(f"/partners/{partner['id']}", {"name": "Ana"}, status=409)
    taken = {"program_id": selling.program["id"], "partner_id": selling.partner["id"]}
    answer = await api.post("/links", {**taken, "code": link["code"]}, status=409)
    assert answer["code"] == "code_taken"


async def test_nothing_of_its_links_stays_in_a_nodes_files(
    api: Api, selling: Selling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "TIDY_S", 0.1)
    texts = canaries("destination", "sub", "asset", "utm")
    partner = await make_partner(api, selling.program)
    await link_saying(api, partner, texts)
    everywhere = {f"web-{number} {name}" for number in (1, 2) for name in texts}
    async with open_site(api, selling.database.url, tmp_path):
        async with open_site(api, selling.database.url, tmp_path):
            await until_left(tmp_path, texts, everywhere)
        died = time.time() - siblings.LEFT_S - 1
        os.utime(tmp_path / "web-2" / "lock", (died, died))

        await api.post(f"/partners/{partner['id']}/erase", status=200)

        await until_left(tmp_path, texts, set())
        assert list((tmp_path / "web-2").glob("links*")) == []


async def test_what_a_partner_earned_stays_and_no_more_is_earned(selling: Selling) -> None:
    api, partner = selling.api, selling.partner["id"]
    sold = {**selling.sale(), "click_id": selling.click()}
    await api.post("/track/sale", sold, status=200)
    erasure = await api.post(f"/partners/{partner}/erase", status=200)
    owed = {
        "currency": "usd",
        "as": "cash",
        "item": None,
        "pending": 2_000,
        "held": 0,
        "payable": 0,
        "in_flight": 0,
    }
    assert erasure["outstanding"] == [owed]
    again = await api.post("/track/sale", selling.sale(invoice_id="INV-2"), status=200)
    assert again["outcome"]["commissions"] == []
    assert "not_enrolled" in [one["code"] for one in again["outcome"]["reasons"]]
    back = {"invoice_id": "INV-1", "amount_refunded": 5_000, "currency": "usd", "refund_id": "R-1"}
    await api.post("/track/refund", back, status=200)
    once_more = await api.post(f"/partners/{partner}/erase", status=200)
    assert once_more == {**erasure, "outstanding": [{**owed, "pending": 1_000}]}
    export = await api.get(f"/partners/{partner}/export")
    assert export["outstanding"] == once_more["outstanding"]
    assert [one["amount"] for one in export["commissions"]] == [2_000]
    assert [one["status"] for one in export["enrollments"]] == ["active", "suspended"]
    await verified(selling)


async def test_an_archived_partner_can_be_erased(selling: Selling) -> None:
    archived = await selling.api.delete(f"/partners/{selling.partner['id']}")
    await selling.api.post(f"/partners/{selling.partner['id']}/erase", status=200)
    shown = await selling.api.get(f"/partners/{selling.partner['id']}")
    assert shown["archived_at"] == archived["archived_at"]
    assert shown["email"] == ""


async def test_the_export_tells_where_a_partner_stands(api: Api, selling: Selling) -> None:
    program, partner = selling.program["id"], selling.partner["id"]
    company = await make_partner(api, selling.program, name="Acme", email="acme@example.com")
    await api.patch(f"/partners/{partner}", {"company": company["id"]})
    place = f"/programs/{program}/partners/{partner}/qualification"
    has = {"tier": "gold", "agreement": "2026-1"}
    read(await api.send("PUT", place, json=has), 200)
    terms = {"combine": "sum", "rules": [{"id": "own", "pay": {"percent_bps": 3_000}}]}
    drafts = f"/programs/{program}/plans"
    own = await api.post(drafts, {"partner_id": partner, "plan": terms})
    await api.post(f"/plans/{own['id']}/publish", {}, status=200)
    await api.post(drafts, {"partner_id": partner, "plan": terms})

    export = await api.get(f"/partners/{partner}/export")

    assert export["companies"][-1]["company_id"] == company["id"]
    (held,) = export["qualifications"]
    assert {name: held[name] for name in ("program_id", "certified", *has)} == {
        "program_id": program, "certified": False, **has,
    }  # fmt: skip
    (agreed,) = export["own_terms"]
    assert (agreed["id"], agreed["plan"]["rules"][0]["id"]) == (own["id"], "own")
    empty = await api.get(f"/partners/{company['id']}/export")
    assert (empty["qualifications"], empty["own_terms"]) == ([], [])


async def link_saying(api: Api, partner: Any, texts: dict[str, str]) -> Any:
    return await make_link(
        api,
        partner,
        destination=f"https://shop.example.com/{texts['destination']}",
        subs={"sub1": texts["sub"]},
        asset_id=texts["asset"],
        utm={"campaign": texts["utm"]},
        fallback="https://shop.example.com/gone",
    )


async def until_left(data_dir: Path, texts: dict[str, str], places: set[str]) -> None:
    """Until the texts are in these folders' files, told as `web-1 name`, and in no others."""
    deadline = asyncio.get_running_loop().time() + 15
    while (found := left(data_dir, texts)) != places:
        assert asyncio.get_running_loop().time() < deadline, found
        await asyncio.sleep(0.05)


def left(data_dir: Path, texts: dict[str, str]) -> set[str]:
    found = set()
    for path in data_dir.rglob("*"):
        with contextlib.suppress(OSError):  # a folder, or gone by now
            content = path.read_bytes()
            found |= {
                f"{path.relative_to(data_dir).parts[0]} {name}"
                for name, text in texts.items()
                if text.encode() in content
            }
    return found
