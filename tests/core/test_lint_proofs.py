"""What the lint proves holds: a rule that it calls dead pays for no sale at all."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from app.core.commission import rule_on
from app.core.conversions import ConversionKind
from app.core.events import Line
from app.core.lint import linted
from app.core.lint_findings import Finding
from app.core.lint_proofs import Proofs
from app.core.lint_space import KNOWN_MATCH, KNOWN_PAY, NARROWING
from app.core.lint_sums import Sums
from app.core.matches import Match
from app.core.money import share_bps
from app.core.pays import Pay, Percent
from app.core.plans import Plan, parse
from app.core.qualification import Qualification
from app.core.sale_facts import SaleFacts
from tests.core.examples import dear
from tests.core.made_sales import AT, SALE

DEAD = frozenset(
    {
        "never_matches",
        "never_pays",
        "shadowed",
        "stopped",
        "never_best",
        "cap_pays_nothing",
        "pays_nothing",
    }
)
_CURRENCY = st.sampled_from(["eur", "usd"])
_MONEY = st.builds(
    lambda amount, currency: {"amount": amount, "currency": currency},
    st.sampled_from([0, 1, 100, 5_000]),
    _CURRENCY,
)
_RATE = st.sampled_from([0, 1, 1_000, 6_000])
_TERM: dict[str, Any] = {"months": st.sampled_from([1, 2]), "payments": st.sampled_from([1, 2])}
_PAY = st.one_of(
    st.fixed_dictionaries({"percent_bps": _RATE}, optional=_TERM),
    st.fixed_dictionaries({"flat": _MONEY}, optional=_TERM),
    st.fixed_dictionaries({"percent_bps": _RATE, "per": st.just("line")}),
    st.fixed_dictionaries({"flat": _MONEY, "per": st.sampled_from(["line", "unit"])}),
)
_BANDS = st.one_of(
    st.builds(
        lambda start, rate: {
            "by": "sales",
            "period": "month",
            "mode": "graduated",
            "steps": [{"from": start, "percent_bps": rate}],
        },
        st.integers(1, 2),
        _RATE,
    ),
    st.builds(
        lambda start, flat: {
            "by": "revenue",
            "period": "month",
            "mode": "graduated",
            "steps": [{"from": start, "flat": flat}],
        },
        _MONEY,
        _MONEY,
    ),
)
_PAY = st.one_of(_PAY, st.fixed_dictionaries({"bands": _BANDS}, optional=_TERM))
_REACHES = st.one_of(
    st.just({"sales": 1, "period": "month"}),
    st.just({"leads": 1, "period": "month"}),
    st.builds(lambda c: {"revenue": {"amount": 50, "currency": c}, "period": "month"}, _CURRENCY),
)
_CAP = st.one_of(
    st.fixed_dictionaries({"per": st.just("partner"), "amount": _MONEY}),
    st.fixed_dictionaries({"per": st.just("sale"), "amount": _MONEY}),
    st.fixed_dictionaries({"per": st.just("sale"), "percent_of_bill_bps": st.sampled_from([0, 9])}),
    st.fixed_dictionaries({"per": st.just("customer"), "amount": _MONEY}),
)


def _some(*words: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True)


_MATCH = st.fixed_dictionaries(
    {},
    optional={
        "kind": _some("lead", "sale", "renewal"),
        "product_ids": _some("pro", "seat", "box"),
        "countries": _some("DE", "US"),
        "tiers": _some("gold", "silver"),
        "new": st.booleans(),
        "nth": st.integers(1, 3),
        "min_amount": _MONEY,
        "reaches": _REACHES,
    },
)
_RULE = st.fixed_dictionaries(
    {"pay": _PAY},
    optional={
        "match": _MATCH,
        "cap": _CAP,
        "adds": st.just(True),
        "when": st.sampled_from(["sale.amount > 50", "true", "1 > 2"]),
    },
)


@st.composite
def plans(draw: st.DrawFn, combines: Sequence[str] = ("first_match", "best", "sum")) -> Plan:
    found = draw(st.lists(_RULE, min_size=1, max_size=5))
    gates = draw(st.sampled_from([{}, {}, {"gates": {"tiers": ["gold", "iron"]}}]))
    document = {
        "hold_days": 1,
        "attribution": {"model": "last_click", "window_days": 30},
        "combine": draw(st.sampled_from(combines)),
        "rules": [{"id": f"r{i}", **rule} for i, rule in enumerate(found)],
        **gates,
    }
    return parse(document)


_LINES = st.lists(
    st.builds(
        Line,
        st.sampled_from(["pro", "seat", "box", "hat"]),
        st.sampled_from([-100, 0, 99, 5_000]),
        st.integers(0, 3),
    ),
    max_size=3,
)
_ONE_PAID_LINE = st.tuples(
    st.builds(
        Line,
        st.sampled_from(["pro", "seat", "box", "hat", ""]),
        st.sampled_from([1, 99, 5_000, 9_999]),
        st.integers(0, 3),
    )
)


@st.composite
def sales(
    draw: st.DrawFn,
    plan: Plan,
    kinds: Sequence[ConversionKind] = ("lead", "sale", "renewal"),
    made_of: st.SearchStrategy[Sequence[Line]] = _LINES,
) -> SaleFacts:
    """Any that can come of a fold: what it says of itself fits together."""
    country = draw(st.sampled_from(["DE", "US", "AT", ""]))
    tier = draw(st.sampled_from(plan.gates.tiers or ("gold", "silver", "iron", "")))
    kind = draw(st.sampled_from(kinds))
    earlier = draw(st.integers(1 if kind == "renewal" else 0, 3))
    months = draw(st.integers(0, 3)) if earlier else 0
    same = earlier if kind == "lead" else draw(st.sampled_from(sorted({0, earlier})))
    if kind == "renewal":
        same = draw(st.integers(1, earlier))
    facts = replace(
        SALE,
        kind=kind,
        customer_country=country,
        customer_sales=earlier,
        new=kind != "lead" and earlier == 0,
        partner=Qualification(tier),
        payment=1 + same,
        recurring_since=AT - timedelta(days=31 * months) if same else AT,
    )
    if kind == "lead":
        return replace(facts, currency="", amount=0, gross=0, product_ids=(), lines=())
    lines = tuple(draw(made_of))
    amount = sum(line.amount for line in lines) if lines else draw(st.sampled_from([1, 100, 9_999]))
    return replace(
        facts,
        currency=draw(st.sampled_from(["eur", "usd", "jpy"])),
        amount=amount,
        gross=max(amount, 1),
        product_ids=tuple(dict.fromkeys(line.product_id for line in lines)),
        lines=lines or (Line("", amount, 1),),
    )


@given(st.data())
@dear(150)
def test_a_dead_rule_never_pays(data: st.DataObject) -> None:
    plan = data.draw(plans())
    dead = _dead(linted(plan))
    assume(dead)
    for _ in range(4):
        ruling = rule_on(plan, data.draw(sales(plan)))
        paid = {one.rule_id for one in ruling.paid if one.amount > 0}
        assert not paid & dead.keys(), (paid, dead)
    for code in dead.values():
        event(code)


@given(st.data())
@dear(100)
def test_no_sale_pays_more_than_was_reckoned(data: st.DataObject) -> None:
    """Percentages of a sale come to no more of it than the lint says, each line for itself."""
    plan = data.draw(plans())
    facts = data.draw(sales(plan, ("sale", "renewal"), _ONE_PAID_LINE))
    rates = {r.id: r.pay.how.rate_bps for r in plan.rules if isinstance(r.pay.how, Percent)}
    paid = [one for one in rule_on(plan, facts).paid if one.rule_id in rates]
    found = Sums(Proofs(plan)).together(0)
    most = found.total_bps if found else 0
    assert sum(one.amount for one in paid) <= share_bps(facts.amount, most) + len(paid)


@given(st.data())
@dear(100)
def test_rules_that_pay_together_were_told(data: st.DataObject) -> None:
    plan = data.draw(plans(("sum",)))
    ruling = rule_on(plan, data.draw(sales(plan)))
    paid = [int(one.rule_id[1:]) for one in ruling.paid if one.amount > 0]
    for one in paid:
        for other in paid:
            assert one == other or Proofs(plan).meet(one, other) is not None


def test_every_word_of_a_match_is_cut_or_known_to_narrow() -> None:
    """A new word belongs into `lint_space`: as a dimension, or as one by which nothing is proved.

    Until it is there, a rule that uses it goes first for no other one.
    """
    assert {field.name for field in fields(Match)} == KNOWN_MATCH | NARROWING
    assert {field.name for field in fields(Pay)} == KNOWN_PAY


def _dead(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {
        f"r{finding.place.split('/')[2]}": finding.code
        for finding in findings
        if finding.code in DEAD
        or (finding.code == "condition_constant" and "never" in finding.problem)
    }
