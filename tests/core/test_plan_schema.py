"""The published JSON Schema of a plan and the core agree on what is a plan."""

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given

from app.core.plans import PlanError, PlanProblem, canonical, parse
from app.plan_schema import SAMPLE, published
from tests.core.documents import plan_of, rule
from tests.core.made_documents import documents, json_values, mutated
from tests.core.test_plan_refusals import REFUSED

PUBLISHED = Path(__file__).parents[2] / "docs" / "plan.schema.json"
SCHEMA = jsonschema_rs.Draft202012Validator(orjson.loads(published()))
UNSAID = re.compile(
    r"is the id of rule|is no country code|is no currency code|with a fraction|can't be stored"
    r"|sums to|gives two touches nothing|is not above the step before|is in another currency"
    r"|is below the step before"
)
"""What no schema says: a number like 1.0 is whole to it, and lone surrogates are no JSON at all."""


def agrees(document: Any) -> None:
    """The schema refuses nothing that the core takes, and takes only what it can't judge."""
    try:
        valid = SCHEMA.is_valid(document)
    except ValueError:  # What is no JSON: infinite numbers, whole ones beyond all bounds.
        return
    found: tuple[PlanProblem, ...] = ()
    try:
        parse(document)
    except PlanError as error:
        found = error.problems
    said = [p for p in found if not UNSAID.search(p.problem) and not p.place.endswith("/when")]
    assert valid == (not found) or (valid and not said)


def test_the_published_file_is_what_the_code_makes() -> None:
    assert PUBLISHED.read_bytes() == published()


def test_the_sample_is_a_plan_by_both() -> None:
    assert SCHEMA.is_valid(SAMPLE)
    parse(SAMPLE)


@given(documents)
def test_what_the_core_takes_and_writes_the_schema_takes(document: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(document)
    assert SCHEMA.is_valid(canonical(parse(document)))


@given(mutated())
def test_of_documents_with_one_value_replaced_they_judge_alike(document: dict[str, Any]) -> None:
    agrees(document)


@given(json_values)
def test_of_anything_they_judge_alike(document: Any) -> None:
    agrees(document)


@pytest.mark.parametrize("document", [document for _, document, _ in REFUSED])
def test_of_every_known_mistake_they_judge_alike(document: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        parse(document)
    agrees(document)


def test_a_schema_without_the_amounts_would_be_found_out() -> None:
    assert not SCHEMA.is_valid(plan_of(rule(pay={"per": "unit", "percent_bps": 1})))
    assert not SCHEMA.is_valid(plan_of(rule(cap={"per": "sale", "count": 1})))
