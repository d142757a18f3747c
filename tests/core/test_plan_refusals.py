"""Each value that a plan may not have is refused, at its place."""

from typing import Any

import pytest

from app.core.money import MAX_AMOUNT
from tests.core.documents import only_problem, paying, plan_of, rule
from tests.core.refused_heads import REFUSED_HEADS
from tests.core.refused_rewards import REFUSED_REWARDS

BANDS = {
    "by": "sales",
    "period": "month",
    "mode": "graduated",
    "steps": [{"from": 1, "percent_bps": 1}],
}


def bands_of(**changed: Any) -> dict[str, Any]:
    return paying(bands={**BANDS, **changed})


def reaching(**reaches: Any) -> dict[str, Any]:
    return plan_of(rule(match={"reaches": reaches}))


EUR = {"amount": 1, "currency": "eur"}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *REFUSED_HEADS,
    *REFUSED_REWARDS,
    # A rule.
    ("rules/0", plan_of(rules=["base"]), "must be an object"),
    ("rules/0/id", plan_of({"pay": {"percent_bps": 1}}), "missing"),
    ("rules/0/pay", plan_of({"id": "base"}), "missing"),
    ("rules/0/id", plan_of(rule(id="Base")), "not a rule id"),
    ("rules/0/id", plan_of(rule(id="-a")), "not a rule id"),
    ("rules/0/id", plan_of(rule(id="a\n")), "not a rule id"),
    ("rules/0/id", plan_of(rule(id="a" * 65)), "65 characters"),
    ("rules/0/id", plan_of(rule(id="")), "0 characters"),
    ("rules/0/id", plan_of(rule(id=7)), "must be text"),
    ("rules/1/id", plan_of(rule(), rule()), "rule 0 too"),
    ("rules/0/adds", plan_of(rule(adds=1)), "must be true or false"),
    # Cap.
    ("rules/0/cap", plan_of(rule(cap=None)), "null"),
    ("rules/0/cap/per", plan_of(rule(cap={"amount": EUR})), "missing"),
    ("rules/0/cap", plan_of(rule(cap={"per": "partner"})), "limits nothing"),
    (
        "rules/0/cap/per",
        plan_of(rule(pay={"to": "customer", "percent_bps": 1}, cap={"per": "partner", "count": 1})),
        "no meaning to the customer",
    ),
    ("rules/0/cap/per", plan_of(rule(cap={"per": "day", "amount": EUR})), "known words"),
    ("rules/0/cap", plan_of(rule(cap={"per": "sale"})), "limits nothing"),
    ("rules/0/cap", plan_of(rule(cap={"per": "customer"})), "limits nothing"),
    ("rules/0/cap", plan_of(rule(cap={"per": "customer", "period": "year"})), "limits nothing"),
    ("rules/0/cap/amount", plan_of(rule(cap={"per": "sale", "amount": 1})), "must be an object"),
    (
        "rules/0/cap/amount/currency",
        plan_of(rule(cap={"per": "sale", "amount": {"amount": 1, "currency": "abc"}})),
        "no currency",
    ),
    (
        "rules/0/cap/amount/amount",
        plan_of(rule(cap={"per": "sale", "amount": {"amount": -1, "currency": "eur"}})),
        "out of range",
    ),
    (
        "rules/0/cap/count",
        plan_of(rule(cap={"per": "sale", "amount": EUR, "count": 1})),
        "no meaning per sale",
    ),
    (
        "rules/0/cap/period",
        plan_of(rule(cap={"per": "sale", "amount": EUR, "period": "year"})),
        "no meaning per sale",
    ),
    (
        "rules/0/cap/percent_of_bill_bps",
        plan_of(rule(cap={"per": "customer", "count": 1, "percent_of_bill_bps": 1})),
        "no meaning per customer",
    ),
    (
        "rules/0/cap/percent_of_bill_bps",
        plan_of(rule(cap={"per": "sale", "percent_of_bill_bps": 10_001})),
        "out of range",
    ),
    ("rules/0/cap/count", plan_of(rule(cap={"per": "customer", "count": 0})), "out of range"),
    (
        "rules/0/cap/period",
        plan_of(rule(cap={"per": "customer", "count": 1, "period": "week"})),
        "known words",
    ),
    ("rules/0/amount", plan_of(rule(amount=1)), "not known"),
    # Match.
    ("rules/0/match", plan_of(rule(match=None)), "null"),
    ("rules/0/match/tiers", plan_of(rule(match={"tiers": []})), "0 elements"),
    ("rules/0/match/tiers", plan_of(rule(match={"tiers": "gold"})), "must be a list"),
    ("rules/0/match/tiers/0", plan_of(rule(match={"tiers": ["Gold"]})), "not a tier's id"),
    ("rules/0/match/tiers/0", plan_of(rule(match={"tiers": ["a" * 65]})), "65 characters"),
    ("rules/0/match/tiers/1", plan_of(rule(match={"tiers": ["a", "a"]})), "given twice"),
    ("rules/0/match/city", plan_of(rule(match={"city": "Bonn"})), "not known"),
    ("rules/0/match/kind", plan_of(rule(match={"kind": "refund"})), "known words"),
    ("rules/0/match/kind", plan_of(rule(match={"kind": []})), "0 elements"),
    ("rules/0/match/kind/1", plan_of(rule(match={"kind": ["sale", "sale"]})), "twice"),
    ("rules/0/match/kind/0", plan_of(rule(match={"kind": [1]})), "must be text"),
    ("rules/0/match/product_ids", plan_of(rule(match={"product_ids": "pro"})), "must be a list"),
    ("rules/0/match/product_ids/0", plan_of(rule(match={"product_ids": [""]})), "0 characters"),
    (
        "rules/0/match/product_ids/0",
        plan_of(rule(match={"product_ids": ["a\0"]})),
        "can't be stored",
    ),
    (
        "rules/0/match/product_ids/0",
        plan_of(rule(match={"product_ids": ["\ud800"]})),
        "can't be stored",
    ),
    ("rules/0/match/countries/0", plan_of(rule(match={"countries": ["de"]})), "no country"),
    ("rules/0/match/countries/0", plan_of(rule(match={"countries": ["UK"]})), "no country"),
    ("rules/0/match/countries/0", plan_of(rule(match={"countries": ["DEU"]})), "3 characters"),
    ("rules/0/match/countries/1", plan_of(rule(match={"countries": ["DE", "DE"]})), "twice"),
    ("rules/0/match/new", plan_of(rule(match={"new": 1})), "must be true or false"),
    ("rules/0/match/nth", plan_of(rule(match={"nth": 0})), "out of range"),
    ("rules/0/match/nth", plan_of(rule(match={"nth": True})), "true or false"),
    ("rules/0/match/min_amount", plan_of(rule(match={"min_amount": 100})), "must be an object"),
    (
        "rules/0/match/min_amount/currency",
        plan_of(rule(match={"min_amount": {"amount": 1, "currency": "EUR"}})),
        "no currency",
    ),
    # Pay.
    ("rules/0/pay", plan_of(rule(pay={})), "how much"),
    ("rules/0/pay", plan_of(rule(pay=[])), "must be an object"),
    (
        "rules/0/pay",
        plan_of(rule(pay={"percent_bps": 1, "flat": {"amount": 1, "currency": "eur"}})),
        "both",
    ),
    ("rules/0/pay/percent_bps", plan_of(rule(pay={"percent_bps": True})), "true or false"),
    ("rules/0/pay/percent_bps", plan_of(rule(pay={"percent_bps": 20.0})), "fraction"),
    ("rules/0/pay/percent_bps", plan_of(rule(pay={"percent_bps": "20"})), "text"),
    ("rules/0/pay/percent_bps", plan_of(rule(pay={"percent_bps": 10_001})), "out of range"),
    ("rules/0/pay/percent_bps", plan_of(rule(pay={"percent_bps": -1})), "out of range"),
    ("rules/0/pay/flat/currency", plan_of(rule(pay={"flat": {"amount": 1}})), "missing"),
    ("rules/0/pay/flat/amount", plan_of(rule(pay={"flat": {"currency": "eur"}})), "missing"),
    (
        "rules/0/pay/flat/amount",
        plan_of(rule(pay={"flat": {"amount": MAX_AMOUNT + 1, "currency": "eur"}})),
        "out of range",
    ),
    (
        "rules/0/pay/flat/amount",
        plan_of(rule(pay={"flat": {"amount": -1, "currency": "eur"}})),
        "out of range",
    ),
    (
        "rules/0/pay/flat/currency",
        plan_of(rule(pay={"flat": {"amount": 1, "currency": "EUR"}})),
        "no currency",
    ),
    (
        "rules/0/pay/flat/currency",
        plan_of(rule(pay={"flat": {"amount": 1, "currency": "abc"}})),
        "no currency",
    ),
    ("rules/0/pay/to", plan_of(rule(pay={"percent_bps": 1, "to": "me"})), "known words"),
    ("rules/0/pay/as", plan_of(rule(pay={"percent_bps": 1, "as": "points"})), "known words"),
    ("rules/0/pay/per", plan_of(rule(pay={"percent_bps": 1, "per": "unit"})), "no meaning"),
    ("rules/0/pay/per", plan_of(rule(pay={"percent_bps": 1, "per": "seat"})), "known words"),
    ("rules/0/pay", plan_of(rule(pay={"percent_bps": 1, "bands": BANDS})), "gives both"),
    ("rules/0/pay/per", plan_of(rule(pay={"per": "line", "bands": BANDS})), "no meaning"),
    ("rules/0/pay/bands/mode", bands_of(mode="half"), "known words"),
    ("rules/0/pay/bands/period", bands_of(mode="whole", period="life"), "never ends"),
    (
        "rules/0/pay/bands/steps/0/from",
        bands_of(mode="whole", steps=[{"from": 2, "percent_bps": 1}]),
        "leaves sales out",
    ),
    (
        "rules/0/pay/bands/steps/0/percent_bps",
        bands_of(mode="whole", steps=[{"from": 1, "percent_bps": 0}]),
        "pays nothing at once",
    ),
    (
        "rules/0/pay/bands/steps/1/percent_bps",
        bands_of(
            mode="whole", steps=[{"from": 1, "percent_bps": 2}, {"from": 2, "percent_bps": 1}]
        ),
        "below the step before",
    ),
    (
        "rules/0/pay/bands/steps/0/flat",
        bands_of(mode="whole", steps=[{"from": 1, "flat": {"amount": 1, "currency": "eur"}}]),
        "no meaning with whole",
    ),
    (
        "rules/0/pay/bands/mode",
        paying(to="recruiter", bands={**BANDS, "mode": "whole"}),
        "partner's cash only",
    ),
    (
        "rules/0/cap",
        plan_of(
            rule(pay={"bands": {**BANDS, "mode": "whole"}}, cap={"per": "partner", "count": 1})
        ),
        "no meaning with bands of mode whole",
    ),
    ("rules/0/pay/bands/by", bands_of(by="units"), "known words"),
    ("rules/0/pay/bands/period", bands_of(period="week"), "known words"),
    ("rules/0/pay/bands/steps", bands_of(steps=[]), "0 elements"),
    ("rules/0/pay/bands/steps/0", bands_of(steps=[{"from": 1}]), "how much"),
    ("rules/0/pay/bands/steps/0/from", bands_of(steps=[{"percent_bps": 1}]), "missing"),
    ("rules/0/pay/bands/steps/0/from", bands_of(steps=[{"from": 0, "percent_bps": 1}]), "range"),
    (
        "rules/0/pay/bands/steps/1/from",
        bands_of(steps=[{"from": 2, "percent_bps": 1}, {"from": 2, "percent_bps": 2}]),
        "not above",
    ),
    (
        "rules/0/pay/bands/steps/1",
        bands_of(steps=[{"from": 1, "percent_bps": 1}, {"from": 2, "flat": EUR}]),
        "mixes",
    ),
    (
        "rules/0/pay/bands/steps/1/from",
        bands_of(
            by="revenue",
            steps=[
                {"from": {"amount": 0, "currency": "eur"}, "percent_bps": 1},
                {"from": {"amount": 1, "currency": "usd"}, "percent_bps": 2},
            ],
        ),
        "another currency",
    ),
    ("rules/0/match/reaches", reaching(period="month"), "several or none"),
    ("rules/0/match/reaches", reaching(period="month", sales=3, leads=3), "several or none"),
    ("rules/0/match/reaches/leads", reaching(period="month", leads=0), "out of range"),
    ("rules/0/match/reaches/period", reaching(sales=3), "missing"),
    ("rules/0/match/reaches/sales", reaching(period="month", sales=0), "out of range"),
    (
        "rules/0/match/reaches/revenue",
        reaching(period="month", revenue={"amount": 0, "currency": "eur"}),
        "from the start",
    ),
    ("rules/0/pay/payments", plan_of(rule(pay={"percent_bps": 1, "payments": 0})), "out of range"),
    (
        "rules/0/pay/payments",
        plan_of(rule(pay={"percent_bps": 1, "payments": 10_001})),
        "out of range",
    ),
    ("rules/0/pay/months", plan_of(rule(pay={"percent_bps": 1, "months": 0})), "out of range"),
    ("rules/0/pay/months", plan_of(rule(pay={"percent_bps": 1, "months": 1_201})), "out of range"),
    ("rules/0/pay/months", plan_of(rule(pay={"percent_bps": 1, "months": None})), "null"),
    # Condition.
    ("rules/0/when", plan_of(rule(when="")), "0 characters"),
    ("rules/0/when", plan_of(rule(when=True)), "must be text"),
    ("rules/0/when", plan_of(rule(when="true" + " " * 1_997)), "2001 characters"),
    ("rules/0/when", plan_of(rule(when="sale.new\0")), "can't be stored"),
]


@pytest.mark.parametrize(("place", "document", "words"), REFUSED)
def test_a_wrong_value_is_refused_at_its_place(
    place: str, document: dict[str, Any], words: str
) -> None:
    problem = only_problem(document)
    assert problem.place == place
    assert words in problem.problem
