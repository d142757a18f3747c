"""Told clicks of a code that stands on several hosts: whose they are is never guessed."""

from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from app.core.click_token import verify
from app.ids import decode, uuid7
from tests.http.client import Api, make_link, make_partner, make_program
from tests.http.hosts import Hosts
from tests.http.test_domains import verified
from tests.http.test_publishable_keys import Page, publishable

CODE = "spring"


@pytest.fixture
async def links(api: Api, hosts: Hosts) -> list[Any]:
    """One code on two domains and on the installation's own host, for three partners."""
    program = await make_program(api)
    names = ("Ana", "Ben", "Cleo")
    ana, ben, cleo = [
        await make_partner(api, program, name=name, email=f"{name.lower()}@example.com")
        for name in names
    ]
    code = f"{CODE}-{uuid7().hex[-8:]}"
    on = [(await verified(api, ana, hosts))["host"] for _ in range(2)]
    return [
        await make_link(api, ana, code=code, host=on[0]),
        await make_link(api, ben, code=code, host=on[1]),
        await make_link(api, cleo, code=code),
    ]


async def told(api: Api, app: FastAPI, **body: Any) -> UUID:
    """The id of the link whose click it became."""
    return clicked(app, await api.post("/track/click", body, status=200))


def clicked(app: FastAPI, answer: Any) -> UUID:
    token = verify(answer["click_id"], app.state.secret_keys.click_keys)
    assert token is not None
    return token.link_id


def uuid(link: Any) -> UUID:
    return decode("link", link["id"])


async def test_a_code_on_several_hosts_credits_nobody_by_chance(
    api: Api, app: FastAPI, links: list[Any]
) -> None:
    code = links[0]["code"]
    # What the page's address says of a host decides nothing either.
    for page in ({}, {"url": links[1]["short_url"], "referrer": links[1]["short_url"]}):
        refused = await api.post("/track/click", {"code": code, **page}, status=422)
        assert refused["code"] == "code_ambiguous"
        (error,) = refused["errors"]
        assert error["place"] == "body/code"
        assert error["problem"] == "Links on more than one host have this code"
        assert "host" in error["remedy"]
        assert "link_id" in error["remedy"]
    for link in links:
        assert await told(api, app, link_id=link["id"]) == uuid(link)


async def test_the_host_tells_whose_click_it_is(api: Api, app: FastAPI, links: list[Any]) -> None:
    code = links[0]["code"]
    for link in links[:2]:
        assert await told(api, app, code=code, host=link["host"]) == uuid(link)
        assert await told(api, app, code=code, host=link["host"].upper()) == uuid(link)
    own = links[2]["short_url"].split("/")[2]
    assert await told(api, app, code=code, host=own) == uuid(links[2])


async def test_the_host_s_partner_is_paid(api: Api, links: list[Any]) -> None:
    for number, link in enumerate(links[:2]):
        body = {"code": link["code"], "host": link["host"]}
        clicked = await api.post("/track/click", body, status=200)
        sale = {
            "customer_external_id": f"u-{number}", "amount": 10_000, "currency": "usd",
            "invoice_id": f"INV-{number}", "click_id": clicked["click_id"],
        }  # fmt: skip
        sold = await api.post("/track/sale", sale, status=200)
        (paid,) = sold["outcome"]["commissions"]
        assert (paid["partner_id"], paid["amount"]) == (link["partner_id"], 2_000)


async def test_an_ended_link_leaves_its_code_s_visitors_to_nobody_else(
    api: Api, app: FastAPI, links: list[Any]
) -> None:
    for link in links[1:]:
        await api.delete(f"/links/{link['id']}")
    body = {"code": links[0]["code"]}
    assert (await api.post("/track/click", body, status=422))["code"] == "code_ambiguous"
    await api.post("/track/click", body | {"host": links[1]["host"]}, status=410)
    assert await told(api, app, **body, host=links[0]["host"]) == uuid(links[0])


async def test_one_link_s_code_is_enough_whatever_its_host(
    api: Api, app: FastAPI, stranger: Api, links: list[Any], hosts: Hosts
) -> None:
    partner = await make_partner(api, await make_program(api), email="dana@example.com")
    alone = await make_link(api, partner)
    code = alone["code"]
    assert await told(api, app, code=code) == uuid(alone)
    # Another workspace's link of this code makes it no less clear.
    other = await make_partner(stranger, await make_program(stranger))
    host = (await verified(stranger, other, hosts))["host"]
    foreign = await make_link(stranger, other, code=code, host=host)
    assert await told(api, app, code=code) == uuid(alone)
    assert await told(stranger, app, code=code) == uuid(foreign)
    for caller, body in (
        (stranger, {"code": links[0]["code"]}),
        (stranger, {"code": code, "host": alone["short_url"].split("/")[2]}),
        (api, {"code": code, "host": host}),
    ):
        assert (await caller.post("/track/click", body, status=404))["code"] == "not_found"


@pytest.mark.parametrize("host", ["nobody.example", "api.example:8080"])
async def test_a_host_that_the_code_does_not_stand_on_is_no_link(
    api: Api, links: list[Any], host: str
) -> None:
    """Not even where the redirect would serve a link for all hosts: a typing error pays nobody."""
    body = {"code": links[0]["code"], "host": host}
    unknown = await api.post("/track/click", body, status=404)
    assert [error["place"] for error in unknown["errors"]] == ["body/code"]


@pytest.mark.parametrize("host", ["", "https://go.example", "go.example/r", "x" * 254, 7])
async def test_what_is_no_host_is_refused(api: Api, links: list[Any], host: Any) -> None:
    refused = await api.post("/track/click", {"code": links[0]["code"], "host": host}, status=422)
    assert [error["place"] for error in refused["errors"]] == ["body/host"]
    assert refused["errors"][0]["remedy"]


async def test_a_host_goes_with_a_code(api: Api, links: list[Any]) -> None:
    body = {"link_id": links[0]["id"], "host": links[0]["host"]}
    refused = await api.post("/track/click", body, status=422)
    assert "code" in refused["errors"][0]["problem"]


async def test_a_page_s_key_is_told_no_hosts(api: Api, app: FastAPI, links: list[Any]) -> None:
    page = Page(app, (await publishable(api))["key"])
    refused = await page.click(links[0]["code"])
    assert (refused.status_code, refused.json()["code"]) == (422, "code_ambiguous")
    assert not any(link["host"] in refused.text for link in links[:2])
    body = {"code": links[0]["code"], "host": links[1]["host"]}
    answer = await page.send("POST", "/track/click", json=body)
    assert clicked(app, answer.json()) == uuid(links[1])
