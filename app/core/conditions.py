"""A rule's `when`: a CEL expression over the facts of one sale, compiled once, bounded in time.

The only module that imports the CEL library. The library refuses unknown names and wrong types,
nests 32 deep at most and iterates 10,000 times at most, but leaves the cost of one step open: text
and lists that double in nested macros, regular expressions that compile for 40 ms each time. So
there is no `map`, `filter`, joining of text or lists, and what an iteration may do is limited.
"""

import re
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NewType

from cel_expr_python import cel

from app.core.condition_tree import Part, parts
from app.core.records import record

MAX_CHARACTERS: Final = 2_000
MAX_PATTERN_CHARACTERS: Final = 100
MAX_PATTERNS: Final = 5
MAX_LOOP_PARTS: Final = 40

Fact = str | int | bool | datetime | list[str] | list[int] | dict[str, int]
Facts = NewType("Facts", object)
"""The facts of one decision, bound once for all its conditions."""

FACTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sale.kind": "string",
        "sale.source": "string",
        "sale.currency": "string",
        "sale.new": "bool",
        "sale.at": "timestamp",
        "sale.amount": "int",
        "sale.gross": "int",
        "sale.quantity": "int",
        "sale.product_ids": "list(string)",
        "sale.product_amounts": "map(string, int)",
        "sale.product_quantities": "map(string, int)",
        "sale.line_amounts": "list(int)",
        "sale.payment": "int",
        "sale.months": "int",
        "customer.country": "string",
        "customer.sales": "int",
        "customer.months": "int",
        "customer.value": "int",
        "partner.country": "string",
        "partner.tier": "string",
        "partner.certified": "bool",
        "partner.agreement": "string",
        "partner.month_sales": "int",
        "partner.month_revenue": "int",
        "partner.quarter_sales": "int",
        "partner.quarter_revenue": "int",
        "partner.year_sales": "int",
        "partner.year_revenue": "int",
        "partner.life_sales": "int",
        "partner.life_revenue": "int",
        "partner.enrolled_days": "int",
        "program.days": "int",
        "touch.kind": "string",
        "touch.code": "string",
        "touch.at": "timestamp",
    }
)
"""Every name that a condition may use, with its CEL type. Names are added, none is renamed."""
OF_LINES: Final = frozenset(
    {"sale.product_amounts", "sale.product_quantities", "sale.line_amounts"}
)
OF_QUALIFICATION: Final = frozenset({"partner.tier", "partner.certified", "partner.agreement"})

_TYPES: Final = {
    "string": cel.Type.STRING,
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "timestamp": cel.Type.TIMESTAMP,
    "list(string)": cel.Type.List(cel.Type.STRING),
    "list(int)": cel.Type.List(cel.Type.INT),
    "map(string, int)": cel.Type.Map(cel.Type.STRING, cel.Type.INT),
}
_STANDARD_LIBRARY: Final = """
stdlib:
  exclude_macros: ["has", "map", "filter"]
  exclude_functions:
    - name: "dyn"
    - name: "_+_"
      overloads: [{id: "add_string"}, {id: "add_bytes"}, {id: "add_list"}]
"""
"""`has` is always true of a fact, and would read as its value; `dyn` switches type checks off."""

_ENV: Final = cel.NewEnv(
    config=cel.NewEnvConfigFromYaml(_STANDARD_LIBRARY),
    variables={name: _TYPES[type_name] for name, type_name in FACTS.items()},
)
_MANY: Final = tuple(name for name, type_name in FACTS.items() if "(" in type_name)
"""Lists and maps: to compare or look through one in each iteration would take too long."""
_TRY_PATTERN: Final = _ENV.compile("sale.kind.matches(sale.source)")
_REMEDY: Final = (
    "Write a CEL expression that is true or false, over "
    + ", ".join(FACTS)
    + ". To iterate: all, exists, exists_one. Text and lists can't be joined."
)


class ConditionError(ValueError):
    """A condition that is refused when it is saved. args: the problem and its remedy."""

    def __init__(self, problem: str, remedy: str = _REMEDY) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy


@record
class Condition:
    """source: as its author wrote it; two conditions with the same source are equal.

    uses: the facts that it names.
    """

    source: str
    uses: frozenset[str] = field(compare=False, repr=False)
    program: cel.Expression = field(compare=False, repr=False)


@record
class Failed:
    """The condition could not be worked out on these facts. error: the CEL library's words."""

    error: str


# Plans are read again with each batch of decisions, and reading must not compile anew.
@lru_cache(maxsize=4_096)
def compile_condition(source: str) -> Condition:
    """Raises ConditionError unless the source is a bounded CEL expression of type bool."""
    try:
        program = _ENV.compile(source)
    except RuntimeError as error:
        raise ConditionError(_compiler_words(str(error))) from None
    if program.return_type() != cel.Type.BOOL:
        raise ConditionError(f"gives {program.return_type().name()}, not BOOL")
    tree = list(parts(program.serialize()))
    _check_cost(tree)
    return Condition(source, frozenset(part.name for part in tree) & FACTS.keys(), program)


def bind(facts: Mapping[str, Fact]) -> Facts:
    """facts: a value for each name that is used; integers of 64 bits, datetimes aware."""
    return Facts(_ENV.Activation(facts))


def holds(condition: Condition, facts: Facts) -> bool | Failed:
    """What the condition says of the facts; failing to say it is an outcome, not an exception."""
    try:
        value = condition.program.eval(facts)
    except RuntimeError as error:  # The iteration budget is raised, other failures are values.
        return Failed(str(error)[:200])
    answer = value.value()
    # What failed is a text, and never one of the two.
    return answer if answer is True or answer is False else Failed(str(answer)[:200])


def _check_cost(tree: list[Part]) -> None:
    patterns = [part.last_text for part in tree if part.name == "matches"]
    if len(patterns) > MAX_PATTERNS:
        raise ConditionError(
            f"has {len(patterns)} calls of matches", f"Use {MAX_PATTERNS} at most."
        )
    for pattern in patterns:
        _check_pattern(pattern)
    inside = [part for part in tree if part.loops]
    if any(part.is_loop for part in inside):
        raise ConditionError(
            "has an iteration inside an iteration", "Let all, exists and exists_one stand alone."
        )
    for name in ("matches", *_MANY):
        if any(part.name == name for part in inside):
            raise ConditionError(
                f"uses {name} inside an iteration", f"Keep {name} out of all, exists, exists_one."
            )
    loops = sum(part.is_loop for part in tree)
    weight = sum(not part.is_constant for part in inside)
    if weight > MAX_LOOP_PARTS * loops:
        raise ConditionError(
            f"has {weight} parts inside {loops} iterations",
            f"Shorten what is repeated to {MAX_LOOP_PARTS} parts; compare with `in [..]`.",
        )


def _check_pattern(pattern: str | None) -> None:
    if pattern is None:
        raise ConditionError(
            "matches a pattern that is not a literal text", "Write the pattern out in quotes."
        )
    if len(pattern) > MAX_PATTERN_CHARACTERS or re.search(r"\{|\\[pP]", pattern):
        raise ConditionError(
            "has a pattern that may be slow",
            f"Keep it within {MAX_PATTERN_CHARACTERS} characters, without {{n}} and \\p classes.",
        )
    tried = _TRY_PATTERN.eval(data={"sale.kind": "", "sale.source": pattern})
    if tried.type() != cel.Type.BOOL:
        raise ConditionError(f"has a pattern that is none: {tried.value()}", "Correct the pattern.")


def _compiler_words(message: str) -> str:
    """The first error with its place, out of the library's picture of it."""
    first = re.search(r"ERROR: <input>:(\d+):(\d+): (.*)", message)
    if not first:
        return message[:200]
    line, column, words = first.groups()
    words = words.removesuffix(" (in container '')")[:200]
    return f"{words} (line {line}, column {column})"
