"""Many links in one request: all of them, or none and each row's problem."""

import asyncio
from typing import Any

import pytest

from app.ids import encode, uuid7
from tests.http.client import Api, make_link, make_partner, make_program


@pytest.fixture
async def partner(api: Api) -> Any:
    return await make_partner(api, await make_program(api, utm={"source": "partners"}))


def row(partner: Any, **changes: Any) -> dict[str, Any]:
    program_id = partner["enrollments"][0]["program_id"]
    return {"program_id": program_id, "partner_id": partner["id"], **changes}


async def test_a_thousand_links_are_made_in_the_order_of_the_request(
    api: Api, partner: Any
) -> None:
    other = await make_partner(api, await make_program(api, click_parameter="ref"))
    mark = uuid7().hex
    rows = [
        row(
            partner if number % 2 else other,
            destination=f"https://shop.example.com/{number}",
            **({"code": f"{mark}-{number}"} if number % 3 else {}),
        )
        for number in range(1_000)
    ]
    made = (await api.post("/links/bulk", {"links": rows}))["data"]
    assert [link["destination"] for link in made] == [one["destination"] for one in rows]
    assert [link["partner_id"] for link in made] == [one["partner_id"] for one in rows]
    assert all(
        link["code"] == one.get("code", link["code"]) for link, one in zip(made, rows, strict=True)
    )
    assert len({link["code"] for link in made}) == 1_000
    assert await api.get(f"/links/{made[7]['id']}") == made[7]


async def test_each_row_that_stands_in_the_way_is_named_and_nothing_is_made(
    api: Api, stranger: Api, partner: Any
) -> None:
    foreign = await make_partner(stranger, await make_program(stranger))
    taken, twice = f"taken-{uuid7().hex}", f"twice-{uuid7().hex}"
    await make_link(api, partner, code=taken)
    before = await api.get("/links")
    rows = [
        row(partner, code=f"fine-{uuid7().hex}"),
        row(partner, destination="https://evil.example/"),
        row(partner, code=taken),
        row(partner, fallback="javascript:alert(1)"),
        row(partner, code=twice),
        row(partner, code=twice),
        row(partner, subs={"click_id": "x"}),
        row(partner, partner_id=encode("part", uuid7())),
        row(foreign),
    ]
    problem = await api.post("/links/bulk", {"links": rows}, status=422)
    assert problem["code"] == "rows_refused"
    assert problem["detail"] == "7 of 9 links can't be made, so none was."
    assert [one["place"] for one in problem["errors"]] == [
        "body/links/1/destination",
        "body/links/2/code",
        "body/links/3/fallback",
        "body/links/5/code",
        "body/links/6/subs/click_id",
        "body/links/7/partner_id",
        "body/links/8/program_id",
    ]
    assert all(one["remedy"] for one in problem["errors"])
    assert await api.get("/links") == before


async def test_all_rows_are_told_however_many(api: Api, partner: Any) -> None:
    rows = [row(partner, destination="https://evil.example/") for _ in range(300)]
    problem = await api.post("/links/bulk", {"links": rows}, status=422)
    assert len(problem["errors"]) == 300


@pytest.mark.parametrize(
    ("count", "changes", "status", "place"),
    [
        (0, {}, 422, "body/links"),
        (1_001, {}, 422, "body/links"),
        (2, {"code": "a b"}, 422, "body/links/0/code"),
        (2, {"brand": "x"}, 422, "body/links/0/brand"),
        (1_000, {"subs": {"a": "x" * 1_000}}, 413, "body"),
    ],
)
async def test_senseless_requests_are_refused(
    api: Api, partner: Any, count: int, changes: Any, status: int, place: str
) -> None:
    body = {"links": [row(partner, **changes)] * count}
    problem = await api.post("/links/bulk", body, status=status)
    assert problem["errors"][0]["place"] == place


async def test_two_requests_with_the_same_codes_do_not_wait_for_each_other_in_a_circle(
    api: Api, partner: Any
) -> None:
    for _ in range(3):
        rows = [row(partner, code=f"race-{uuid7().hex}") for _ in range(40)]
        answers = await asyncio.gather(
            *(
                api.send("POST", "/links/bulk", json={"links": one})
                for one in (rows, rows[::-1], rows[20:] + rows[:20])
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 422, 422]
        for answer in answers:
            if answer.status_code == 422:
                assert {one["problem"] for one in answer.json()["errors"]} == {"Taken"}
