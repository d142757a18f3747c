"""More sale is never less award, for plans that are monotone; and which plans are not.

A plan is monotone here if a rule's reward never falls as the sale grows, and which rules pay does
not depend on how large it is: percent, flat, bands whose steps don't fall, any cap, any way to
combine. For one sale that is all. Where several sales share a cap, the rules must not compete
for it either: `best` takes up a cap that a later sale had better use for, and a cap by count is
taken up by whatever pays at all. Each of these, and what falls by its own terms, has its example
below.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.plans import Plan, parse
from tests.core.made_worlds import HEARD, world_of
from tests.core.pure_road import PureRoad, owed
from tests.core.telling import click, sale

PERIODS = st.sampled_from(("month", "year", "life"))


def euros(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "eur"}


@st.composite
def bands(draw: st.DrawFn) -> dict[str, Any]:
    """Steps whose rates don't fall."""
    by = draw(st.sampled_from(("revenue", "sales")))
    starts = sorted(draw(st.sets(st.integers(1, 6), min_size=1, max_size=3)))
    rates = sorted(draw(st.integers(0, 5_000)) for _ in starts)
    steps = [
        {"from": euros((start - 1) * 3_000) if by == "revenue" else start, "percent_bps": rate}
        for start, rate in zip(starts, rates, strict=True)
    ]
    banded = {"by": by, "period": draw(PERIODS), "mode": "graduated", "steps": steps}
    return {"bands": banded}


PAYS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.integers(0, 10_000).map(lambda rate: {"percent_bps": rate}),
    st.integers(0, 3_000).map(lambda amount: {"flat": euros(amount)}),
    bands(),
)
AMOUNTS = st.integers(0, 6_000)
CAPS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    AMOUNTS.map(lambda amount: {"per": "sale", "amount": euros(amount)}),
    st.integers(0, 10_000).map(lambda rate: {"per": "sale", "percent_of_bill_bps": rate}),
    st.builds(
        lambda per, amount, period: {"per": per, "amount": euros(amount), "period": period},
        st.sampled_from(("customer", "partner")),
        AMOUNTS,
        PERIODS,
    ),
)
RULES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"pay": PAYS}, optional={"cap": CAPS, "adds": st.booleans()}
)


def plan_of(rules: list[dict[str, Any]], combine: str = "first_match") -> Plan:
    return parse(
        {
            "hold_days": 300,
            "attribution": {"model": "last_click", "window_days": 3_650},
            "combine": combine,
            "rules": [{"id": f"r{n}", **rule} for n, rule in enumerate(rules)],
        }
    )


def total(plan: Plan, amounts: list[int]) -> int:
    """What a partner earns on sales of customers of its own, one day after the other."""
    road = PureRoad(world_of(plan))
    for n, amount in enumerate(amounts):
        event = sale(f"i{n}", amount, click(n - 3), days=n, person=f"a:c{n % 2}")
        road.receive(replace(event, received_at=HEARD + timedelta(seconds=n)))
    assert road.balances == owed(road)
    return sum(award.amount for one in road.conversions.values() for award in one.awards)


@settings(max_examples=100)
@given(
    st.lists(RULES, min_size=1, max_size=3),
    st.sampled_from(("first_match", "sum")),
    st.lists(st.integers(1, 9_000), min_size=1, max_size=3),
    st.data(),
)
def test_a_larger_sale_never_leaves_a_partner_with_less(
    rules: list[dict[str, Any]], combine: str, amounts: list[int], data: st.DataObject
) -> None:
    """Also where it takes up more of a cap that later ones share, or more of a band."""
    larger = list(amounts)
    larger[data.draw(st.integers(0, len(amounts) - 1), label="which")] += data.draw(
        st.integers(1, 9_000), label="more"
    )
    plan = plan_of(rules, combine)
    assert total(plan, larger) >= total(plan, amounts)


@settings(max_examples=50)
@given(st.lists(RULES, min_size=1, max_size=3), st.integers(1, 9_000), st.integers(1, 9_000))
def test_one_sale_alone_never_pays_less_for_being_larger(
    rules: list[dict[str, Any]], amount: int, more: int
) -> None:
    plan = plan_of(rules, "best")
    assert total(plan, [amount + more]) >= total(plan, [amount])


FALLING: dict[str, tuple[list[dict[str, Any]], str, list[int], list[int]]] = {
    "a first match by size whose larger sales pay less": (
        [
            {"match": {"min_amount": euros(5_000)}, "pay": {"percent_bps": 100}},
            {"pay": {"percent_bps": 2_000}},
        ],
        *("first_match", [4_999], [5_000]),
    ),
    "a condition on the amount": (
        [{"when": "sale.amount < 5000", "pay": {"percent_bps": 2_000}}],
        *("first_match", [4_999], [5_000]),
    ),
    # 10 and 50 of the cap's 50; or 11 of them, then the 39 that are left.
    "the best rule takes up a cap": (
        [
            {
                "cap": {"per": "partner", "amount": euros(50), "period": "life"},
                "pay": {"percent_bps": 1_000},
            },
            {"pay": {"flat": euros(10)}},
        ],
        *("best", [90, 500], [110, 500]),
    ),
    # What rounds to nothing takes up no count: 50, or 11 and no more.
    "a count is taken up": (
        [{"cap": {"per": "partner", "count": 1, "period": "life"}, "pay": {"percent_bps": 1_000}}],
        *("first_match", [1, 500], [110, 500]),
    ),
}


@pytest.mark.parametrize("name", FALLING)
def test_what_is_not_monotone(name: str) -> None:
    """By their own terms, not by a fault: whoever writes them so pays so."""
    rules, combine, less, more = FALLING[name]
    plan = plan_of(rules, combine)
    assert total(plan, more) < total(plan, less)
