"""Referral codes: made, listed, changed, archived; one text and one discount mean one code."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.ids import encode, uuid7
from tests.http.client import Api, make_partner, make_program


@pytest.fixture
async def partner(api: Api) -> Any:
    return await make_partner(api, await make_program(api))


def code(partner: Any, text: str, **changes: Any) -> dict[str, Any]:
    program_id = partner["enrollments"][0]["program_id"]
    return {"program_id": program_id, "partner_id": partner["id"], "code": text, **changes}


def ahead(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat().replace("+00:00", "Z")


async def test_a_code_is_kept_in_upper_case_and_found_in_any(api: Api, partner: Any) -> None:
    made = await api.post("/codes", code(partner, " Spring-10 ", provider_ids=["stripe:promo_b"]))
    assert made["id"].startswith("code_")
    assert (made["code"], made["provider_ids"]) == ("SPRING-10", ["stripe:promo_b"])
    assert (made["valid_until"], made["archived_at"]) == (None, None)
    assert await api.get(f"/codes/{made['id']}") == made
    other = await api.post("/codes", code(partner, "other"))
    assert (await api.get("/codes"))["data"] == [other, made]
    for query in ("code=sPRING-10", f"partner_id={partner['id']}&code=spring-10"):
        assert (await api.get(f"/codes?{query}"))["data"] == [made]
    assert (await api.get("/codes?code=nobodys"))["data"] == []


async def test_a_text_and_a_discount_are_taken_in_the_workspace_alone(
    api: Api, stranger: Api, partner: Any
) -> None:
    await api.post("/codes", code(partner, "SPRING", provider_ids=["stripe:promo_1"]))
    for body, place in (
        (code(partner, "spring"), "body/code"),
        (code(partner, "NEW", provider_ids=["paddle:x", "stripe:promo_1"]), "body/provider_ids/1"),
    ):
        problem = await api.post("/codes", body, status=409)
        assert problem["code"] == "code_taken"
        assert [error["place"] for error in problem["errors"]] == [place]
    assert len((await api.get("/codes"))["data"]) == 1
    elsewhere = await make_partner(stranger, await make_program(stranger))
    await stranger.post("/codes", code(elsewhere, "SPRING", provider_ids=["stripe:promo_1"]))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"code": "ab"}, 422),
        ({"code": "a b c"}, 422),
        ({"code": "-abc"}, 422),
        ({"code": "a" * 65}, 422),
        ({"code": "straße"}, 422),
        ({"code": "a\u0000bc"}, 422),
        ({"provider_ids": ["promo_1"]}, 422),
        ({"provider_ids": ["stripe:"]}, 422),
        ({"provider_ids": ["stripe:a b"]}, 422),
        ({"valid_until": "2020-01-01T00:00:00Z"}, 422),
        ({"discount": 5}, 422),
        ({"partner_id": encode("part", uuid7())}, 404),
        ({"program_id": encode("prog", uuid7())}, 404),
    ],
)
async def test_what_can_be_no_code_is_refused(
    api: Api, partner: Any, changes: dict[str, Any], status: int
) -> None:
    problem = await api.post("/codes", {**code(partner, "FINE"), **changes}, status=status)
    field = next(iter(changes))
    assert any(error["place"].startswith(f"body/{field}") for error in problem["errors"])
    assert (await api.get("/codes"))["data"] == []


async def test_validity_and_discounts_change_and_are_cleared(api: Api, partner: Any) -> None:
    made = await api.post("/codes", code(partner, "SPRING", provider_ids=["stripe:promo_1"]))
    path, end = f"/codes/{made['id']}", ahead(3)
    ended = await api.patch(path, {"valid_until": end})
    assert ended == {**made, "valid_until": end}
    moved = await api.patch(path, {"provider_ids": ["stripe:promo_2", "paddle:dsc_1"]})
    assert moved == {**ended, "provider_ids": ["paddle:dsc_1", "stripe:promo_2"]}
    assert (await api.patch(path, {"valid_until": None}))["valid_until"] is None
    # The discount that was given up is free for another code, and comes back no more.
    other = await api.post("/codes", code(partner, "OTHER", provider_ids=["stripe:promo_1"]))
    back = await api.patch(path, {"provider_ids": ["stripe:promo_1"]}, status=409)
    assert back["errors"][0]["place"] == "body/provider_ids/0"
    assert (await api.get(path))["provider_ids"] == ["paddle:dsc_1", "stripe:promo_2"]
    assert (await api.get(f"/codes/{other['id']}"))["provider_ids"] == ["stripe:promo_1"]
    past = await api.patch(path, {"valid_until": "2020-01-01T00:00:00Z"}, status=422)
    assert past["errors"][0]["place"] == "body/valid_until"


async def test_an_archived_code_stays_taken_and_lets_its_discounts_go(
    api: Api, partner: Any
) -> None:
    made = await api.post("/codes", code(partner, "SPRING", provider_ids=["stripe:promo_1"]))
    gone = await api.delete(f"/codes/{made['id']}")
    assert gone["archived_at"] is not None
    assert gone["provider_ids"] == []
    assert await api.delete(f"/codes/{made['id']}") == gone
    assert (await api.get("/codes"))["data"] == []
    assert (await api.get("/codes?archived=true"))["data"] == [gone]
    await api.patch(f"/codes/{made['id']}", {"valid_until": None}, status=409)
    await api.post("/codes", code(partner, "spring"), status=409)
    await api.post("/codes", code(partner, "summer", provider_ids=["stripe:promo_1"]))


async def test_a_thousand_codes_are_made_in_the_order_of_the_request(
    api: Api, partner: Any
) -> None:
    rows = [
        code(partner, f"C{(number * 7) % 1_000:04}", provider_ids=[f"stripe:promo_{number}"])
        for number in range(1_000)
    ]
    made = (await api.post("/codes/bulk", {"codes": rows}))["data"]
    assert [(c["code"], c["provider_ids"]) for c in made] == [
        (row["code"], row["provider_ids"]) for row in rows
    ]


async def test_each_code_that_stands_in_the_way_is_named_and_none_is_made(
    api: Api, partner: Any
) -> None:
    await api.post("/codes", code(partner, "TAKEN", provider_ids=["stripe:taken"]))
    rows = [
        code(partner, "fine"),
        code(partner, "taken"),
        code(partner, "twice"),
        code(partner, "TWICE"),
        code(partner, "foreign", provider_ids=["stripe:taken"]),
        code(partner, "past", valid_until="2020-01-01T00:00:00Z"),
        code({**partner, "id": encode("part", uuid7())}, "nobodys"),
    ]
    problem = await api.post("/codes/bulk", {"codes": rows}, status=422)
    assert problem["code"] == "rows_refused"
    assert [error["place"] for error in problem["errors"]] == [
        "body/codes/1/code",
        "body/codes/3/code",
        "body/codes/4/provider_ids/0",
        "body/codes/5/valid_until",
        "body/codes/6/partner_id",
    ]
    assert [c["code"] for c in (await api.get("/codes"))["data"]] == ["TAKEN"]
