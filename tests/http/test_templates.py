"""Templates are whole: each makes programs whose terms have no fault and can be read by people."""

import re
from typing import Any

import pytest

from app.core.lint import lint
from app.core.plans import parse, parse_agreement
from app.plan_words.plans import told
from app.templates.load import TEMPLATES, in_currency
from tests.http.client import Api
from tests.http.templating import USE

IDS = (
    "agency-solutions",
    "certified-partners",
    "double-sided-capped",
    "integrator-segments",
    "invite-only",
    "newsletter-referral",
    "referral-partners",
    "two-level-info-product",
)
MEANT = {"double-sided-capped": {"rate_over_limit"}}
"""Warnings that are what a template is about: up to 100 % of the bill."""
CURRENCIES = ("usd", "jpy", "kwd")
"""With two, no and three decimals."""


def test_there_are_the_eight_of_the_product() -> None:
    assert tuple(TEMPLATES) == IDS


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("template_id", IDS)
def test_lint_finds_no_fault(template_id: str, currency: str) -> None:
    found: set[str] = set()
    for program in TEMPLATES[template_id].programs:
        findings = lint(in_currency(program.plan, currency), currency=currency)
        assert not [f for f in findings if f.severity == "error"]
        found |= {f.code for f in findings if f.severity == "warning"}
        if program.agreement is not None:
            own = in_currency(program.agreement, currency)
            heads = {"hold_days": 30, "attribution": program.plan["attribution"]}
            assert not [f for f in lint({**heads, **own}) if f.severity != "note"]
    assert found == MEANT.get(template_id, set())


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("template_id", IDS)
def test_its_words_have_no_holes(template_id: str, currency: str) -> None:
    for program in TEMPLATES[template_id].programs:
        plans = [parse(in_currency(program.plan, currency))]
        if program.agreement is not None:
            plans.append(parse_agreement(in_currency(program.agreement, currency)))
        for plan in plans:
            words = told(plan)
            parts = (words.gates, words.attribution, words.binding, words.maturing)
            sentences = [text for _, text in words.rules] + [s for part in parts for s in part]
            assert len(words.rules) == len(plan.rules)
            for sentence in sentences:
                assert re.fullmatch(r"[A-Z].*\.", sentence)
                assert not re.search(r"[{}?]|None|  |this condition holds| ,|\.\.", sentence)


@pytest.mark.parametrize("template_id", IDS)
def test_it_says_for_whom_it_is_and_what_is_not_there_yet(template_id: str) -> None:
    template = TEMPLATES[template_id]
    sentences = [template.whom, *template.notes, *template.by_hand]
    assert template.notes
    assert template.by_hand
    assert all(re.fullmatch(r"(?s)\S.*\.", sentence) for sentence in sentences)
    assert 1 <= len(template.programs) <= 2


@pytest.mark.parametrize("template_id", IDS)
async def test_what_it_makes_is_what_a_person_would_have_made(api: Api, template_id: str) -> None:
    used = {**USE, "currency": "eur", "terms_public": True}
    made = await api.post(f"/templates/{template_id}/programs", used)
    shown = await api.get(f"/templates/{template_id}?currency=eur")
    assert made["template_id"] == shown["id"] == template_id
    listed = await api.get("/programs")
    assert {one["id"] for one in listed["data"]} == {one["id"] for one in made["programs"]}
    for program, template in zip(made["programs"], shown["programs"], strict=True):
        by_hand = await api.post("/programs", {**used, "plan": template["plan"]})
        own = {"id", "plan_id", "created_at", "name"}
        assert _without(program, own) == _without(by_hand, own)
        assert program["plan_version"] == 1
        assert "{currency}" not in str(program)
        terms = await api.get(f"/programs/{program['id']}/terms")
        assert [rule["text"] for rule in terms["in_force"]["rules"]] == template["words"]
        linted = await api.post(
            "/plans/lint", {"plan": program["plan"], "program_id": program["id"]}, status=200
        )
        assert not [one for one in linted["findings"] if one["severity"] == "error"]


async def test_all_or_none_of_its_programs_are_made(api: Api) -> None:
    path = "/templates/certified-partners/programs"
    away = {**USE, "default_destination": "https://elsewhere.example/"}
    refused = await api.post(path, away, status=422)
    assert refused["code"] == "destination_not_allowed"
    wrongs: list[dict[str, Any]] = [
        {"currency": "usdx"},
        {"name": ""},
        {"name": "a" * 151},
        {"plan": {}},
    ]
    for wrong in wrongs:
        await api.post(path, {**USE, **wrong}, status=422)
    assert (await api.get("/programs"))["data"] == []
    made = await api.post(path, {**USE, "name": "a" * 150})
    names = [one["name"] for one in made["programs"]]
    assert names == ["a" * 150 + ": Certified partners", "a" * 150 + ": Users"]


async def test_a_key_makes_them_once(api: Api) -> None:
    sent = [
        await api.send("POST", "/templates/certified-partners/programs", json=USE, once="k")
        for _ in range(2)
    ]
    assert sent[0].json() == sent[1].json()
    assert len((await api.get("/programs"))["data"]) == 2


async def test_templates_are_listed_and_an_unknown_one_is_not_found(api: Api) -> None:
    listed = await api.get("/templates?currency=jpy")
    assert [one["id"] for one in listed["data"]] == list(IDS)
    assert listed["data"][0] == await api.get(f"/templates/{IDS[0]}?currency=jpy")
    assert "JPY" in str(listed["data"][0]["programs"][0]["words"])
    await api.get("/templates/none", status=404)
    await api.get("/templates/..%2Fload", status=404)
    await api.post("/templates/none/programs", USE, status=404)
    await api.get("/templates?currency=none", status=422)


async def test_making_programs_needs_its_scope(api: Api) -> None:
    reader = await api.with_scopes("programs:read")
    await reader.get("/templates")
    await reader.post("/templates/invite-only/programs", USE, status=403)
    stranger = await api.with_scopes("links:write")
    await stranger.get("/templates", status=403)


def _without(program: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in program.items() if name not in names}
