"""What a plan may not say of anything but its rules."""

from typing import Any

from tests.core.documents import plan_of, rule

HALVES = {"first": 5_000, "middle": 0, "last": 5_000}


def by(model: str, **terms: Any) -> dict[str, Any]:
    return plan_of(attribution={"model": model, "window_days": 1, **terms})


REFUSED_HEADS: list[tuple[str, dict[str, Any], str]] = [
    # Whole document.
    ("hold_days", plan_of(hold_days=True), "true or false"),
    ("hold_days", plan_of(hold_days=30.0), "fraction"),
    ("hold_days", plan_of(hold_days="30"), "text"),
    ("hold_days", plan_of(hold_days=None), "null"),
    ("hold_days", plan_of(hold_days=-1), "out of range"),
    ("hold_days", plan_of(hold_days=3_651), "out of range"),
    ("late_days", plan_of(late_days=366), "out of range"),
    ("late_days", plan_of(late_days=-1), "out of range"),
    ("late_days", plan_of(late_days=None), "null"),
    ("attribution", plan_of(attribution="last_click"), "must be an object"),
    ("attribution/model", plan_of(attribution={"model": "last", "window_days": 1}), "known words"),
    ("attribution/model", plan_of(attribution={"window_days": 1}), "missing"),
    ("attribution/window_days", plan_of(attribution={"model": "last_click"}), "missing"),
    (
        "attribution/window_days",
        plan_of(attribution={"model": "last_click", "window_days": 3_651}),
        "out of range",
    ),
    (
        "attribution/half_life",
        plan_of(attribution={"model": "last_click", "window_days": 1, "half_life": 7}),
        "not known",
    ),
    ("attribution/half_life_days", by("time_decay"), "missing"),
    ("attribution/half_life_days", by("time_decay", half_life_days=0), "out of range"),
    ("attribution/half_life_days", by("linear", half_life_days=7), "nothing to linear"),
    ("attribution/weights_bps", by("linear", weights_bps=HALVES), "nothing to linear"),
    (
        "attribution/weights_bps/middle",
        by("position_based", weights_bps={**HALVES, "middle": -1}),
        "out of range",
    ),
    (
        "attribution/weights_bps/last",
        by("position_based", weights_bps={"first": 1, "middle": 2}),
        "missing",
    ),
    (
        "attribution/weights_bps",
        by("position_based", weights_bps={**HALVES, "middle": 1}),
        "sums to 10001",
    ),
    (
        "attribution/weights_bps",
        by("position_based", weights_bps={"first": 0, "middle": 10_000, "last": 0}),
        "two touches nothing",
    ),
    ("attribution/min_share_bps", by("first_click", min_share_bps=100), "nothing to first_click"),
    ("attribution/min_share_bps", by("linear", min_share_bps=10_001), "out of range"),
    ("attribution/windows/email", by("linear", windows={"email": 3}), "not known"),
    ("attribution/windows/code", by("linear", windows={"code": 3_651}), "out of range"),
    ("combine", plan_of(combine="all"), "known words"),
    ("binding/months", plan_of(binding={"months": 0}), "out of range"),
    ("binding/ends", plan_of(binding={"ends": []}), "0 elements"),
    ("binding/ends/0", plan_of(binding={"ends": ["boredom"]}), "known words"),
    ("binding/years", plan_of(binding={"years": 1}), "not known"),
    ("currency", plan_of(currency="eur"), "not known"),
    ("a~1b~0", plan_of(**{"a/b~": 1}), "not known"),
    ("rules", plan_of(rules={"id": "x"}), "must be a list"),
    ("rules", plan_of(rules=[rule()] * 101), "101 elements"),
    # Gates.
    ("gates", plan_of(rule(), gates=None), "null"),
    ("gates/rank", plan_of(rule(), gates={"rank": 1}), "not known"),
    ("gates/certified", plan_of(rule(), gates={"certified": False}), "asks for nothing"),
    ("gates/agreement", plan_of(rule(), gates={"agreement": "v2"}), "true or false"),
    ("gates/tiers", plan_of(rule(), gates={"tiers": []}), "0 elements"),
    ("gates/tiers/0", plan_of(rule(), gates={"tiers": [7]}), "must be text"),
]
