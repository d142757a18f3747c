"""How touches share a sale: each model in a table with cents worked out by hand, and what holds
for all of them.
"""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.attribution_terms import AttributionTerms, Model
from app.core.conversions import Credit
from app.core.money import share_bps, slice_bps
from app.core.shares import share_out, weights
from tests.core.made_worlds import PARTNERS, START

A, B, C = PARTNERS
WHO = {"A": A, "B": B, "C": C}

# model | days before the sale and whose touch it was | credits in bps | cents of a 100.00 award
TABLE = """
last_click                      | 9A 5B 1C       | C 10000               | C 100.00
first_click                     | 9A 5B 1C       | A 10000               | A 100.00
linear                          | 9A             | A 10000               | A 100.00
linear                          | 9A 5B          | A 5000 B 5000         | A 50.00 B 50.00
linear                          | 9A 5B 1C       | A 3334 B 3333 C 3333  | A 33.34 B 33.33 C 33.33
linear                          | 9C 5B 1A       | C 3334 B 3333 A 3333  | C 33.34 B 33.33 A 33.33
linear                          | 9A 5B 1A       | A 6667 B 3333         | A 66.67 B 33.33
linear                          | 9A 8A 7A 6B    | A 7500 B 2500         | A 75.00 B 25.00
linear min 2600                 | 9A 8A 7A 6B    | A 10000               | A 100.00
linear min 2500                 | 9A 8A 7A 6B    | A 7500 B 2500         | A 75.00 B 25.00
linear min 2500                 | 9A 8A 7B 6B 5C | A 5000 B 5000         | A 50.00 B 50.00
linear min 10000                | 9A 5B 1C       | C 10000               | C 100.00
position_based                  | 9A             | A 10000               | A 100.00
position_based                  | 9A 1B          | A 5000 B 5000         | A 50.00 B 50.00
position_based                  | 9A 5B 1C       | A 4000 B 2000 C 4000  | A 40.00 B 20.00 C 40.00
position_based                  | 9A 5B 1A       | A 8000 B 2000         | A 80.00 B 20.00
position_based                  | 9A 6B 5C 1B    | A 4000 B 5000 C 1000  | A 40.00 B 50.00 C 10.00
position_based                  | 9A 6B 5B 4C 1A | A 8000 B 1333 C 667   | A 80.00 B 13.33 C 6.67
position_based 60/30/10         | 9A 5B 1C       | A 6000 B 3000 C 1000  | A 60.00 B 30.00 C 10.00
position_based 60/30/10         | 9A 1C          | A 8571 C 1429         | A 85.71 C 14.29
position_based 50/0/50          | 9A 5B 1C       | A 5000 C 5000         | A 50.00 C 50.00
position_based 100/0/0          | 9A 5B 1C       | A 10000               | A 100.00
position_based min 2001         | 9A 5B 1C       | A 5000 C 5000         | A 50.00 C 50.00
time_decay 7                    | 9A             | A 10000               | A 100.00
time_decay 7                    | 8A 1B          | A 3333 B 6667         | A 33.33 B 66.67
time_decay 7                    | 15A 8B 1C      | A 1429 B 2857 C 5714  | A 14.29 B 28.57 C 57.14
time_decay 7                    | 15A 8B 1A      | A 7143 B 2857         | A 71.43 B 28.57
time_decay 2                    | 2A 1B          | A 4142 B 5858         | A 41.42 B 58.58
time_decay 1                    | 3A 3B          | A 5000 B 5000         | A 50.00 B 50.00
time_decay 7 min 1500           | 15A 8B 1C      | B 3333 C 6667         | B 33.33 C 66.67
time_decay 1                    | 90A 1B         | B 10000               | B 100.00
"""
"""2,000 middle bps over two touches of B and one of C: 1,333 and 667. One half-life older: half as
much, so 1 : 2 : 4 of 7. Half a half-life: 1 to the root of 2.
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]


def terms_of(words: str) -> AttributionTerms:
    model, *rest = words.split()
    terms: dict[str, Any] = {"model": model, "window_days": 90}
    if "min" in rest:
        terms["min_share_bps"] = int(rest[rest.index("min") + 1])
    if rest and "/" in rest[0]:
        terms["weights_bps"] = tuple(int(part) * 100 for part in rest[0].split("/"))
    if model == "time_decay":
        terms["half_life_days"] = int(rest[0])
    return AttributionTerms(**terms)


@pytest.mark.parametrize(("model", "touches", "shares", "cents"), ROWS)
def test_a_worked_example(model: str, touches: str, shares: str, cents: str) -> None:
    terms = terms_of(model)
    times = [START - timedelta(days=int(touch[:-1])) for touch in touches.split()]
    partners = [WHO[touch[-1]] for touch in touches.split()]
    credited = share_out(partners, weights(terms, times), min_share_bps=terms.min_share_bps).credits
    names = {partner: name for name, partner in WHO.items()}
    assert " ".join(f"{names[c.partner_id]} {c.bps}" for c in credited) == shares
    amounts = slices(100_00, credited)
    told = [f"{names[c.partner_id]} {n // 100}.{n % 100:02}" for c, n in amounts]
    assert " ".join(told) == cents


def slices(amount: int, credited: Sequence[Credit]) -> list[tuple[Credit, int]]:
    before = 0
    found = []
    for credit in credited:
        found.append((credit, slice_bps(amount, before, credit.bps)))
        before += credit.bps
    return found


terms = st.builds(
    AttributionTerms,
    model=st.sampled_from(("last_click", "first_click", "linear", "position_based", "time_decay")),
    window_days=st.just(90),
    weights_bps=st.integers(1, 10_000).flatmap(
        lambda first: st.integers(0, 10_000 - first).map(
            lambda middle: (first, middle, 10_000 - first - middle)
        )
    ),
    half_life_days=st.integers(1, 60),
    min_share_bps=st.sampled_from((0, 1, 500, 3_334, 5_001, 10_000)),
)
ages = st.lists(
    st.tuples(st.integers(0, 90 * 86_400), st.sampled_from(PARTNERS)), min_size=1, max_size=40
).map(lambda told: sorted(told, key=lambda one: -one[0]))


@given(terms, ages, st.integers(0, 10**13))
def test_credits_sum_and_so_do_their_amounts(
    terms: AttributionTerms, told: list[tuple[int, Any]], amount: int
) -> None:
    times = [START - timedelta(seconds=age) for age, _ in told]
    weighed = weights(terms, times)
    shares = share_out([p for _, p in told], weighed, min_share_bps=terms.min_share_bps)
    assert sum(credit.bps for credit in shares.credits) == 10_000
    partners = [credit.partner_id for credit in shares.credits]
    assert len(set(partners)) == len(partners)
    assert not shares.too_small.keys() & set(partners)
    least = min(credit.bps for credit in shares.credits)
    assert least >= max(1, terms.min_share_bps) or len(partners) == 1
    assert sum(n for _, n in slices(amount, shares.credits)) == amount
    for credit, part in slices(amount, shares.credits):
        assert abs(part - share_bps(amount, credit.bps)) <= 1


@given(st.integers(1, 60), ages)
def test_what_a_half_life_older_touch_weighs_is_half(
    half_life: int, told: list[tuple[int, Any]]
) -> None:
    terms = AttributionTerms("time_decay", 90, half_life_days=half_life)
    latest = START
    times = [START - timedelta(seconds=age) for age, _ in told]
    older = [at - timedelta(days=half_life) for at in times]
    weighed = weights(terms, [*older, *times, latest])
    assert weighed[-1] == 1 << 64
    for before, after in zip(weighed[: len(older)], weighed[len(older) : -1], strict=True):
        assert before == after // 2
    # Later never weighs less.
    ordered = weights(terms, times)
    assert list(ordered) == sorted(ordered)


@pytest.mark.parametrize("halves", [Fraction(1, 2), Fraction(1, 4), Fraction(3, 4), Fraction(5, 2)])
def test_the_decay_is_the_power_of_a_half(halves: Fraction) -> None:
    """w = 2^64 / 2^(p/q) exactly means w^q × 2^p = 2^(64 q): compared without a float."""
    terms = AttributionTerms("time_decay", 90, half_life_days=4)
    weight, _ = weights(terms, [START - timedelta(days=1) * (halves * 4).numerator, START])
    p, q = halves.numerator, halves.denominator
    exact = 1 << (64 * q)
    assert abs(weight**q * 2**p - exact) < exact // 10**15


@given(ages)
def test_how_often_somebody_is_told_changes_no_order(told: list[tuple[int, Any]]) -> None:
    """Linear is per touch: who touched more often never has less."""
    model: Model = "linear"
    times = [START - timedelta(seconds=age) for age, _ in told]
    partners = [partner for _, partner in told]
    credited = share_out(partners, weights(AttributionTerms(model, 90), times)).credits
    counts = {credit.partner_id: partners.count(credit.partner_id) for credit in credited}
    for one in credited:
        for other in credited:
            if counts[one.partner_id] > counts[other.partner_id]:
                assert one.bps >= other.bps
