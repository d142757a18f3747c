"""Each thing that a lint says, with its place, and when it says nothing."""

from typing import Any

import pytest

from app.core.conditions import FACTS
from app.core.lint import lint
from app.core.lint_findings import Limits

EUR = {"amount": 500, "currency": "eur"}
USD = {"amount": 500, "currency": "usd"}
TEN = {"percent_bps": 1_000}
FLAT = {"flat": EUR}


def of(*rules: dict[str, Any], **plan: Any) -> dict[str, Any]:
    return {
        "hold_days": 30,
        "attribution": {"model": "last_click", "window_days": 30},
        "combine": "first_match",
        "rules": [{"id": f"r{i}", "pay": TEN, **rule} for i, rule in enumerate(rules)],
        **plan,
    }


TWICE = {"per": "customer", "count": 2, "amount": {"amount": 1_000, "currency": "eur"}}
NEW, LATER = {"match": {"new": True}}, {"match": {"new": False}}
LEADS = {"match": {"kind": "lead"}}
SEAT = {"match": {"product_ids": ["seat"]}}
CASES: dict[str, tuple[dict[str, Any], str, str, str | None]] = {
    # A name: the plan, severity and code, place, related place.
    "no plan": (of(hold_days="30"), "error refused", "/hold_days", None),
    "an unknown fact": (
        of({"when": "sale.color == 'red'"}), "error refused", "/rules/0/when", None,
    ),
    "a wrong type": (of({"when": "sale.amount"}), "error refused", "/rules/0/when", None),
    "the same twice": (of({}, {}), "error shadowed", "/rules/1", "/rules/0"),
    "covered by two": (of(NEW, LATER, {}), "error shadowed", "/rules/2", "/rules/0"),
    "a product of two": (
        of({"match": {"product_ids": ["seat", "pro"]}}, SEAT),
        "error shadowed", "/rules/1", "/rules/0",
    ),
    "a smaller minimum first": (
        of({"match": {"min_amount": EUR}}, {"match": {"min_amount": {**EUR, "amount": 900}}}),
        "error shadowed", "/rules/1", "/rules/0",
    ),
    "a longer term first": (
        of({"pay": {**TEN, "months": 12}}, {"pay": {**TEN, "months": 6}}),
        "error shadowed", "/rules/1", "/rules/0",
    ),
    "a tier of two": (
        of({"match": {"tiers": ["gold", "iron"]}}, {"match": {"tiers": ["iron"]}}),
        "error shadowed", "/rules/1", "/rules/0",
    ),
    "a tier that is kept out": (
        of({"match": {"tiers": ["iron"]}}, gates={"tiers": ["gold"]}),
        "error never_matches", "/rules/0/match/tiers", None,
    ),
    "new and the third": (
        of({"match": {"new": True, "nth": 3}}), "error never_matches", "/rules/0/match/nth", None,
    ),
    "later and the first": (
        of({"match": {"new": False, "nth": 1}}), "error never_matches", "/rules/0/match/new", None,
    ),
    "a new renewal": (
        of({"match": {"kind": "renewal", "new": True}}),
        "error never_matches", "/rules/0/match/new", None,
    ),
    "a renewal of one payment": (
        of({"match": {"kind": "renewal"}, "pay": {**TEN, "payments": 1}}),
        "error never_matches", "/rules/0/pay/payments", None,
    ),
    "a lead of a number": (
        of({"match": {"kind": "lead", "nth": 1}, "pay": FLAT}),
        "error never_matches", "/rules/0/match/nth", None,
    ),
    "a lead of an amount": (
        of({"match": {"kind": "lead", "min_amount": EUR}, "pay": FLAT}),
        "error never_matches", "/rules/0/match/min_amount", None,
    ),
    "a lead with a product": (
        of({"match": {"kind": "lead", "product_ids": ["seat"]}, "pay": FLAT}),
        "error never_matches", "/rules/0/match/product_ids", None,
    ),
    "so many leads by a sale": (
        of({"match": {"reaches": {"leads": 3, "period": "life"}}}),
        "error never_matches", "/rules/0/match/reaches", None,
    ),
    "so many sales by a lead": (
        of({"match": {"kind": "lead", "reaches": {"sales": 3, "period": "life"}}, "pay": FLAT}),
        "error never_matches", "/rules/0/match/reaches", None,
    ),
    "a percentage of leads": (
        of(LEADS), "error never_pays", "/rules/0/pay/percent_bps", "/rules/0/match/kind",
    ),
    "leads per unit": (
        of({**LEADS, "pay": {**FLAT, "per": "unit"}}),
        "error never_pays", "/rules/0/pay/per", "/rules/0/match/kind",
    ),
    "a percentage of leads too": (
        of({"match": {"kind": ["lead", "sale"]}}),
        "warning lead_unpaid", "/rules/0/pay/percent_bps", "/rules/0/match/kind",
    ),
    "euros capped in dollars": (
        of({"pay": FLAT, "cap": {"per": "sale", "amount": USD}}),
        "error never_pays", "/rules/0", None,
    ),
    "stopped by another one": (
        of({"pay": FLAT}, {"pay": {"flat": USD}}, combine="sum"),
        "error stopped", "/rules/0", "/rules/1",
    ),
    "stopped by one that adds": (
        of({"pay": FLAT}, {"pay": {"flat": USD}, "adds": True}),
        "error stopped", "/rules/0", "/rules/1",
    ),
    "never the best": (
        of({"pay": {"percent_bps": 2_000}}, SEAT, combine="best"),
        "error never_best", "/rules/1", "/rules/0",
    ),
    "two currencies": (
        of({"pay": FLAT}, {"match": {"min_amount": USD}}),
        "warning other_currency", "/rules/1/match/min_amount/currency", None,
    ),
    "leads in two currencies": (
        of({**LEADS, "pay": FLAT}, {**LEADS, "pay": {"flat": USD}}, combine="best"),
        "error best_mixes_currencies", "/rules/1/pay/flat/currency", "/rules/0/pay/flat/currency",
    ),
    "six tenths": (
        of({"pay": {"percent_bps": 6_000}}),
        "warning rate_over_limit", "/rules/0/pay/percent_bps", None,
    ),
    "more than the least sale": (
        of({"pay": FLAT, "match": {"min_amount": EUR}}),
        "warning rate_over_limit", "/rules/0/pay/flat", "/rules/0/match/min_amount",
    ),
    "more than all of it": (
        of(*[{"pay": {"percent_bps": 4_000}}] * 3, combine="sum"),
        "error total_over_limit", "/rules/2/pay/percent_bps", "/rules/0",
    ),
    "perhaps more than all of it": (
        of(*[{"pay": {"percent_bps": 4_000}, "when": "sale.new"}] * 3, combine="sum"),
        "warning total_over_limit", "/rules/2/pay/percent_bps", "/rules/0",
    ),
    "more than all with what adds": (
        of({"pay": {"percent_bps": 4_000}}, *[{"pay": {"percent_bps": 4_000}, "adds": True}] * 2),
        "error total_over_limit", "/rules/2/pay/percent_bps", "/rules/0",
    ),
    "two pay": (of({}, SEAT, combine="sum"), "note overlap", "/rules/1", "/rules/0"),
    "the better pays": (
        of(SEAT, {"pay": FLAT}, combine="best"), "note overlap", "/rules/1", "/rules/0",
    ),
    "a cap of nothing": (
        of({"cap": {"per": "sale", "percent_of_bill_bps": 0}}),
        "error cap_pays_nothing", "/rules/0/cap/percent_of_bill_bps", None,
    ),
    "an amount of nothing": (
        of({"cap": {"per": "customer", "amount": {**EUR, "amount": 0}}}),
        "error cap_pays_nothing", "/rules/0/cap/amount", None,
    ),
    "a cap above the amount": (
        of({"pay": FLAT, "cap": {"per": "sale", "amount": {**EUR, "amount": 900}}}),
        "note cap_never_bites", "/rules/0/cap/amount", None,
    ),
    "a cap above the amounts": (
        of({"pay": FLAT, "cap": TWICE}),
        "note cap_never_bites", "/rules/0/cap/amount", None,
    ),
    "one first sale": (
        of({**NEW, "cap": {"per": "customer", "count": 3}}),
        "note cap_never_bites", "/rules/0/cap/count", None,
    ),
    "a rate of nothing": (
        of({"pay": {"percent_bps": 0}}), "note pays_nothing", "/rules/0/pay/percent_bps", None,
    ),
    "an amount paid of nothing": (
        of({"pay": {"flat": {**EUR, "amount": 0}}}),
        "note pays_nothing", "/rules/0/pay/flat", None,
    ),
    "bound for less": (
        of({"pay": {**TEN, "months": 12}}, binding={"months": 6}),
        "warning binding_shorter", "/rules/0/pay/months", "/binding/months",
    ),
    "long": (
        of({"pay": {**TEN, "months": 61}}), "note term_too_long", "/rules/0/pay/months", None,
    ),
    "held for long": (of({}, hold_days=121), "note hold_too_long", "/hold_days", None),
    "always true": (
        of({"when": "1 < 2"}), "warning condition_constant", "/rules/0/when", None,
    ),
    "never true": (of({"when": "1 > 2"}), "error condition_constant", "/rules/0/when", None),
    "never worked out": (
        of({"when": "1 / 0 > 2"}), "error condition_constant", "/rules/0/when", None,
    ),
    "adding to a sum": (
        of({}, {**SEAT, "adds": True}, combine="sum"),
        "note adds_says_nothing", "/rules/1/adds", None,
    ),
    "only adding": (of({"adds": True}), "note adds_says_nothing", "/rules/0/adds", None),
    "no rule": (of(), "warning no_rules", "/rules", None),
    "no renewals": (of({"match": {"kind": "sale"}}), "note kind_unpaid", "/rules", None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_is_told_with_its_place_and_remedy(name: str) -> None:
    document, what, place, related = CASES[name]
    found = lint(document)
    told = [(f"{f.severity} {f.code}", f.place, f.related) for f in found]
    assert (what, place, related) in told, found
    assert all(f.problem and f.remedy.endswith((".", "joined.", ")")) for f in found), found
    assert all(f.place == "" or f.place.startswith("/") for f in found)


SOUND = {
    "one rule": of({}),
    "narrow first": of(SEAT, NEW, {}),
    "a condition first": of({"when": "sale.new"}, {}),
    "one that adds first": of({"adds": True, "pay": {"percent_bps": 500}}, {}),
    "each its own recipient": of({}, {"pay": {"to": "customer", "as": "credit", **TEN}}),
    "a shorter term first": of({"pay": {**TEN, "months": 12}}, {}),
    "a larger minimum first": of({"match": {"min_amount": EUR}}, {}),
    "lines of different products": of(
        {**SEAT, "pay": {"percent_bps": 5_000, "per": "line"}},
        {"match": {"product_ids": ["pro"]}, "pay": {"percent_bps": 5_000, "per": "line"}},
        {"match": {"product_ids": ["box"]}, "pay": {"percent_bps": 5_000, "per": "line"}},
        combine="sum",
    ),
    "paid by the lead": of({**LEADS, "pay": FLAT}, {}),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_plan_is_left_alone(name: str) -> None:
    assert [f for f in lint(SOUND[name]) if f.severity != "note"] == []


def test_a_place_in_a_condition_has_line_and_column() -> None:
    (found,) = lint(of({"when": "sale.new &&\n  sale.colour == 'red'"}))
    assert (found.place, found.line, found.column) == ("/rules/0/when", 2, 7)
    assert all(fact in found.remedy for fact in FACTS)


def test_the_program_has_a_currency() -> None:
    plan = of({"pay": {"flat": USD}})
    assert [f.code for f in lint(plan, currency="usd")] == []
    assert [f.code for f in lint(plan, currency="eur")] == ["other_currency"]


def test_limits_are_the_callers() -> None:
    plan = of({"pay": {"percent_bps": 6_000}}, {"pay": {"percent_bps": 3_000}, "adds": True})
    assert [f.code for f in lint(plan)] == ["rate_over_limit"]
    assert lint(plan, limits=Limits(rate_bps=6_000)) == ()
    told = lint(plan, limits=Limits(rate_bps=6_000, total_bps=8_999))
    assert [f.code for f in told] == ["total_over_limit"]


def test_a_plan_with_too_much_in_it_is_linted_all_the_same() -> None:
    """100 rules that cut every dimension differently: nothing is proved, nothing hangs."""
    rules: list[dict[str, Any]] = [
        {
            "match": {
                "product_ids": [f"p{j}" for j in range(40) if j != i % 40],
                "countries": [
                    c for c in ("DE", "US", "FR", "AT", "CH", "NL") if (ord(c[0]) + i) % 3
                ],
                "min_amount": {"amount": i * 7, "currency": "eur"},
            },
            "pay": {**TEN, "months": 1 + i % 24, "payments": 1 + i % 13},
        }
        for i in range(100)
    ]
    for rule in rules:
        rule["match"]["countries"] = rule["match"]["countries"] or ["DE"]
    for combine in ("first_match", "sum", "best"):
        lint(of(*rules, combine=combine))
