"""Money: one rounding, half to even; splits that sum; refunds that undo."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.currencies import EXPONENTS
from app.core.money import BPS, MAX_AMOUNT, share, share_bps, split

amounts = st.integers(-MAX_AMOUNT, MAX_AMOUNT)
rates = st.integers(0, BPS)
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any).map(tuple)


@given(amounts, weights)
def test_parts_sum_to_the_whole(total: int, parts_of: tuple[int, ...]) -> None:
    assert sum(split(total, parts_of)) == total


@given(amounts, weights)
def test_a_part_is_within_one_unit_of_its_exact_share(
    total: int, parts_of: tuple[int, ...]
) -> None:
    whole = sum(parts_of)
    for part, weight in zip(split(total, parts_of), parts_of, strict=True):
        assert abs(part * whole - total * weight) < whole


@given(amounts, weights)
def test_a_weight_of_nothing_gets_nothing(total: int, parts_of: tuple[int, ...]) -> None:
    assert split(total, (*parts_of, 0))[-1] == 0


@pytest.mark.parametrize(
    ("total", "parts_of", "parts"),
    [
        (100, (1, 1, 1), (34, 33, 33)),
        (-100, (1, 1, 1), (-33, -33, -34)),
        (1, (1, 1), (1, 0)),
        (-1, (1, 1), (0, -1)),
        (10, (1, 2, 7), (1, 2, 7)),
        (0, (5, 5), (0, 0)),
    ],
)
def test_largest_remainder_first_and_ties_to_the_lower_index(
    total: int, parts_of: tuple[int, ...], parts: tuple[int, ...]
) -> None:
    assert split(total, parts_of) == parts


@given(amounts, rates)
def test_share_agrees_with_decimal_half_even(amount: int, rate_bps: int) -> None:
    exact = Decimal(amount) * rate_bps / BPS
    assert share_bps(amount, rate_bps) == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


@pytest.mark.parametrize(
    ("amount", "rate_bps", "expected"),
    [
        (5, 1_000, 0),  # 0.5 goes to the even 0
        (15, 1_000, 2),  # 1.5 to 2
        (25, 1_000, 2),  # 2.5 to 2
        (-5, 1_000, 0),
        (-15, 1_000, -2),
        (MAX_AMOUNT, BPS, MAX_AMOUNT),
        (1, 4_999, 0),
        (1, 5_001, 1),
    ],
)
def test_halves_go_to_the_even_neighbor(amount: int, rate_bps: int, expected: int) -> None:
    assert share_bps(amount, rate_bps) == expected


@given(amounts, rates)
def test_a_refund_of_everything_takes_back_exactly_what_was_given(
    amount: int, rate_bps: int
) -> None:
    assert share_bps(amount, rate_bps) + share_bps(-amount, rate_bps) == 0


@given(
    award=st.integers(0, 10**9),
    refunds=st.lists(st.integers(1, 10**6), min_size=1, max_size=10),
)
def test_refunds_in_any_pieces_reverse_the_whole_award_and_never_more(
    award: int, refunds: list[int]
) -> None:
    gross, refunded, reversed_before = sum(refunds), 0, 0
    for refund in refunds:
        refunded += refund
        reversed_now = share(award, refunded, gross)
        assert reversed_before <= reversed_now <= award
        reversed_before = reversed_now
    assert reversed_before == award


@given(st.integers(0, MAX_AMOUNT - 1), rates)
def test_more_sale_is_never_less_award(amount: int, rate_bps: int) -> None:
    assert share_bps(amount, rate_bps) <= share_bps(amount + 1, rate_bps)


def test_currencies_have_their_decimals() -> None:
    decimals = {code: EXPONENTS[code] for code in ("eur", "usd", "jpy", "krw", "kwd", "bhd", "clf")}
    assert decimals == {"eur": 2, "usd": 2, "jpy": 0, "krw": 0, "kwd": 3, "bhd": 3, "clf": 4}
    assert all(len(code) == 3 and code.islower() for code in EXPONENTS)
    assert "xau" not in EXPONENTS and "xxx" not in EXPONENTS and "EUR" not in EXPONENTS
