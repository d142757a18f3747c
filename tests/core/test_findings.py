"""What another fold has found changes nothing of what a fold comes to."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.commission import Tried, rule_on
from app.core.drafts import History, told_by
from app.core.findings import Findings
from app.core.fold import fold
from app.core.plans import Plan
from app.core.sale_facts import SaleFacts
from app.core.world import ProgramFact, World
from tests.core.made_sales import SALE, plan_of, rule
from tests.core.made_worlds import HEARD, world_of, worlds
from tests.core.pure_road import WORKSPACE
from tests.core.stories import Story, stories
from tests.core.telling import click, sale

LARGE = rule("large", 3_000, when="sale.amount > 5000")
PLAN = plan_of(LARGE, rule("base"))


@settings(max_examples=300)
@given(stories(), worlds(), st.sampled_from((True, False)))
def test_by_other_terms_all_is_as_if_folded_alone(
    story: Story,
    other: World,
    attribute_alike: bool,  # noqa: FBT001 (hypothesis gives it)
) -> None:
    tried = replace(
        story.world,
        programs={
            program: _paying_by(fact, other) if attribute_alike else other.programs[program]
            for program, fact in story.world.programs.items()
        },
    )
    history = History(WORKSPACE, story.events, (), as_of=HEARD, now=HEARD)
    told, found = told_by(history), Findings(attribute_alike)
    assert fold(history, story.world, told, found) == fold(history, story.world)
    assert fold(history, tried, told, found) == fold(history, tried)


@pytest.mark.parametrize(
    ("plan", "facts"),
    [
        (PLAN, replace(SALE, amount=4_000)),
        (plan_of(rule("large", 3_100, when="sale.amount > 5000"), rule("base")), SALE),
        (plan_of(rule("large", 3_000, when="sale.amount > 50000"), rule("base")), SALE),
        (plan_of(rule("base", 900), LARGE), SALE),
        (plan_of(rule("old", when="sale.gross > 0 && customer.sales == 0"), LARGE), SALE),
    ],
)
def test_only_equal_rules_on_equal_facts_come_to_the_same(plan: Plan, facts: SaleFacts) -> None:
    tried = Tried()
    assert rule_on(PLAN, SALE, tried=tried) == rule_on(PLAN, SALE)
    assert rule_on(plan, facts, tried=tried) == rule_on(plan, facts) != rule_on(PLAN, SALE)


def test_an_equal_rule_is_not_tried_again() -> None:
    tried = Tried()
    first = rule_on(PLAN, SALE, tried=tried)
    again = rule_on(plan_of(LARGE, rule("base", 500)), SALE, tried=tried)
    assert again.paid[0] is first.paid[0]


def test_what_was_paid_before_is_each_folds_own() -> None:
    cap = {"per": "customer", "amount": {"amount": 600, "currency": "eur"}, "period": "life"}
    present, tried = (world_of(plan_of(rule("base", rate, cap=cap))) for rate in (5_000, 4_000))
    events = (sale("i1", 1_000, click(-1)), sale("i2", 1_000, days=1))
    history = History(WORKSPACE, events, (), as_of=HEARD, now=HEARD)
    told, found = told_by(history), Findings(attribute_alike=True)
    paid = [
        [
            award.amount
            for one in fold(history, world, told, found).conversions
            for award in one.awards
        ]
        for world in (present, tried)
    ]
    assert paid == [[500, 100], [400, 200]]


def _paying_by(program: ProgramFact, other: World) -> ProgramFact:
    """Each version with what another one pays; whom it credits stays."""
    own = other.programs[program.id].plans[-1].plan
    versions = [
        replace(
            fact,
            plan=replace(fact.plan, rules=own.rules, combine=own.combine, gates=own.gates),
        )
        for fact in program.plans
    ]
    return replace(program, plans=tuple(versions))
