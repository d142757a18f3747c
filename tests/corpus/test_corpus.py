"""The frozen corpus comes out as it did, byte by byte, and holds every word that decides.

A failure here means that a core or a mapper decides otherwise than the one that is in use: undo
it, or raise the engine number (docs/decisions/0031-engines-and-the-frozen-corpus.md).
"""

import json
from typing import Any, Final, get_args

import pytest

from app.conversions.proof.engines import ENGINES
from app.conversions.providers.registry import PROVIDERS
from app.conversions.requests import BY_TYPE
from app.core.events import Kind, Touch
from app.core.fold import ENGINE
from app.core.reasons import CODES
from app.plan_schema import published
from tests.corpus import cases

STORIES: Final = list(cases.stored("decisions"))
MESSAGES: Final = list(cases.stored("messages"))

NOT_DECIDED: Final = {
    "waiting_for_sale": "told of an event that waits: no decision yet",
    "parent_missing": "told of an event that waits",
    "event_ignored": "told of an event that means nothing",
    "other_mode": "told of an event of the other mode",
    "senseless": "told of an event that can't be",
    "conflicting_event": "told of a message that was sent twice, differently",
    "payment_of_another_customer": "told of an event that names another's payment",
    "email_of_another_customer": "told of an event whose address is another's",
    "decision_failed": "told of an event whose decision broke",
    "superseded": "told of a commission that no longer stands",
    "trued_up": "told of a settled period, which is no customer's story",
    "not_trued_up": "told of a settled period, which is no customer's story",
}
"""Reasons that no decision gives, and why."""


def test_nothing_frozen_was_changed() -> None:
    frozen = json.loads(cases.FROZEN.read_text())
    there = [*cases.files("decisions"), *cases.files("messages")]
    assert {path.name: cases.sha256(path) for path in there} == {
        name: told["sha256"] for name, told in frozen.items()
    }
    assert sum(len(story["decisions"]) for story in STORIES) >= 1_500
    assert sum(path.stat().st_size for path in there) < 1_500_000


def test_every_decision_comes_out_as_it_did() -> None:
    otherwise: dict[str, Any] = {}
    for story in STORIES:
        people, broken = cases.again(story)
        if broken:
            now = set(cases.came(people.values())["came"])
            then = set(story["came"])
            otherwise[story["name"]] = [broken[0], sorted(then - now), sorted(now - then)]
    first = dict(list(otherwise.items())[:5])
    assert not otherwise, f"{len(otherwise)} stories, the first of them {first}"


def test_every_transfer_and_sum_comes_out_as_it_did() -> None:
    for story in STORIES:
        people, _ = cases.again(story)
        now = cases.came(people.values())
        assert now == {name: story[name] for name in now}, story["name"]


@pytest.mark.parametrize("provider", [*PROVIDERS, "api"])
def test_every_message_means_what_it_meant(provider: str) -> None:
    told = [message for message in MESSAGES if message["provider"] == provider]
    otherwise = [m["name"] for m in told if cases.meaning(m) != m["means"]]
    assert otherwise == []
    # What means nothing must go on to mean nothing; most do.
    assert sum(m["means"] != "null" for m in told) >= 15
    assert any(m["means"] == "null" for m in told)


def test_every_reason_of_a_decision_occurs() -> None:
    told = {code for story in STORIES for code in story["codes"]}
    assert told.isdisjoint(NOT_DECIDED)
    assert CODES - told - NOT_DECIDED.keys() == set()


def test_every_kind_of_event_and_touch_and_transfer_occurs() -> None:
    events = [e for s in STORIES for d in s["decisions"] for e in d["facts"]["events"]]
    assert set(get_args(Kind)) == {event["kind"] for event in events}
    forms = {frozenset(touch) for event in events for touch in event["touches"]}
    assert len(forms) >= len(get_args(Touch)), forms
    assert any(d["facts"]["absorbed"] for s in STORIES for d in s["decisions"])


def test_every_engine_that_ever_decided_is_at_hand_and_has_cases() -> None:
    decided_by = {d["facts"]["engine"] for story in STORIES for d in story["decisions"]}
    assert set(ENGINES) == decided_by == set(range(1, ENGINE + 1))


def test_a_decision_of_an_engine_that_is_gone_is_named() -> None:
    story = json.loads(json.dumps(STORIES[0]))
    story["decisions"][0]["facts"]["engine"] = ENGINE + 1
    _, broken = cases.again(story)
    assert broken[0] == (1, f"engine {ENGINE + 1} is not at hand")


def test_every_word_of_the_plan_language_occurs() -> None:
    used: set[str] = set()
    for story in STORIES:
        for told in story["plans"].values():
            used |= _words(told["document"])
    assert _words_of_schema(json.loads(published())) - used == set()


def test_every_kind_of_own_message_occurs() -> None:
    assert {m["type"] for m in MESSAGES if m["provider"] == "api"} == set(BY_TYPE)


def _words(value: Any) -> set[str]:
    """Names of fields, and words as values; ids and texts do no harm."""
    if isinstance(value, dict):
        return set(value) | {word for inner in value.values() for word in _words(inner)}
    if isinstance(value, list):
        return {word for inner in value for word in _words(inner)}
    return {value} if isinstance(value, str) else set()


def _words_of_schema(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", {}))
        found |= {word for word in schema.get("enum", []) if isinstance(word, str)}
        found |= {schema["const"]} if isinstance(schema.get("const"), str) else set()
        for inner in schema.values():
            found |= _words_of_schema(inner)
    elif isinstance(schema, list):
        for inner in schema:
            found |= _words_of_schema(inner)
    return found
