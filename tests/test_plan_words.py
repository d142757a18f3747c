"""Every word of the plan language has words for people, and says so when it is changed."""

from dataclasses import fields
from typing import Any, get_args

import pytest

from app.core import attribution_terms, bands, binding_terms, gates, matches, pays, plans, rewards
from app.core.conditions import FACTS
from app.core.periods import PERIODS
from app.core.plans import parse
from app.core.rules import Rule
from app.core.units import FORMS
from app.plan_words.conditions import FACT_WORDS
from app.plan_words.plans import told

EUR = {"amount": 500, "currency": "eur"}
USD = {"amount": 500, "currency": "usd"}
TEN = {"percent_bps": 1_000}
FLAT = {"flat": EUR}


def of(rule: dict[str, Any], **plan: Any) -> dict[str, Any]:
    return {
        "hold_days": 30,
        "attribution": {"model": "last_click", "window_days": 30},
        "combine": "first_match",
        "rules": [{"id": "a", "pay": TEN, **rule}, {"id": "b", "pay": {"percent_bps": 1}}],
        **plan,
    }


def match(**words: Any) -> dict[str, Any]:
    return of({"match": words})


def pay(**words: Any) -> dict[str, Any]:
    return of({"pay": words})


def capped(**words: Any) -> dict[str, Any]:
    return of({"cap": words})


def banded(
    start: Any = 1,
    by: str = "sales",
    period: str = "year",
    mode: str = "graduated",
    **rate: Any,
) -> dict[str, Any]:
    steps = [{"from": start, **(rate or {"percent_bps": 9})}]
    return pay(bands={"by": by, "period": period, "mode": mode, "steps": steps})


def attributed(model: str = "linear", **words: Any) -> dict[str, Any]:
    return of({}, attribution={"model": model, "window_days": 30, **words})


PIECES = {"to": "customer", "as": "gift", "item": "mug", "quantity": 1}
ALIKE: dict[str, list[tuple[str, list[dict[str, Any]]]]] = {
    # A type: its fields, each with documents that differ in nothing else.
    "Match": [
        ("kinds", [match(), match(kind="lead"), match(kind="sale"), match(kind="renewal")]),
        ("product_ids", [match(), match(product_ids=["a"]), match(product_ids=["a", "b"])]),
        ("countries", [match(), match(countries=["DE"]), match(countries=["DE", "US"])]),
        ("tiers", [match(), match(tiers=["gold"]), match(tiers=["gold", "iron"])]),
        ("new", [match(), match(new=True), match(new=False)]),
        ("nth", [match(), match(nth=1), match(nth=2), match(nth=3), match(nth=11)]),
        ("min_amount", [match(), match(min_amount=EUR), match(min_amount=USD)]),
        (
            "reaches",
            [
                match(),
                match(reaches={"sales": 3, "period": "month"}),
                match(reaches={"sales": 3, "period": "life"}),
                match(reaches={"sales": 4, "period": "month"}),
                match(reaches={"revenue": EUR, "period": "month"}),
                match(reaches={"leads": 3, "period": "month"}),
            ],
        ),
    ],
    "Pay": [
        ("how", [pay(**TEN), pay(percent_bps=1_050), pay(**FLAT), pay(flat=USD), banded()]),
        ("per", [pay(**FLAT), pay(**FLAT, per="line"), pay(**FLAT, per="unit")]),
        ("months", [pay(**TEN), pay(**TEN, months=1), pay(**TEN, months=12)]),
        ("payments", [pay(**TEN), pay(**TEN, payments=1), pay(**TEN, payments=2, months=1)]),
        ("reward", [pay(**TEN), pay(**TEN, to="customer", **{"as": "credit"})]),
    ],
    "Reward": [
        ("to", [pay(**TEN, to=to) for to in rewards.RECIPIENTS]),
        ("level", [pay(**TEN, to="recruiter", level=level) for level in (1, 2)]),
        (
            "form",
            [
                *[pay(**TEN, to="customer", **{"as": form}) for form in ("credit", "discount")],
                pay(to="customer", quantity=1, **{"as": "free_months"}),
                pay(**PIECES),
                pay(**{**PIECES, "as": "feature"}),
            ],
        ),
        ("of", [pay(**TEN, to="recruiter", of=of_) for of_ in rewards.OFS]),
        ("item", [pay(**PIECES), pay(**{**PIECES, "item": "cup"})]),
    ],
    "Pieces": [
        ("quantity", [pay(**PIECES), pay(**{**PIECES, "quantity": 2})]),
        ("unit", [pay(**PIECES), pay(**{**PIECES, "as": "feature"})]),
    ],
    "Bands": [
        ("by", [banded(), banded(EUR, by="revenue")]),
        ("period", [banded(period=period) for period in PERIODS]),
        ("currency", [banded(EUR, by="revenue"), banded(USD, by="revenue")]),
        ("steps", [banded(1), banded(2), banded(1, percent_bps=10)]),
        ("mode", [banded(mode=mode) for mode in bands.MODES]),
    ],
    "Step": [
        ("start", [banded(1), banded(2)]),
        ("rate_bps", [banded(percent_bps=1), banded(percent_bps=2)]),
        ("flat", [banded(flat=EUR), banded(flat=USD)]),
    ],
    "Reaches": [
        ("revenue", [match(reaches={"revenue": m, "period": "life"}) for m in (EUR, USD)]),
        ("sales", [match(reaches={"sales": n, "period": "life"}) for n in (1, 2)]),
        ("leads", [match(reaches={"leads": n, "period": "life"}) for n in (1, 2)]),
        ("period", [match(reaches={"sales": 2, "period": p}) for p in PERIODS]),
    ],
    "SaleCap": [
        ("amount", [capped(per="sale", amount=EUR), capped(per="sale", amount=USD)]),
        (
            "percent_of_bill_bps",
            [
                capped(per="sale", percent_of_bill_bps=5),
                capped(per="sale", percent_of_bill_bps=5, amount=EUR),
            ],
        ),
    ],
    **{
        name: [
            ("amount", [capped(per=per, amount=EUR), capped(per=per, amount=USD)]),
            ("count", [capped(per=per, count=1), capped(per=per, count=2)]),
            ("period", [capped(per=per, count=1, period=p) for p in PERIODS]),
        ]
        for name, per in (("CustomerCap", "customer"), ("PartnerCap", "partner"))
    },
    "Rule": [
        ("match", [match(), match(new=True)]),
        ("when", [of({}), of({"when": "sale.payment > 3"}), of({"when": "sale.payment > 4"})]),
        ("pay", [pay(**TEN), pay(**FLAT)]),
        ("cap", [of({}), capped(per="sale", amount=EUR), capped(per="customer", amount=EUR)]),
        ("adds", [of({}), of({"adds": True})]),
    ],
    "AttributionTerms": [
        ("model", [attributed(m) for m in attribution_terms.MODELS if m != "time_decay"]),
        ("window_days", [attributed(), attributed(window_days=1)]),
        (
            "windows",
            [attributed(), *[attributed(windows={k: 9}) for k in attribution_terms.KINDS]],
        ),
        (
            "weights_bps",
            [
                attributed("position_based"),
                attributed(
                    "position_based", weights_bps={"first": 5_000, "middle": 2_000, "last": 3_000}
                ),
            ],
        ),
        ("half_life_days", [attributed("time_decay", half_life_days=days) for days in (1, 7)]),
        ("min_share_bps", [attributed(), attributed(min_share_bps=500)]),
    ],
    "BindingTerms": [
        ("months", [of({}), *[of({}, binding={"months": months}) for months in (1, 12)]]),
        ("ends", [of({}), of({}, binding={"ends": ["suspended"]})]),
    ],
    "Gates": [
        ("certified", [of({}), of({}, gates={"certified": True})]),
        ("tiers", [of({}), of({}, gates={"tiers": ["a"]}), of({}, gates={"tiers": ["a", "b"]})]),
        ("agreement", [of({}), of({}, gates={"agreement": True})]),
    ],
    "Plan": [
        ("hold_days", [of({}), of({}, hold_days=0), of({}, hold_days=1)]),
        ("late_days", [of({}), of({}, late_days=0), of({}, late_days=2)]),
        ("attribution", [of({}), attributed()]),
        ("binding", [of({}), of({}, binding={"months": 3})]),
        ("combine", [of({}, combine=c) for c in get_args(plans.Combine)]),
        ("rules", [of({}), of({}, rules=[])]),
        ("gates", [of({}), of({}, gates={"certified": True})]),
    ],
}
SILENT = {
    "Rule": {"id"},  # Names a line for programs, not for people.
    "Reward": {"cost"},  # What it costs the company is not its partners' business.
    # Worked out of the others.
    "Plan": {"uses", "groups", "asks", "caps_customers"},
}
TYPES = (
    matches.Match, pays.Pay, pays.SaleCap, pays.CustomerCap, pays.PartnerCap, rewards.Reward,
    rewards.Pieces, bands.Bands, bands.Step, bands.Reaches, Rule, plans.Plan, gates.Gates,
    attribution_terms.AttributionTerms, binding_terms.BindingTerms,
)  # fmt: skip


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.__name__)
def test_every_field_has_words(type_: type) -> None:
    """A new word of the language fails here until it can be read by people."""
    name = type_.__name__
    known = {field for field, _ in ALIKE[name]} | SILENT.get(name, set())
    assert {field.name for field in fields(type_)} == known


@pytest.mark.parametrize(
    ("documents", "name"),
    [
        pytest.param(documents, f"{type_}.{field}", id=f"{type_}.{field}")
        for type_, words in ALIKE.items()
        for field, documents in words
    ],
)
def test_what_differs_reads_differently(documents: list[dict[str, Any]], name: str) -> None:
    read = [str(told(parse(document))) for document in documents]
    assert len(set(read)) == len(documents) >= 2, (name, read)


def test_every_fact_has_words() -> None:
    assert FACT_WORDS.keys() == FACTS.keys()


def test_all_unions_are_tried() -> None:
    """What a rule pays, and as what."""
    assert {type_.__name__ for type_ in get_args(pays.Pay.__annotations__["how"])} == {
        "Percent", "Flat", "Pieces", "Bands",
    }  # fmt: skip
    assert {type_.__name__ for type_ in get_args(pays.Cap)} == {
        "SaleCap", "CustomerCap", "PartnerCap",
    }  # fmt: skip
    assert set(FORMS) == {"cash", "credit", "discount", "free_months", "gift", "feature"}


WORDS = {
    "You earn 12.5 % of each sale (renewals of subscriptions too).": pay(percent_bps=1_250),
    "You earn 5.00 EUR for each lead.": of({"match": {"kind": "lead"}, "pay": FLAT}),
    "You earn 500 JPY for each unit (such as a seat) in each sale (renewals of subscriptions too)"
    ".": pay(flat={"amount": 500, "currency": "jpy"}, per="unit"),
    "You earn 0.500 KWD for each sale (not a renewal).": of(
        {"match": {"kind": "sale"}, "pay": {"flat": {"amount": 500, "currency": "kwd"}}}
    ),
    "You earn 10 % of each sale (renewals of subscriptions too), if the customer's country is `DE`"
    " or `AT` and the number of the payment is more than 3.": of(
        {"when": "customer.country in ['DE', 'AT'] && sale.payment > 3"}
    ),
    "You earn 10 % of each sale (renewals of subscriptions too), if this condition holds:"
    " `sale.new || sale.payment > 3`.": of({"when": "sale.new || sale.payment > 3"}),
    "You earn 10 % of each sale (renewals of subscriptions too), if you hold no valid certificate"
    ".": of({"when": "!partner.certified"}),
    "Whoever recruited you earns 5 % of what you earn on each sale (renewals of subscriptions too)"
    ".": pay(percent_bps=500, to="recruiter", of="commission"),
    "The customer gets 2 free months for each sale (renewals of subscriptions too), at most for 12"
    " sales for one customer in a calendar year.": of(
        {
            "pay": {"to": "customer", "as": "free_months", "quantity": 2},
            "cap": {"per": "customer", "count": 12, "period": "year"},
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", WORDS)
def test_a_rule_reads_like_this(sentence: str) -> None:
    assert told(parse(WORDS[sentence])).rules[0][1] == sentence


@pytest.mark.parametrize(
    "when",
    [
        "sale.source == 'a && b' && sale.new",
        "sale.source == 'x\\'y'",
        "(sale.payment > 3)",
        "sale.payment > 3 ? sale.new : true",
        "size(sale.product_ids) > 1",
        "sale.payment + 1 > 3",
        "3 < sale.payment",
    ],
)
def test_a_condition_that_is_no_plain_comparison_is_shown_as_it_is(when: str) -> None:
    assert f"`{when}`" in told(parse(of({"when": when}))).rules[0][1]
