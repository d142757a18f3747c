"""What one sale pays: first match, exact shares, and a reason for each rule that was tried."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conditions import FACTS
from app.core.events import Line
from app.core.money import MAX_AMOUNT
from app.core.qualification import Qualification
from app.core.sale_facts import CEL_FACTS, SaleFacts, cel_facts
from tests.core.made_sales import AT, LEAD, SALE, Alone, decide, plan_of, rule


def told(ruling: Alone) -> list[tuple[str, object]]:
    return [(reason.code, reason.params.get("rule")) for reason in ruling.reasons]


def test_a_percent_of_the_base_with_its_explanation() -> None:
    ruling = decide(plan_of(rule("base", 2_000)), SALE)
    assert (ruling.rule_id, ruling.base, ruling.amount, ruling.currency, ruling.rate_bps) == (
        "base",
        10_000,
        2_000,
        "eur",
        2_000,
    )
    (reason,) = ruling.reasons
    assert reason.code == "rule_paid"
    assert dict(reason.params) == {
        "rule": "base",
        "rate_bps": 2_000,
        "base": 10_000,
        "amount": 2_000,
        "currency": "eur",
    }


def test_a_flat_amount_with_its_explanation() -> None:
    ruling = decide(plan_of(rule("flat", (750, "eur"))), SALE)
    assert (ruling.rule_id, ruling.amount, ruling.rate_bps) == ("flat", 750, None)
    assert dict(ruling.reasons[0].params) == {
        "rule": "flat",
        "flat": 750,
        "base": 10_000,
        "amount": 750,
        "currency": "eur",
    }


def test_the_first_match_in_listed_order_pays_alone() -> None:
    first, second = rule("first", 3_000), rule("second", 1_000)
    assert decide(plan_of(first, second), SALE).amount == 3_000
    assert decide(plan_of(second, first), SALE).amount == 1_000
    assert told(decide(plan_of(first, second), SALE)) == [("rule_paid", "first")]


def test_every_rule_tried_leaves_its_reason() -> None:
    plan = plan_of(
        rule("us", match={"countries": ["US"]}),
        rule("big", when="sale.amount > 1000000"),
        rule("base"),
        rule("never-tried"),
    )
    assert told(decide(plan, SALE)) == [
        ("rule_not_matched", "us"),
        ("rule_condition_false", "big"),
        ("rule_paid", "base"),
    ]


@pytest.mark.parametrize(
    ("match", "field", "wanted", "found"),
    [
        ({"kind": "renewal"}, "kind", ("renewal",), "sale"),
        ({"kind": ["lead", "renewal"]}, "kind", ("lead", "renewal"), "sale"),
        ({"product_ids": ["team"]}, "product_ids", ("team",), ("pro", "seat")),
        ({"countries": ["US", "CA"]}, "countries", ("US", "CA"), "DE"),
        ({"new": False}, "new", False, True),
    ],
)
def test_a_mismatch_names_the_field_what_it_wants_and_what_it_found(
    match: dict[str, Any], field: str, wanted: object, found: object
) -> None:
    ruling = decide(plan_of(rule("only", match=match)), SALE)
    mismatch, last = ruling.reasons
    assert mismatch.code == "rule_not_matched"
    assert dict(mismatch.params) == {
        "rule": "only",
        "field": field,
        "wanted": wanted,
        "found": found,
    }
    assert last.code == "no_rule_matched"
    assert (ruling.rule_id, ruling.amount, ruling.base) == (None, 0, 10_000)


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"kind": "sale"},
        {"kind": ["lead", "sale"]},
        {"product_ids": ["seat", "other"]},
        {"countries": ["AT", "DE"]},
        {"new": True},
        {"kind": "sale", "product_ids": ["pro"], "countries": ["DE"], "new": True},
    ],
)
def test_a_match_compares_any_of_the_listed_and_all_of_the_fields(match: dict[str, Any]) -> None:
    assert decide(plan_of(rule("only", match=match)), SALE).amount == 1_000


def test_without_a_kind_sales_and_renewals_are_meant_and_leads_are_not() -> None:
    plan = plan_of(rule("base"))
    assert decide(plan, SALE).rule_id == "base"
    assert decide(plan, replace(SALE, kind="renewal", new=False)).rule_id == "base"
    assert told(decide(plan, LEAD)) == [("rule_not_matched", "base"), ("no_rule_matched", None)]


def test_an_unknown_country_matches_no_list_of_countries() -> None:
    plan = plan_of(rule("de", match={"countries": ["DE"]}))
    assert decide(plan, replace(SALE, customer_country="")).rule_id is None


def test_a_long_list_of_products_is_named_in_part() -> None:
    sale = replace(SALE, product_ids=tuple(f"p{i}" for i in range(500)))
    reason = decide(plan_of(rule("only", match={"product_ids": ["x"]})), sale).reasons[0]
    assert reason.params["found"] == tuple(f"p{i}" for i in range(20))


def test_a_rule_that_errs_pays_nobody_and_no_later_rule_stands_in() -> None:
    plan = plan_of(
        rule("us", match={"countries": ["US"]}),
        rule("broken", 9_000, when="sale.amount / customer.sales > 5"),
        rule("base"),
    )
    ruling = decide(plan, SALE)
    assert (ruling.rule_id, ruling.amount, ruling.currency) == (None, 0, "eur")
    assert told(ruling) == [("rule_not_matched", "us"), ("rule_failed", "broken")]
    assert "divide by zero" in str(ruling.reasons[-1].params["error"])
    assert decide(plan, replace(SALE, customer_sales=1)).rule_id == "broken"


def test_a_rule_that_errs_is_not_asked_where_it_does_not_match() -> None:
    broken = rule("broken", match={"new": False}, when="sale.amount / customer.sales > 5")
    assert decide(plan_of(broken, rule("base")), SALE).rule_id == "base"


def test_a_flat_amount_in_another_currency_pays_nobody() -> None:
    ruling = decide(plan_of(rule("usd", (500, "usd")), rule("base")), SALE)
    assert (ruling.rule_id, ruling.amount, ruling.currency) == (None, 0, "eur")
    (reason,) = ruling.reasons
    assert reason.code == "no_rate"
    assert dict(reason.params) == {"rule": "usd", "currency": "usd", "sale_currency": "eur"}


def test_a_lead_is_paid_flat_in_the_rules_own_currency() -> None:
    ruling = decide(plan_of(rule("lead", (300, "usd"), match={"kind": "lead"})), LEAD)
    assert (ruling.rule_id, ruling.base, ruling.amount, ruling.currency) == ("lead", 0, 300, "usd")
    assert ruling.reasons[-1].params["currency"] == "usd"


def test_a_percent_of_a_lead_is_nothing() -> None:
    ruling = decide(plan_of(rule("lead", 5_000, match={"kind": "lead"})), LEAD)
    assert (ruling.rule_id, ruling.amount, ruling.currency) == ("lead", 0, "")
    assert told(ruling) == [("rounds_to_zero", "lead")]


@pytest.mark.parametrize(
    ("pay", "amount", "expected"),
    [
        (1, 5_000, 0),  # 0.5 of a cent goes to the even 0
        (1, 5_001, 1),
        (1, 15_000, 2),  # 1.5 goes to the even 2
        (0, 10_000, 0),
        ((0, "eur"), 10_000, 0),
        (2_000, -10_000, 0),  # never a negative award
    ],
)
def test_small_results_round_once_and_zero_says_so(
    pay: int | tuple[int, str], amount: int, expected: int
) -> None:
    ruling = decide(plan_of(rule("tiny", pay), rule("later")), replace(SALE, amount=amount))
    assert (ruling.rule_id, ruling.amount) == ("tiny", expected)
    assert told(ruling) == [("rule_paid" if expected else "rounds_to_zero", "tiny")]


@pytest.mark.parametrize(
    ("currency", "amount", "rate_bps", "expected"),
    [
        ("jpy", 1_234, 2_000, 247),  # 246.8 yen: there is nothing smaller
        ("kwd", 12_345, 2_000, 2_469),  # 12.345 dinar give 2.469
        ("bhd", 1, 5_001, 1),
        ("clf", 123_456, 1_250, 15_432),
    ],
)
def test_currencies_of_other_decimals_are_whole_minor_units(
    currency: str, amount: int, rate_bps: int, expected: int
) -> None:
    sale = replace(SALE, currency=currency, amount=amount)
    ruling = decide(plan_of(rule("base", rate_bps)), sale)
    assert (ruling.amount, ruling.currency) == (expected, currency)


@given(amount=st.integers(0, MAX_AMOUNT), rate_bps=st.integers(0, 10_000))
def test_an_award_is_within_half_a_unit_of_its_exact_share(amount: int, rate_bps: int) -> None:
    ruling = decide(plan_of(rule("base", rate_bps)), replace(SALE, amount=amount))
    assert abs(ruling.amount * 10_000 - amount * rate_bps) <= 5_000
    assert 0 <= ruling.amount <= amount


def test_recurring_months_end_with_the_calendar() -> None:
    plan = plan_of(rule("year", 2_000, months=12), rule("after", 500))
    since = datetime(2026, 1, 31, 10, tzinfo=UTC)
    renewal = replace(SALE, kind="renewal", new=False, recurring_since=since)
    last = replace(renewal, at=datetime(2027, 1, 31, 9, 59, 59, tzinfo=UTC))
    over = replace(renewal, at=datetime(2027, 1, 31, 10, tzinfo=UTC))
    assert decide(plan, last).amount == 2_000
    ruling = decide(plan, over)
    assert (ruling.rule_id, ruling.amount) == ("after", 500)
    assert ruling.reasons[0].code == "months_over"
    assert dict(ruling.reasons[0].params) == {
        "rule": "year",
        "months": 12,
        "since": since.isoformat(),
    }


def test_months_that_are_over_are_seen_before_the_condition_is_asked() -> None:
    plan = plan_of(rule("one", months=1, when="sale.amount / customer.sales > 0"), rule("base"))
    late = replace(SALE, recurring_since=AT - timedelta(days=31))
    assert decide(plan, late).rule_id == "base"


def test_every_fact_reaches_the_conditions_under_its_name() -> None:
    assert set(CEL_FACTS) == set(FACTS) == set(cel_facts(SALE, FACTS))
    sale = SaleFacts(
        kind="renewal",
        source="src_1",
        currency="jpy",
        new=False,
        at=AT,
        amount=1,
        gross=2,
        quantity=3,
        product_ids=("a",),
        customer_country="FR",
        customer_sales=4,
        customer_months=5,
        partner_country="IT",
        touch_kind="code",
        touch_code="bob",
        touch_at=AT - timedelta(hours=1),
        recurring_since=datetime(2025, 9, 15, 12, tzinfo=UTC),
        payment=7,
        customer_value=8,
        lines=(Line("a", 3, 2), Line("b", -1, 1), Line("a", -1, 1)),
        partner=Qualification("gold", certified=True, agreement="v2"),
        partner_since=AT - timedelta(days=9, hours=23),
        program_since=AT - timedelta(days=11),
    )
    condition = (
        "sale.kind == 'renewal' && sale.source == 'src_1' && sale.currency == 'jpy' && !sale.new"
        " && sale.amount == 1 && sale.gross == 2 && sale.quantity == 3 && sale.product_ids == ['a']"
        " && customer.country == 'FR' && customer.sales == 4 && customer.months == 5"
        " && partner.country == 'IT' && touch.kind == 'code' && touch.code == 'bob'"
        " && sale.payment == 7 && sale.months == 6 && customer.value == 8"
        " && sale.line_amounts == [3, -1, -1] && sale.product_amounts == {'a': 2, 'b': -1}"
        " && sale.product_quantities == {'a': 3, 'b': 1}"
        " && partner.tier == 'gold' && partner.certified && partner.agreement == 'v2'"
        " && partner.enrolled_days == 9 && program.days == 11"
        " && sale.at - touch.at == duration('1h') && sale.at == timestamp('2026-03-15T12:00:00Z')"
    )
    assert decide(plan_of(rule("all", (5, "jpy"), when=condition)), sale).amount == 5


def test_a_condition_over_lines_pays_nobody_while_some_are_unknown() -> None:
    plan = plan_of(rule("big", when="sale.line_amounts.exists(a, a > 5000)"), rule("base"))
    known = replace(SALE, lines=(Line("pro", 10_000, 1),))
    assert decide(plan, known).rule_id == "big"
    assert told(decide(plan, replace(known, lines_complete=False))) == [("lines_unknown", "big")]


def test_without_a_touch_its_time_reads_as_1970() -> None:
    plan = plan_of(rule("bound", when="touch.at == timestamp(0) && touch.kind == ''"))
    assert decide(plan, replace(SALE, touch_at=None, touch_kind="")).rule_id == "bound"


def test_the_same_facts_give_the_same_ruling() -> None:
    plan = plan_of(rule("big", when="sale.amount > 99999"), rule("base"))
    assert decide(plan, SALE) == decide(plan, replace(SALE))
