"""Clicks that are told: the redirect's token and journal, for servers and for the sites' script."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api import build
from app.core.click_token import ClickToken, verify
from app.db.engine import Database
from app.ids import decode
from app.redirect.journal import Journal
from app.redirect.journal_file import JournalReader
from app.redirect.journal_rows import JournalRow, unpack
from app.redirect.record import Recorder
from app.redirect.visits import Visits
from app.secret_keys import SecretKeys
from app.settings import Settings
from tests.http.client import Api, make_link, make_partner, make_program, new_workspace

SITE = "https://shop.example"
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"


@pytest.fixture
async def link(api: Api) -> Any:
    partner = await make_partner(api, await make_program(api))
    return await make_link(api, partner)


def written(journal: Journal, token: ClickToken) -> list[JournalRow]:
    """What a second connection finds of a click on disk."""
    assert journal.path is not None
    reader = JournalReader(journal.path)
    commits = reader.after(0, max_clicks=10**6)
    reader.close()
    rows = [JournalRow._make(row) for commit in commits for row in unpack(commit.rows)]
    return [row for row in rows if row.click == token.click_id.bytes]


def read_token(app: FastAPI, answer: Any) -> ClickToken:
    assert answer.keys() == {"click_id"}
    token = verify(answer["click_id"], app.state.secret_keys.click_keys)
    assert token is not None
    return token


async def test_a_told_click_is_on_disk_and_has_a_token_of_its_link(
    api: Api, app: FastAPI, link: Any, journal: Journal
) -> None:
    told = {
        "url": "https://shop.example.com/pricing", "referrer": "https://blog.example/review",
        "ip": "203.0.113.7", "user_agent": AGENT,
    }  # fmt: skip
    ids = set()
    for named in ({"code": link["code"]}, {"link_id": link["id"]}):
        token = read_token(app, await api.post("/track/click", {**told, **named}, status=200))
        assert token.link_id == decode("link", link["id"])
        assert token.traffic_class == "human"
        assert abs(token.at - datetime.now(UTC)) < timedelta(seconds=5)
        (row,) = written(journal, token)
        assert row.link == token.link_id.bytes
        assert (row.traffic_class, row.agent) == (1, AGENT.encode())
        assert row.referrer == b"https://blog.example/review"
        ids.add(token.click_id)
    assert len(ids) == 2
    assert journal.path is not None
    for file in journal.path.parent.glob("*"):
        assert b"203.0.113.7" not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("url", "subs"),
    [
        ("https://shop.example/?ref=a&sub2=b%20c&sub1=footer&x=1#sub3=x", b"sub1=footer&sub2=b+c"),
        ("https://shop.example/?sub1=first&sub1=second&sub9=no", b"sub1=first"),
        ("/pricing?sub1=%C3%BC", b"sub1=%C3%BC"),
        ("/pricing?sub1=ü", b"sub1=%C3%BC"),
        ("https://shop.example/?sub5=the-link-has-its-own", b""),
        ("https://[not a page?sub1=kept", b"sub1=kept"),
        ("https://shop.example/?sub1=" + "x" * 2_000, b""),
        ("", b""),
    ],
)  # fmt: skip
async def test_of_the_page_the_sub_ids_are_kept(
    api: Api, app: FastAPI, link: Any, journal: Journal, url: str, subs: bytes
) -> None:
    await api.patch(f"/links/{link['id']}", {"subs": {"sub5": "own"}})
    told = {"link_id": link["id"], "url": url}
    token = read_token(app, await api.post("/track/click", told, status=200))
    (row,) = written(journal, token)
    assert row.subs == subs


async def test_without_an_agent_nobody_is_judged_by_the_server_s_own(
    api: Api, app: FastAPI, link: Any, journal: Journal
) -> None:
    token = read_token(app, await api.post("/track/click", {"code": link["code"]}, status=200))
    (row,) = written(journal, token)
    assert (row.agent, row.referrer, row.traffic_class) == (b"", b"", 1)


async def test_a_told_click_earns_as_a_redirect_s_does(api: Api, link: Any) -> None:
    answer = await api.post("/track/click", {"code": link["code"]}, status=200)
    sold = await api.post(
        "/track/sale",
        {
            "customer_external_id": "user-1", "amount": 10_000, "currency": "usd",
            "invoice_id": "INV-1", "click_id": answer["click_id"],
        },
        status=200,
    )  # fmt: skip
    (commission,) = sold["outcome"]["commissions"]
    assert (commission["amount"], commission["partner_id"]) == (2_000, link["partner_id"])


async def test_unknown_foreign_and_ended_links_have_no_clicks(
    api: Api, stranger: Api, link: Any
) -> None:
    unknown = await api.post("/track/click", {"code": "no-such-link"}, status=404)
    assert unknown["errors"][0]["place"] == "body/code"
    for named in ({"code": link["code"]}, {"link_id": link["id"]}):
        await stranger.post("/track/click", named, status=404)
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await api.patch(f"/links/{link['id']}", {"expires_at": soon})
    await api.post("/track/click", {"code": link["code"]}, status=200)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await api.patch(f"/links/{link['id']}", {"expires_at": past})
    expired = await api.post("/track/click", {"code": link["code"]}, status=410)
    assert expired["code"] == "link_ended"
    await api.patch(f"/links/{link['id']}", {"expires_at": None})
    await api.post("/track/click", {"link_id": link["id"]}, status=200)
    await api.delete(f"/links/{link['id']}")
    await api.post("/track/click", {"link_id": link["id"]}, status=410)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "ana", "link_id": "link_01h45ytscbebyvny4gc8cr8ma2"},
        {"code": ""},
        {"code": "x" * 129},
        {"code": 7},
        {"link_id": "ana"},
        {"code": "ana", "ip": "not an address"},
        {"code": "ana", "referrer": "x" * 2_049},
        {"code": "ana", "user_agent": None, "agent": "x"},
    ],
)
async def test_a_senseless_click_is_refused(api: Api, body: Any) -> None:
    refused = await api.post("/track/click", body, status=422)
    assert refused["errors"][0]["remedy"]


async def test_a_secret_key_needs_the_scope(api: Api, link: Any) -> None:
    teller = await api.with_scopes("clicks:write")
    await teller.post("/track/click", {"code": link["code"]}, status=200)
    await teller.post("/track/lead", {"customer_external_id": "u"}, status=403)
    other = await api.with_scopes("conversions:write", "links:write")
    await other.post("/track/click", {"code": link["code"]}, status=403)


@pytest.fixture
async def full_app(database: Database, tmp_path: Path) -> FastAPI:
    """An API whose journal takes nothing more."""
    keys = SecretKeys(["a key for tests, 32 characters long"])
    journal = Journal(tmp_path, max_bytes=2_000_000_000)
    await journal.close()
    settings = Settings()
    recorder = Recorder(journal, keys.click_keys, Visits(settings, tmp_path, keys))
    return build(database, settings, keys, lambda: True, recorder)


async def test_a_click_that_is_not_on_disk_gets_no_token(
    full_app: FastAPI, database: Database
) -> None:
    api = await new_workspace(full_app, database)
    partner = await make_partner(api, await make_program(api))
    answer = await api.send("POST", "/track/click", json={"code": partner["default_link"]["code"]})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "click_id" not in answer.json()


async def test_a_page_s_own_agent_counts_and_its_frame_s_headers_do_not(
    api: Api, app: FastAPI, link: Any, journal: Journal
) -> None:
    made = await api.post("/keys", {"name": "site", "kind": "publishable", "origins": [SITE]})
    transport = httpx.ASGITransport(app)
    headers = {
        "Authorization": f"Bearer {made['key']}", "Origin": SITE, "User-Agent": AGENT,
        "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "cross-site",
    }  # fmt: skip
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        body = {"code": link["code"], "user_agent": "told otherwise"}
        answer = await client.post("/v1/track/click", json=body, headers=headers)
    token = read_token(app, answer.json())
    (row,) = written(journal, token)
    assert (row.agent, token.traffic_class) == (AGENT.encode(), "human")
