"""One partner's own terms as a document, and what a decision stores of single partners."""

from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given

from app.conversions import world_canon
from app.core.plans import PlanError, canonical, canonical_agreement, parse, parse_agreement
from app.core.world import World
from app.plan_schema import OWN_TERMS
from tests.core.documents import plan_of, rule
from tests.core.made_documents import documents
from tests.core.made_worlds import worlds

SCHEMA = jsonschema_rs.Draft202012Validator(orjson.loads(orjson.dumps(OWN_TERMS)))
OWN = {"combine": "first_match", "rules": [rule()]}


def refused(document: Any) -> list[tuple[str, str]]:
    with pytest.raises(PlanError) as caught:
        parse_agreement(document)
    return [(problem.place, problem.problem) for problem in caught.value.problems]


@given(documents)
def test_they_are_what_a_plan_pays_and_nothing_else(document: dict[str, Any]) -> None:
    shared = ("gates", "combine", "rules")
    own: dict[str, Any] = {name: document[name] for name in shared if name in document}
    terms = parse_agreement(own)
    assert SCHEMA.is_valid(own)
    assert SCHEMA.is_valid(canonical_agreement(terms))
    assert parse_agreement(canonical_agreement(terms)) == terms
    assert canonical_agreement(terms) == canonical_agreement(parse(document))
    assert canonical_agreement(terms).items() <= canonical(parse(document)).items()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hold_days", 30),
        ("late_days", 0),
        ("attribution", {"model": "last_click", "window_days": 60}),
        ("binding", {}),
    ],
)
def test_what_is_the_programs_is_refused(field: str, value: Any) -> None:
    assert refused({**OWN, field: value}) == [(field, "is the program's, not one partner's")]
    assert not SCHEMA.is_valid({**OWN, field: value})


@pytest.mark.parametrize(
    ("document", "places"),
    [
        ({}, ["combine", "rules"]),
        (None, [""]),
        ({"rules": []}, ["combine"]),
        ({**OWN, "partner": "ana"}, ["partner"]),
        ({**OWN, "rules": [rule(), rule()]}, ["rules/1/id"]),
        ({**OWN, "gates": {"tiers": ["GOLD"]}}, ["gates/tiers/0"]),
        (plan_of(rule()), ["hold_days", "attribution"]),
    ],
)
def test_mistakes_are_named_at_their_places(document: Any, places: list[str]) -> None:
    assert [place for place, _ in refused(document)] == places


@given(worlds())
def test_a_world_reads_back_from_what_is_stored_of_it(world: World) -> None:
    stored = world_canon.world_json(world)
    versions = [v for program in world.programs.values() for v in program.plans]
    versions += [v for place in world.enrollments.values() for v in place.agreements]
    again = world_canon.world_of(
        orjson.loads(orjson.dumps(stored)), {version.id: version for version in versions}
    )
    assert again == world
    assert world_canon.world_json(again) == stored
