"""What holds for every plan: caps, monotone shares, the best, and sums."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.core.commission import Ruling, rule_on
from app.core.events import Line
from app.core.money import share_bps
from app.core.plans import Plan, parse
from app.core.sale_facts import Earlier, SaleFacts
from tests.core.made_sales import AT, SALE

AMOUNTS = st.integers(0, 100_000)
RATES = st.integers(0, 10_000)


def money(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "eur"}


PAYS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda rate: {"percent_bps": rate}, RATES),
    st.builds(lambda amount: {"flat": money(amount)}, AMOUNTS),
)
CAPS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda amount: {"per": "sale", "amount": money(amount)}, AMOUNTS),
    st.builds(lambda rate: {"per": "sale", "percent_of_bill_bps": rate}, RATES),
    st.builds(lambda amount: {"per": "customer", "amount": money(amount)}, AMOUNTS),
    st.builds(lambda count: {"per": "customer", "count": count}, st.integers(1, 3)),
)
RULES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"pay": PAYS}, optional={"cap": CAPS, "adds": st.booleans()}
)
WAYS = st.sampled_from(("first_match", "best", "sum"))
EARLIER = st.lists(st.integers(1, 50_000), max_size=3)


def plan_of(rules: list[dict[str, Any]], combine: str) -> Plan:
    return parse(
        {
            "hold_days": 30,
            "attribution": {"model": "last_click", "window_days": 30},
            "combine": combine,
            "rules": [{"id": f"r{n}", **rule} for n, rule in enumerate(rules)],
        }
    )


def selling(amount: int, earlier: list[int]) -> SaleFacts:
    """amounts that each of four rules paid before."""
    return replace(
        SALE,
        amount=amount,
        gross=amount,
        lines=(Line("pro", amount, 1),),
        earlier=tuple(Earlier(f"r{n}", AT, paid, "eur") for n in range(4) for paid in earlier),
    )


def paid(ruling: Ruling) -> dict[str, int]:
    return {one.rule_id: one.amount for one in ruling.paid}


@given(st.lists(RULES, min_size=1, max_size=4), WAYS, AMOUNTS, EARLIER)
def test_no_rule_pays_more_than_its_cap(
    rules: list[dict[str, Any]], combine: str, amount: int, earlier: list[int]
) -> None:
    ruling = rule_on(plan_of(rules, combine), selling(amount, earlier))
    for name, reward in paid(ruling).items():
        cap = rules[int(name[1:])].get("cap", {})
        if cap.get("per") == "sale" and "amount" in cap:
            assert reward <= cap["amount"]["amount"]
        if "percent_of_bill_bps" in cap:
            assert reward <= share_bps(amount, cap["percent_of_bill_bps"])
        if cap.get("per") == "customer" and "amount" in cap:
            assert reward == 0 or sum(earlier) + reward <= cap["amount"]["amount"]
        if "count" in cap:
            assert reward == 0 or len(earlier) < cap["count"]


@given(st.lists(RULES, min_size=1, max_size=4), WAYS, AMOUNTS, AMOUNTS, EARLIER)
def test_more_sale_is_never_less_award(
    rules: list[dict[str, Any]], combine: str, one: int, other: int, earlier: list[int]
) -> None:
    """Rules without a match or condition are monotone, whatever they pay and however capped."""
    plan = plan_of(rules, combine)
    less, more = (
        sum(paid(rule_on(plan, selling(amount, earlier))).values())
        for amount in sorted((one, other))
    )
    assert less <= more


@given(st.lists(RULES, min_size=1, max_size=4), AMOUNTS, EARLIER)
def test_best_pays_what_the_best_rule_alone_would(
    rules: list[dict[str, Any]], amount: int, earlier: list[int]
) -> None:
    facts = selling(amount, earlier)
    each = paid(rule_on(plan_of(rules, "sum"), facts))
    best = paid(rule_on(plan_of(rules, "best"), facts))
    rivals = [each[f"r{n}"] for n, rule in enumerate(rules) if not rule.get("adds", False)]
    adding = [each[f"r{n}"] for n, rule in enumerate(rules) if rule.get("adds", False)]
    assert sum(best.values()) == max(rivals, default=0) + sum(adding)


@given(st.lists(RULES, min_size=1, max_size=4), AMOUNTS, EARLIER)
def test_a_sum_is_of_each_rule_alone(
    rules: list[dict[str, Any]], amount: int, earlier: list[int]
) -> None:
    facts = selling(amount, earlier)
    alone = 0
    for n, rule in enumerate(rules):
        plan = plan_of([{"pay": {"percent_bps": 0}, "match": {"kind": "lead"}}] * n + [rule], "sum")
        alone += sum(paid(rule_on(plan, facts)).values())
    assert sum(paid(rule_on(plan_of(rules, "sum"), facts)).values()) == alone


@given(st.lists(RULES, min_size=1, max_size=4), WAYS, AMOUNTS)
def test_every_rule_that_was_tried_is_told_in_order(
    rules: list[dict[str, Any]], combine: str, amount: int
) -> None:
    ruling = rule_on(plan_of(rules, combine), selling(amount, []))
    told = list(dict.fromkeys(str(r.params["rule"]) for r in ruling.reasons if "rule" in r.params))
    assert told == sorted(told)
    adding = {f"r{n}" for n, rule in enumerate(rules) if rule.get("adds", False)}
    tried = {f"r{n}" for n in range(len(rules))}
    if combine == "first_match":
        # Without a match or condition the first one that does not add decides.
        tried = adding | set(sorted(tried - adding)[:1])
    assert set(told) == tried
    assert {one.rule_id for one in ruling.paid} <= tried
