"""Programs and their plan versions over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.db.engine import Database
from app.db.tables import LinkChange, PlanVersion, ProgramState
from app.ids import decode, uuid7
from tests.http.client import PLAN, Api, make_link, make_partner, make_program
from tests.http.hosts import Hosts

OTHER_PLAN = {**PLAN, "hold_days": 7}


async def test_a_program_starts_active_with_its_plan_in_force(api: Api) -> None:
    made = await make_program(api, destination_hosts=["Shop.Example.com", "shop.example.com:443"])
    assert made["status"] == "active"
    assert made["destination_hosts"] == ["shop.example.com"]
    assert made["plan_version"] == 1
    assert made["plan"]["hold_days"] == 30
    assert made["plan"]["late_days"] == 1
    assert await api.get(f"/programs/{made['id']}") == made
    assert (await api.get("/programs"))["data"] == [made]


async def test_the_first_version_covers_every_earlier_sale(api: Api) -> None:
    made = await make_program(api)
    plan = await api.get(f"/plans/{made['plan_id']}")
    assert plan["status"] == "published"
    assert plan["effective_from"] is None
    assert plan["version"] == 1


async def test_a_plan_is_refused_with_every_problem_in_its_place(api: Api) -> None:
    rules = [{"id": "a", "pay": {"to": "partner", "percent_bps": "20"}, "when": "sale.nope == 1"}]
    body = {
        "name": "P",
        "currency": "usd",
        "destination_hosts": ["a.example"],
        "default_destination": "https://a.example/",
        "plan": {**PLAN, "rules": rules, "hold_days": 1.5, "extra": 1},
    }
    problem = await api.post("/programs", body, status=422)
    assert problem["code"] == "plan_invalid"
    places = {error["place"] for error in problem["errors"]}
    assert {
        "body/plan/hold_days", "body/plan/rules/0/pay/percent_bps", "body/plan/rules/0/when",
    } <= places  # fmt: skip
    assert all(error["problem"] and error["remedy"] for error in problem["errors"])
    assert (await api.get("/programs"))["data"] == []


async def test_pausing_and_resuming_is_dated(api: Api, database: Database) -> None:
    made = await make_program(api)
    path = f"/programs/{made['id']}"
    before = datetime.now(UTC)
    assert (await api.patch(path, {"status": "paused"}))["status"] == "paused"
    await api.patch(path, {"status": "paused"})
    assert (await api.patch(path, {"status": "active"}))["status"] == "active"
    async with database.read() as read:
        rows = await read.all(
            select(ProgramState.state, ProgramState.since)
            .where(ProgramState.program_id == decode("prog", made["id"]))
            .order_by(ProgramState.since)
        )
    assert [row.state for row in rows] == ["active", "paused", "active"]
    assert rows[0].since < rows[1].since < rows[2].since
    assert before - timedelta(seconds=5) < rows[1].since < datetime.now(UTC) + timedelta(seconds=5)


async def test_patch_changes_what_is_given_and_nothing_else(api: Api) -> None:
    made = await make_program(api)
    changed = await api.patch(f"/programs/{made['id']}", {"name": "New"})
    assert changed == {**made, "name": "New"}
    assert await api.patch(f"/programs/{made['id']}", {}) == changed


@pytest.mark.parametrize(
    "body",
    [
        {"name": None}, {"name": ""}, {"status": "archived"}, {"destination_hosts": []},
        {"destination_hosts": ["*"]}, {"default_destination": "https:evil.com"},
        {"currency": "eur"}, {"click_parameter": "a b"}, {"plan": PLAN},
    ],
)  # fmt: skip
async def test_a_senseless_change_is_refused(api: Api, body: object) -> None:
    made = await make_program(api)
    problem = await api.patch(f"/programs/{made['id']}", body, status=422)
    assert problem["errors"][0]["remedy"]
    assert await api.get(f"/programs/{made['id']}") == made


async def test_the_default_destination_must_be_on_an_allowed_host(api: Api) -> None:
    made = await make_program(api)
    path = f"/programs/{made['id']}"
    refused = await api.patch(path, {"default_destination": "https://evil.com/"}, status=422)
    assert refused["code"] == "destination_not_allowed"
    hosts = {"destination_hosts": ["new.example"]}
    await api.patch(path, hosts, status=422)
    both = await api.patch(path, {**hosts, "default_destination": "https://new.example/a"})
    assert both["default_destination"] == "https://new.example/a"


async def test_a_host_to_which_links_lead_stays(api: Api) -> None:
    program = await make_program(api)
    partner = await make_partner(api, program)
    link = await make_link(api, partner, fallback="http://localhost:3000/gone")
    fewer = {"destination_hosts": ["shop.example.com"]}
    path = f"/programs/{program['id']}"
    assert (await api.patch(path, fewer, status=409))["code"] == "conflict"
    await api.delete(f"/links/{link['id']}")
    assert (await api.patch(path, fewer))["destination_hosts"] == ["shop.example.com"]
    # Archived, it would still have sent its visitors to a host that is no longer allowed.
    assert (await api.get(f"/links/{link['id']}"))["fallback"] is None


async def test_what_links_have_of_their_program_is_told_once(api: Api, database: Database) -> None:
    program = await make_program(api)
    partner = await make_partner(api, program)
    path = f"/programs/{program['id']}"
    changed = [decode("prog", program["id"]), decode("link", partner["default_link"]["id"])]

    async def told() -> list[Any]:
        query = select(LinkChange.link_id).where(LinkChange.link_id.in_(changed))
        async with database.read() as read:
            return [row.link_id for row in await read.all(query.order_by(LinkChange.number))]

    expected = [changed[1]]
    assert await told() == expected
    for change in ({"click_parameter": "ref"}, {"utm": {"term": "x"}}, {"keeps_network": True}):
        await api.patch(path, change)
        expected.append(changed[0])
        assert await told() == expected
        await api.patch(path, {**change, "name": f"Not told of {len(expected)}"})
        assert await told() == expected
    await api.delete(path)
    assert await told() == [*expected, changed[0]]


async def test_archiving_pauses_and_is_for_good(api: Api) -> None:
    program = await make_program(api)
    archived = await api.delete(f"/programs/{program['id']}")
    assert archived["status"] == "archived"
    assert await api.delete(f"/programs/{program['id']}") == archived
    assert (await api.get("/programs"))["data"] == []
    assert (await api.get("/programs?archived=true"))["data"] == [archived]
    await api.patch(f"/programs/{program['id']}", {"status": "active"}, status=409)
    await api.post(f"/programs/{program['id']}/plans", {"plan": PLAN}, status=409)
    body = {"program_id": program["id"], "name": "B", "email": "b@example.com"}
    refused = await api.post("/partners", body, status=404)
    assert refused["errors"][0]["place"] == "body/program_id"


async def test_links_of_an_archived_program_are_archived_links(api: Api, hosts: Hosts) -> None:
    program = await make_program(api)
    partner = await make_partner(api, program)
    domain = await api.post(
        "/domains", {"program_id": program["id"], "host": f"go-{uuid7().hex}.example.com"}
    )
    hosts.records[domain["dns"]["name"], "TXT"] = [domain["dns"]["value"]]
    await api.post(f"/domains/{domain['id']}/verify", status=200)
    link = await make_link(api, partner, host=domain["host"])
    before = await make_link(api, partner)
    before = await api.delete(f"/links/{before['id']}")
    await api.delete(f"/domains/{domain['id']}", status=409)
    path = f"/links/{link['id']}"
    program = await api.delete(f"/programs/{program['id']}")
    ended = {**link, "archived_at": program["archived_at"]}
    default = {**partner["default_link"], "archived_at": program["archived_at"]}
    assert await api.get(path) == ended
    assert await api.delete(path) == ended
    assert (await api.patch(path, {"subs": {}}, status=409))["code"] == "conflict"
    assert (await api.get("/links"))["data"] == []
    # What was archived by itself before keeps its own time.
    assert (await api.get("/links?archived=true"))["data"] == [before, ended, default]
    assert (await api.get(f"/partners/{partner['id']}"))["default_link"] is None
    told = {"link_id": link["id"], "user_agent": "Mozilla/5.0 Firefox/140.0"}
    assert (await api.post("/track/click", told, status=410))["code"] == "link_ended"
    await api.delete(f"/domains/{domain['id']}")
    await api.delete(f"/partners/{partner['id']}")
    assert (await api.get("/links?archived=true"))["data"] == [before, ended, default]


async def _draft(api: Api, program: Any) -> Any:
    return await api.post(f"/programs/{program['id']}/plans", {"plan": OTHER_PLAN})


async def test_a_draft_changes_nothing_until_it_is_published(api: Api) -> None:
    program = await make_program(api)
    draft = await _draft(api, program)
    assert (draft["status"], draft["version"]) == ("draft", 2)
    assert (await api.get(f"/programs/{program['id']}"))["plan_version"] == 1
    published = await api.post(f"/plans/{draft['id']}/publish", {}, status=200)
    assert published["effective_from"] == published["published_at"]
    assert (await api.get(f"/programs/{program['id']}"))["plan"]["hold_days"] == 7
    listed = (await api.get(f"/programs/{program['id']}/plans"))["data"]
    assert [plan["version"] for plan in listed] == [2, 1]


async def test_a_version_for_later_is_not_in_force_yet(api: Api) -> None:
    program = await make_program(api)
    draft = await _draft(api, program)
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await api.post(f"/plans/{draft['id']}/publish", {"effective_from": later}, status=200)
    assert (await api.get(f"/programs/{program['id']}"))["plan_version"] == 1


async def test_terms_are_not_published_into_the_past(api: Api) -> None:
    program = await make_program(api)
    draft = await _draft(api, program)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    body = {"effective_from": past}
    problem = await api.post(f"/plans/{draft['id']}/publish", body, status=422)
    assert problem["errors"][0]["place"] == "body/effective_from"
    assert (await api.get(f"/plans/{draft['id']}"))["status"] == "draft"


async def test_a_published_version_never_changes(api: Api, database: Database) -> None:
    program = await make_program(api)
    await api.post(f"/plans/{program['plan_id']}/publish", {}, status=409)
    async with database.read() as read:
        document = await read.scalar(
            select(PlanVersion.document).where(PlanVersion.id == decode("plan", program["plan_id"]))
        )
    assert document == program["plan"]
