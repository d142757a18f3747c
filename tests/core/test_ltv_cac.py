"""LTV:CAC by hand: each result stands on a line that can be worked out on paper."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ltv_cac import Figures, Incentive, weigh

# 120 customers paid 1,200,000 in 12 months: 10,000 / 12 = 833 1/3 a month each. Margin 80 %:
# 666 2/3. Ten left: churn 10 / (120 × 12) = 1 / 144 a month, so a lifetime of 144 months.
# LTV 96,000. 600,000 spent on 50 new ones: CAC 12,000. LTV:CAC 8.
YEAR = Figures(1_200_000, 120, Fraction(12), 50, 600_000, 8_000, churned=10)
NOTHING = Incentive(0, 0)
CASES = [
    # figures, incentive, floor, before, after, verdict, room
    (YEAR, NOTHING, 400, 8, 8, "above_floor", 12_000),
    (YEAR, Incentive(3_000, 1_000), 400, 8, 6, "above_floor", 8_000),
    (YEAR, Incentive(12_000, 0), 400, 8, 4, "at_floor", 0),
    (YEAR, Incentive(12_000, 4_000), 400, 8, Fraction(24, 7), "below_floor", -4_000),
    (YEAR, Incentive(4_000, 0, replaces=12_000), 400, 8, 24, "above_floor", 20_000),
    # More than is spent can't be spared.
    (YEAR, Incentive(4_000, 0, replaces=99_000), 400, 8, 24, "above_floor", 20_000),
    # 24 months as given: 666 2/3 × 24 = 16,000.
    (replace(YEAR, lifetime_months=Fraction(24)), NOTHING, 400, Fraction(4, 3), Fraction(4, 3),
     "below_floor", -8_000),
    (replace(YEAR, acquisition_cost=0), NOTHING, 400, None, None, "no_cost", 24_000),
    (replace(YEAR, acquisition_cost=0), Incentive(24_000, 0), 400, None, 4, "at_floor", 0),
    (YEAR, NOTHING, 0, 8, 8, "above_floor", None),
    (replace(YEAR, revenue=0), NOTHING, 400, 0, 0, "below_floor", -12_000),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_paper_says(case: tuple[Figures, Incentive, int, Any, Any, str, Any]) -> None:
    figures, incentive, floor, before, after, verdict, room = case
    weighed = weigh(figures, incentive, floor)
    assert not isinstance(weighed, str)
    assert (weighed.before, weighed.after) == (before, after)
    assert (weighed.verdict, weighed.room) == (verdict, room)


def test_each_step_is_shown_exactly() -> None:
    weighed = weigh(YEAR, Incentive(3_000, 1_000), 400)
    assert not isinstance(weighed, str)
    assert {step.name: step.value for step in weighed.steps} == {
        "arpu": Fraction(2_500, 3),
        "churn": Fraction(1, 144),
        "lifetime": 144,
        "ltv": 96_000,
        "cac_before": 12_000,
        "incentive": 4_000,
        "cac_after": 16_000,
        "ratio_before": 8,
        "ratio_after": 6,
        "room": 8_000,
    }


@pytest.mark.parametrize("name", ["customers", "months", "new_customers", "churned"])
def test_a_figure_that_divides_is_needed(name: str) -> None:
    missing: dict[str, Any] = {name: Fraction(0) if name == "months" else 0}
    assert weigh(replace(YEAR, **missing), NOTHING, 400) == name


_amounts = st.integers(0, 10**13)
_counts = st.integers(1, 10**6)


@given(
    st.builds(
        Figures, _amounts, _counts, st.fractions(Fraction(1, 100), 1_200), _counts, _amounts,
        st.integers(0, 10_000), churned=_counts,
    ),
    _amounts,
    _amounts,
)  # fmt: skip
def test_what_fits_the_room_keeps_the_floor(figures: Figures, cash: int, more: int) -> None:
    """Room and verdict say the same; a dearer incentive is never better."""
    weighed, dearer = (weigh(figures, Incentive(c, 0), 400) for c in (cash, cash + more))
    assert not isinstance(weighed, str)
    assert not isinstance(dearer, str)
    if weighed.verdict != "no_cost":
        assert weighed.room is not None
        assert (weighed.verdict == "below_floor") == (weighed.room < 0)
    if weighed.after is not None and dearer.after is not None:
        assert dearer.after <= weighed.after
