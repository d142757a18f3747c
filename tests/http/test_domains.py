"""Custom domains: claimed, verified by what their host shows, used by links, given back."""

from typing import Any

import pytest

from app.ids import uuid7
from tests.http.client import Api, make_link, make_partner, make_program
from tests.http.hosts import Hosts


@pytest.fixture
async def partner(api: Api) -> Any:
    return await make_partner(api, await make_program(api))


async def claimed(api: Api, partner: Any, host: str = "") -> Any:
    program_id = partner["enrollments"][0]["program_id"]
    host = host or f"go-{uuid7().hex}.example.com"
    return await api.post("/domains", {"program_id": program_id, "host": host})


async def verified(api: Api, partner: Any, hosts: Hosts, host: str = "") -> Any:
    domain = await claimed(api, partner, host)
    hosts.records[domain["dns"]["name"], "TXT"] = [domain["dns"]["value"]]
    return await api.post(f"/domains/{domain['id']}/verify", status=200)


async def test_a_txt_record_verifies_a_domain_once_and_for_all(
    api: Api, partner: Any, hosts: Hosts
) -> None:
    domain = await claimed(api, partner)
    assert domain["status"] == "pending"
    assert domain["dns"]["name"] == f"_finderfee-challenge.{domain['host']}"
    path = f"/domains/{domain['id']}"
    hosts.records[domain["dns"]["name"], "TXT"] = ['"v=other"', domain["dns"]["value"] + "x"]
    problem = await api.post(f"{path}/verify", status=409)
    assert problem["code"] == "domain_not_verified"
    assert [one["place"] for one in problem["errors"]] == ["dns", "http"]
    hosts.records[domain["dns"]["name"], "TXT"] = ['"v=other"', domain["dns"]["value"]]
    done = await api.post(f"{path}/verify", status=200)
    assert (done["status"], done["verified_by"]) == ("verified", "dns")
    del hosts.records[domain["dns"]["name"], "TXT"]
    assert await api.post(f"{path}/verify", status=200) == done
    assert await api.get(path) == done


async def test_the_host_s_own_answer_verifies_it_too(api: Api, partner: Any, hosts: Hosts) -> None:
    domain = await claimed(api, partner)
    path = f"/.well-known/finderfee-challenge/{domain['http']['body']}"
    assert domain["http"]["url"] == f"http://{domain['host']}{path}"
    hosts.records[domain["host"], "A"] = ["127.0.0.1"]
    for wrong in (b"something else", b"<html>" + domain["http"]["body"].encode(), b"\xff" * 9):
        hosts.pages[domain["host"], path] = wrong
        problem = await api.post(f"/domains/{domain['id']}/verify", status=409)
        assert problem["errors"][1]["problem"] == "It answered something else."
    hosts.pages[domain["host"], path] = domain["http"]["body"].encode() + b"\r\n"
    done = await api.post(f"/domains/{domain['id']}/verify", status=200)
    assert (done["status"], done["verified_by"]) == ("verified", "http")


async def test_a_private_host_is_not_called(api: Api, partner: Any, hosts: Hosts) -> None:
    domain = await claimed(api, partner)
    path = f"/.well-known/finderfee-challenge/{domain['http']['body']}"
    hosts.pages[domain["host"], path] = domain["http"]["body"].encode()
    hosts.records[domain["host"], "A"] = ["169.254.169.254"]
    problem = await api.post(f"/domains/{domain['id']}/verify", status=409)
    assert problem["errors"][1]["problem"] == "The host has an address that is not public."


@pytest.mark.parametrize(
    "host",
    [
        *("", "example", "localhost", "127.0.0.1", "[::1]", "go.example.com:8080", "*.example.com"),
        *("https://go.example.com", "go.example.com/x", "go.example.com.", "a@b.example", "10.1"),
        *("0x7f.1", "go..example.com", "go example.com", "x" * 300, "a.1"),
    ],
)
async def test_what_is_no_dns_name_can_not_be_claimed(api: Api, partner: Any, host: str) -> None:
    body = {"program_id": partner["enrollments"][0]["program_id"], "host": host}
    problem = await api.post("/domains", body, status=422)
    assert problem["errors"][0]["place"] == "body/host"


async def test_links_stand_on_verified_domains_of_their_program(
    api: Api, partner: Any, hosts: Hosts
) -> None:
    domain = await verified(api, partner, hosts)
    link = await make_link(api, partner, host=domain["host"].upper(), code="spring")
    assert link["host"] == domain["host"]
    assert link["short_url"] == f"http://{domain['host']}/r/spring"
    other = await verified(api, await make_partner(api, await make_program(api)), hosts)
    pending = await claimed(api, partner)
    program_id = partner["enrollments"][0]["program_id"]
    body = {"program_id": program_id, "partner_id": partner["id"]}
    for host in (other["host"], pending["host"], "shop.example.com", "a b"):
        problem = await api.post("/links", {**body, "host": host}, status=422)
        assert problem["errors"][0]["place"] == "body/host"
    taken = {**body, "host": domain["host"], "code": "spring"}
    assert (await api.post("/links", taken, status=409))["code"] == "code_taken"
    rows = [{**body, "host": domain["host"]}, {**body, "host": other["host"]}]
    refused = await api.post("/links/bulk", {"links": rows}, status=422)
    assert [one["place"] for one in refused["errors"]] == ["body/links/1/host"]


async def test_a_domain_is_given_back_once_no_link_stands_on_it(
    api: Api, partner: Any, hosts: Hosts, stranger: Api
) -> None:
    domain = await verified(api, partner, hosts)
    fallback = "https://shop.example.com/gone"
    link = await make_link(api, partner, host=domain["host"], fallback=fallback)
    path = f"/domains/{domain['id']}"
    assert (await api.delete(path, status=409))["code"] == "conflict"
    theirs = await make_partner(stranger, await make_program(stranger))
    second = await claimed(stranger, theirs, domain["host"])
    hosts.records[second["dns"]["name"], "TXT"] = [second["dns"]["value"]]
    problem = await stranger.post(f"/domains/{second['id']}/verify", status=409)
    assert "Another program has verified this host" in problem["detail"]
    await api.delete(f"/links/{link['id']}")
    archived = await api.delete(path)
    assert archived["status"] == "archived"
    assert await api.delete(path) == archived
    assert (await api.get(f"/links/{link['id']}"))["fallback"] is None
    await api.post(f"{path}/verify", status=409)
    taken_over = await stranger.post(f"/domains/{second['id']}/verify", status=200)
    assert taken_over["status"] == "verified"


async def test_a_program_claims_a_host_once_at_a_time(api: Api, partner: Any) -> None:
    first = await claimed(api, partner)
    program_id = partner["enrollments"][0]["program_id"]
    again = {"program_id": program_id, "host": first["host"]}
    assert (await api.post("/domains", again, status=409))["code"] == "conflict"
    await api.delete(f"/domains/{first['id']}")
    second = await api.post("/domains", again)
    assert second["dns"]["value"] != first["dns"]["value"]
    assert (await api.get("/domains"))["data"] == [second]
    assert [one["id"] for one in (await api.get("/domains?archived=true"))["data"]] == [first["id"]]
    assert (await api.get(f"/domains?program_id={program_id}"))["data"] == [second]
