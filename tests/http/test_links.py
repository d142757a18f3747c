"""Tracking links over HTTP: codes, destinations, expiry, changes."""

from datetime import date
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select

from app.core.traffic import CLASSES
from app.db.engine import Database
from app.db.tables import Link, LinkChange, LinkClicks
from app.ids import decode, uuid7
from app.tracking_links import RESERVED
from tests.http.client import Api, make_link, make_partner, make_program


@pytest.fixture
async def partner(api: Api) -> Any:
    return await make_partner(api, await make_program(api))


async def test_a_link_leads_where_it_says_in_normal_form(api: Api, partner: Any) -> None:
    link = await make_link(
        api,
        partner,
        destination="HTTPS://shop.example.com/a/../pricing?x=ü",
        fallback="http://localhost:3000",
        expires_at="2030-01-01T00:00:00+02:00",
        subs={"placement": "footer"},
    )
    assert link["destination"] == "https://shop.example.com/pricing?x=%C3%BC"
    assert link["fallback"] == "http://localhost:3000/"
    assert link["expires_at"] == "2029-12-31T22:00:00Z"
    assert link["subs"] == {"placement": "footer"}
    assert link["clicks"] == {}
    assert link["host"] is None
    assert await api.get(f"/links/{link['id']}") == link


@pytest.mark.parametrize("field", ["destination", "fallback"])
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://evil.com/", "destination_not_allowed"),
        ("https:evil.com", "invalid_request"),
        ("https:///evil.com", "invalid_request"),
        ("https://shop.example.com\\@evil.com/", "invalid_request"),
        ("java\tscript:alert(1)", "invalid_request"),
    ],
)
async def test_a_link_leads_nowhere_else(
    api: Api, partner: Any, field: str, url: str, code: str
) -> None:
    program_id = partner["enrollments"][0]["program_id"]
    body = {"program_id": program_id, "partner_id": partner["id"], field: url}
    problem = await api.post("/links", body, status=422)
    assert problem["code"] == code
    assert problem["errors"][0]["place"] == f"body/{field}"
    default = f"/links/{partner['default_link']['id']}"
    assert (await api.patch(default, {field: url}, status=422))["code"] == code
    assert (await api.get("/links"))["data"] == [partner["default_link"]]


async def test_a_code_is_taken_once_in_all_workspaces(
    api: Api, partner: Any, stranger: Api
) -> None:
    code = f"spring-{uuid7().hex}"
    link = await make_link(api, partner, code=code)
    assert link["short_url"].endswith(f"/r/{code}")
    other = await make_partner(stranger, await make_program(stranger))
    body = {
        "program_id": other["enrollments"][0]["program_id"], "partner_id": other["id"],
        "code": code,
    }  # fmt: skip
    assert (await stranger.post("/links", body, status=409))["code"] == "code_taken"
    await api.delete(f"/links/{link['id']}")
    assert (await stranger.post("/links", body, status=409))["code"] == "code_taken"
    await make_link(stranger, other, code=code.upper())


@pytest.mark.parametrize("word", sorted(RESERVED))
async def test_reserved_words_are_no_codes_in_any_case(api: Api, partner: Any, word: str) -> None:
    program_id = partner["enrollments"][0]["program_id"]
    for code in (word, word.upper()):
        body = {"program_id": program_id, "partner_id": partner["id"], "code": code}
        problem = await api.post("/links", body, status=422)
        assert problem["errors"][0]["problem"] == "This word is reserved"


def test_what_the_document_says_of_codes_is_what_counts(app: FastAPI) -> None:
    link = app.openapi()["components"]["schemas"]["LinkCreate"]["properties"]["code"]["anyOf"][0]
    assert (link["pattern"], link["type"]) == (
        r"^[A-Za-z0-9][A-Za-z0-9_-]{1,62}[A-Za-z0-9]$",
        "string",
    )
    assert all(word in link["description"] for word in RESERVED)


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "ab"}, {"code": "a" * 65}, {"code": "a b"}, {"code": "a/b"}, {"code": "äöü"},
        {"code": "abc\n"}, {"code": "Admin"}, {"code": "-abc"}, {"code": "abc_"},
        {"code": ""}, {"code": 123},
        {"host": "links.example.com"}, {"destination": 5}, {"destination": ""},
        {"subs": {"a b": "c"}}, {"subs": {"a": 1}}, {"subs": {"a": "x" * 201}},
        {"subs": {"click_id": "x"}}, {"subs": {f"s{i}": "" for i in range(21)}},
        {"utm": {"source": "{nobody}"}}, {"utm": {"source": 1}}, {"utm": {"brand": "x"}},
        {"utm": {"source": "x" * 201}}, {"asset_id": "a b"}, {"asset_id": ""},
        {"expires_at": "2030-01-01"}, {"expires_at": "2030-13-01T00:00:00Z"},
        {"expires_at": "0001-01-01T00:00:00+14:00"}, {"partner_id": "part_x"},
        {"partner_id": "prog_01h45ytscbebyvny4gc8cr8ma2"},
    ],
)  # fmt: skip
async def test_a_senseless_link_is_refused(
    api: Api, partner: Any, changes: dict[str, object]
) -> None:
    program_id = partner["enrollments"][0]["program_id"]
    body = {"program_id": program_id, "partner_id": partner["id"], **changes}
    problem = await api.post("/links", body, status=422)
    assert problem["errors"][0]["place"].startswith(f"body/{next(iter(changes))}")
    assert problem["errors"][0]["remedy"]


async def test_a_link_needs_a_partner_of_its_program(api: Api, partner: Any) -> None:
    other = await make_program(api)
    body = {"program_id": other["id"], "partner_id": partner["id"]}
    problem = await api.post("/links", body, status=404)
    assert problem["errors"][0]["place"] == "body/partner_id"


async def test_patch_changes_what_is_given_and_null_clears(api: Api, partner: Any) -> None:
    link = await make_link(api, partner, fallback="https://shop.example.com/gone")
    path = f"/links/{link['id']}"
    changed = await api.patch(path, {"expires_at": "2030-01-01T00:00:00Z"})
    assert changed == {**link, "expires_at": "2030-01-01T00:00:00Z"}
    cleared = await api.patch(path, {"expires_at": None, "fallback": None, "subs": {"a": "b"}})
    assert cleared == {**link, "fallback": None, "subs": {"a": "b"}}
    await api.patch(path, {"destination": None}, status=422)
    await api.patch(path, {"subs": {"click_id": "x"}}, status=422)
    await api.patch(path, {"code": "other"}, status=422)


async def test_utm_templates_and_assets_are_kept_changed_and_cleared(
    api: Api, partner: Any
) -> None:
    own = {"source": "{partner}", "content": "{sub1}"}
    link = await make_link(api, partner, utm=own, asset_id="banner:300x250")
    assert (link["utm"], link["asset_id"]) == (own, "banner:300x250")
    path = f"/links/{link['id']}"
    changed = await api.patch(path, {"utm": {"medium": "mail"}})
    assert changed == {**link, "utm": {"medium": "mail"}}
    cleared = await api.patch(path, {"utm": {}, "asset_id": None})
    assert cleared == {**link, "utm": {}, "asset_id": None}
    problem = await api.patch(path, {"utm": {"term": "{x}"}}, status=422)
    assert problem["errors"][0] == {
        "place": "body/utm/term",
        "problem": "There is no placeholder {x}",
        "remedy": "Use {partner}, {link}, {link_code}, {asset} or {sub1} to {sub5}.",
    }


async def test_a_link_s_own_templates_stay_beside_its_program_s(api: Api, partner: Any) -> None:
    program = f"/programs/{partner['enrollments'][0]['program_id']}"
    changed = await api.patch(program, {"utm": {"source": "partners"}})
    assert changed["utm"] == {"source": "partners"}
    link = await make_link(api, partner, utm={"source": "own"})
    await api.patch(program, {"utm": {}, "click_parameter": "ref"})
    assert (await api.get(f"/links/{link['id']}"))["utm"] == {"source": "own"}
    await api.patch(program, {"utm": {"source": "{oops}"}}, status=422)


async def test_a_sub_id_must_not_take_the_program_s_present_click_parameter(
    api: Api, partner: Any
) -> None:
    path = f"/links/{partner['default_link']['id']}"
    await api.patch(
        f"/programs/{partner['enrollments'][0]['program_id']}", {"click_parameter": "ref"}
    )
    await api.patch(path, {"subs": {"click_id": "free now"}})
    refused = await api.patch(path, {"subs": {"ref": "taken"}}, status=422)
    assert refused["errors"][0]["place"] == "body/subs/ref"


async def test_archiving_is_for_good_and_can_be_repeated(api: Api, partner: Any) -> None:
    link = await make_link(api, partner)
    archived = await api.delete(f"/links/{link['id']}")
    assert archived["archived_at"]
    assert await api.delete(f"/links/{link['id']}") == archived
    await api.patch(f"/links/{link['id']}", {"subs": {}}, status=409)
    assert (await api.get("/links"))["data"] == [partner["default_link"]]
    assert (await api.get("/links?archived=true"))["data"] == [archived]


async def test_lists_are_filtered_by_program_and_partner(api: Api, partner: Any) -> None:
    program_id = partner["enrollments"][0]["program_id"]
    other = await make_partner(api, {"id": program_id})
    everything = (await api.get(f"/links?program_id={program_id}"))["data"]
    assert [link["partner_id"] for link in everything] == [other["id"], partner["id"]]
    own = (await api.get(f"/links?partner_id={other['id']}"))["data"]
    assert own == [other["default_link"]]
    elsewhere = await make_program(api)
    assert (await api.get(f"/links?program_id={elsewhere['id']}"))["data"] == []


async def test_clicks_are_summed_by_class(api: Api, partner: Any, database: Database) -> None:
    link = partner["default_link"]
    rows = [("human", 1, 3), ("human", 2, 4), ("head", 1, 1)]
    async with database.tx() as tx:
        await tx.execute(
            insert(LinkClicks),
            [
                {
                    "link_id": decode("link", link["id"]),
                    "on_day": date(2026, 1, day),
                    "traffic_class": CLASSES[name],
                    "clicks": clicks,
                }
                for name, day, clicks in rows
            ],
        )
    assert (await api.get(f"/links/{link['id']}"))["clicks"] == {"human": 7, "head": 1}


async def test_every_change_reaches_the_redirectors_feed(
    api: Api, partner: Any, database: Database
) -> None:
    link = await make_link(api, partner)
    await api.patch(f"/links/{link['id']}", {"subs": {"a": "b"}})
    await api.delete(f"/links/{link['id']}")
    async with database.read() as read:
        changes = await read.all(
            select(LinkChange.number).where(LinkChange.link_id == decode("link", link["id"]))
        )
        hosts = await read.scalar(select(Link.host).where(Link.id == decode("link", link["id"])))
    assert len(changes) == 3
    assert hosts == ""
