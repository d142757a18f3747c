"""Reads a document from outside strictly: all that is wrong is found at once, nothing is guessed.

A value that is refused, or missing, reads as a neutral one (0, "", no elements), so that reading
can go on; the caller raises at the end if there was any problem.
"""

from collections.abc import Collection, Mapping
from typing import Final

from app.core.currencies import EXPONENTS
from app.core.money import MAX_AMOUNT, Money
from app.core.records import record

_ABSENT: Final = object()


@record
class PlanProblem:
    """One thing wrong in a document. place: `rules/0/pay/percent_bps`, empty for the whole."""

    place: str
    problem: str
    remedy: str


@record
class Node:
    """One value of a document and where it stands. problems: shared by all nodes of a document."""

    value: object
    place: str
    problems: list[PlanProblem]

    @property
    def absent(self) -> bool:
        return self.value is _ABSENT

    def refuse(self, problem: str, remedy: str) -> None:
        self.problems.append(PlanProblem(self.place, problem, remedy))

    def fields(
        self,
        required: Collection[str],
        optional: Collection[str] = (),
        *,
        later: Collection[str] = (),
    ) -> "Fields":
        """The fields of an object; those unknown, missing or not available yet are refused.

        later: names that are part of the language but that this version can't work out.
        """
        known = [*required, *optional]
        if self.absent:
            return Fields({}, self)
        if not isinstance(self.value, Mapping):
            self._refuse_type("an object", f"Give an object with {_listed(known)}.")
            return Fields({}, self)
        for name in self.value:
            if name in later:
                self.child(name).refuse("is not available yet", "Leave it out.")
            elif name not in known:
                self.child(name).refuse("is not known", f"Leave it out; known: {_listed(known)}.")
        for name in required:
            if name not in self.value:
                self.child(name).refuse("is missing", "Add it.")
        return Fields(self.value, self)

    def child(self, name: object, value: object = _ABSENT) -> "Node":
        """name: a field's name as the sender wrote it, or an element's index."""
        readable = str(name)[:64].encode(errors="replace").decode()
        step = readable.replace("~", "~0").replace("/", "~1")
        return Node(value, f"{self.place}/{step}" if self.place else step, self.problems)

    def elements(self, *, least: int, most: int) -> "tuple[Node, ...]":
        if self.absent:
            return ()
        if not isinstance(self.value, list | tuple):
            self._refuse_type("a list", "Give a list.")
            return ()
        if not least <= len(self.value) <= most:
            self.refuse(f"has {len(self.value)} elements", f"Give {least} to {most}.")
            return ()
        return tuple(self.child(i, value) for i, value in enumerate(self.value))

    def integer(self, low: int, high: int, *, default: int = 0) -> int:
        """Neither true, 1.0 nor "1" is a whole number."""
        if self.absent:
            return default
        remedy = f"Give a whole number from {low} to {high}."
        if type(self.value) is not int:
            self._refuse_type("a whole number", remedy)
        elif not low <= self.value <= high:
            self.refuse("is out of range", remedy)
        else:
            return self.value
        return default

    def flag(self) -> bool:
        if self.absent:
            return False
        if not isinstance(self.value, bool):
            self._refuse_type("true or false", "Give true or false.")
            return False
        return self.value

    def text(self, most: int) -> str:
        """most: in characters. Empty text, NUL and halves of a surrogate pair are refused."""
        if self.absent:
            return ""
        if not isinstance(self.value, str):
            self._refuse_type("text", f"Give text of 1 to {most} characters.")
        elif not 1 <= len(self.value) <= most:
            remedy = f"Give 1 to {most} characters."
            self.refuse(f"has {len(self.value)} characters", remedy)
        elif any(char == "\0" or "\ud800" <= char <= "\udfff" for char in self.value):
            self.refuse("has characters that can't be stored", "Leave out NUL and lone surrogates.")
        else:
            return self.value
        return ""

    def choice(
        self, options: Collection[str], *, later: Collection[str] = (), default: str = ""
    ) -> str:
        """One of the options. later: words of the language that this version can't work out."""
        if self.absent:
            return default
        remedy = f"Give {_listed(options, 'or')}."
        if not isinstance(self.value, str):
            self._refuse_type("text", remedy)
        elif self.value in later:
            self.refuse(f"{self.value} is not available yet", remedy)
        elif self.value not in options:
            self.refuse("is not one of the known words", remedy)
        else:
            return self.value
        return default

    def _refuse_type(self, wanted: str, remedy: str) -> None:
        self.refuse(f"must be {wanted}, not {_type_name(self.value)}", remedy)


@record
class Fields:
    """An object's fields by name; a field that is not there is an absent node."""

    values: Mapping[str, object]
    node: Node

    def __getitem__(self, name: str) -> Node:
        return self.node.child(name, self.values.get(name, _ABSENT))


def read_money(node: Node) -> Money:
    """An amount of minor units with its currency; none below 0."""
    fields = node.fields(("amount", "currency"))
    amount, currency = fields["amount"].integer(0, MAX_AMOUNT), fields["currency"].text(3)
    if currency and currency not in EXPONENTS:
        fields["currency"].refuse(
            f"{currency} is no currency code", "Give ISO 4217 in lower case: eur, usd."
        )
    return Money(amount, currency)


def _listed(words: Collection[str], last: str = "and") -> str:
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def _type_name(value: object) -> str:
    """What a reader of JSON calls it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case float():
            return "a number with a fraction or exponent"
        case int():
            return "a whole number"
        case str():
            return "text"
        case Mapping():
            return "an object"
        case _:
            return "a list"
