"""Reading a provider's JSON without trust: every field is checked as it is taken, with its place.

Only what we keep is checked; what a provider adds elsewhere disturbs nobody.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

import orjson

from app.core.countries import COUNTRIES
from app.core.currencies import EXPONENTS
from app.core.money import MAX_AMOUNT

MAX_TEXT: Final = 500
AHEAD: Final = timedelta(minutes=5)

_ID: Final = re.compile(r"[!-9;-~]{1,255}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{60}")
_DIGITS: Final = re.compile(r"-?[0-9]{1,20}")
_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_LATEST_S: Final = 253_402_300_799
_ENDS: Final = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
"""The driver takes them for infinity, and can't give that back. The first is Go's zero time."""
_NOT_TEXT: Final = "not-text"


class ShapeError(ValueError):
    """The payload is not as documented. place: path in the payload; problem: our words."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


class Node:
    """A JSON object and the path to it. An absent field and a null one are the same.

    under: what the path begins at. It is put together only for a ShapeError: most are fine.
    """

    __slots__ = ("_path", "_under", "fields")

    def __init__(self, fields: dict[str, object], path: str, under: "Node | None" = None) -> None:
        self.fields = fields
        self._path = path
        self._under = under

    @property
    def path(self) -> str:
        return self._path if self._under is None else self._under.at(self._path)

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) is not None

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, problem: str) -> ShapeError:
        return ShapeError(self.at(name), problem)

    def node(self, name: str) -> "Node":
        """The object under a name; an empty one if there is none."""
        value = self.fields.get(name)
        if value is None:
            return Node({}, name, self)
        if not isinstance(value, dict):
            raise self.wrong(name, "not an object")
        return Node(value, name, self)

    def nodes(self, name: str) -> tuple["Node", ...]:
        """The objects of a list; none if there is no list."""
        value = self.fields.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.wrong(name, "not a list")
        found = [Node(entry, f"{name}[{i}]", self) for i, entry in enumerate(value)]
        for entry in found:
            if not isinstance(entry.fields, dict):
                raise ShapeError(entry.path, "not an object")
        return tuple(found)

    def text(self, name: str) -> str:
        """Text that we keep, or empty."""
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(name, "not text")
        if "\0" in value:
            raise self.wrong(name, "contains a NUL character")
        if len(value) > MAX_TEXT:
            raise self.wrong(name, f"longer than {MAX_TEXT} characters")
        return value

    def text_or_number(self, name: str) -> str:
        """Text, or a whole number as text: an id of one's own, where JSON may be written."""
        value = self.fields.get(name)
        numbered = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if numbered else self.text(name)

    def id(self, name: str) -> str:
        """An object's id, sent as it is or inside the expanded object; empty if there is none."""
        value = self.fields.get(name)
        if isinstance(value, dict):
            return Node(value, name, self).needed_id("id")
        text = self.text(name)
        if text and not _ID.fullmatch(text):
            raise self.wrong(name, "not an id")
        return text

    def needed_id(self, name: str) -> str:
        found = self.id(name)
        if not found:
            raise self.wrong(name, "missing")
        return found

    def flag(self, name: str) -> bool:
        value = self.fields.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "missing" if value is None else "neither true nor false")
        return value

    def whole(self, name: str, *, least: int = 0) -> int | None:
        """An integer between least and 10^13: an amount in the provider's units, or a quantity."""
        value = self.fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "not an integer")
        if not least <= value <= MAX_AMOUNT:
            raise self.wrong(name, f"not between {least} and {MAX_AMOUNT}")
        return value

    def needed_whole(self, name: str) -> int:
        found = self.whole(name)
        if found is None:
            raise self.wrong(name, "missing")
        return found

    def instant(self, name: str) -> datetime | None:
        """A Unix time in seconds."""
        value = self.fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LATEST_S:
            raise self.wrong(name, "not a Unix time in seconds")
        return datetime.fromtimestamp(value, UTC)

    def moment(self, name: str) -> datetime | None:
        """An RFC 3339 time with its offset, in UTC."""
        text = self.text(name)
        if not text:
            return None
        if not _RFC_3339.fullmatch(text):
            raise self.wrong(name, "not an RFC 3339 time")
        try:
            at = datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            at = _ENDS[0]
        if at in _ENDS:
            raise self.wrong(name, "not an RFC 3339 time")
        return at

    def needed_digits(self, name: str, *, least: int = 0) -> int:
        """An integer written as text: an amount of those who distrust JSON's numbers."""
        text = self.text(name)
        if not text:
            raise self.wrong(name, "missing")
        if not _DIGITS.fullmatch(text):
            raise self.wrong(name, "not an integer in text")
        if not least <= int(text) <= MAX_AMOUNT:
            raise self.wrong(name, f"not between {least} and {MAX_AMOUNT}")
        return int(text)

    def number(self, name: str) -> str:
        """An id that is a whole number, sent as one or in digits; empty if there is none."""
        value = self.fields.get(name)
        if value is None:
            return ""
        digits = value if isinstance(value, str) else repr(value)
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
            raise self.wrong(name, "not a whole number")
        return str(int(digits))

    def needed_number(self, name: str) -> str:
        found = self.number(name)
        if not found:
            raise self.wrong(name, "missing")
        return found

    def decimal(self, name: str) -> Fraction | None:
        """A number written as text, `"199.00"`, exactly. A JSON number with a fraction is none."""
        value = self.fields.get(name)
        if value is None:
            return None
        text = repr(value) if type(value) is int else value
        if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
            raise self.wrong(name, "not a decimal number in text")
        return Fraction(text)

    def exact(self, name: str, amount: Fraction, currency: str) -> int:
        """An amount read from a field, zero or more, in the currency's ISO 4217 minor units."""
        minor = amount * 10 ** EXPONENTS[currency]
        if minor.denominator != 1:
            raise self.wrong(name, f"a fraction of the smallest unit of {currency}")
        if not 0 <= minor <= MAX_AMOUNT:
            raise self.wrong(name, f"not between 0 and {MAX_AMOUNT} minor units")
        return int(minor)

    def currency(self, name: str) -> str:
        """An ISO 4217 code, sent in capitals, in lower case as we keep it."""
        text = self.text(name)
        if not text or text != text.upper() or text.lower() not in EXPONENTS:
            raise self.wrong(name, "not a currency that we know" if text else "missing")
        return text.lower()

    def country(self, name: str) -> str:
        """An address's country. Nobody checks what merchants write: else empty."""
        value = self.node(name).fields.get("country")
        code = value.upper() if isinstance(value, str) else ""
        return code if code in COUNTRIES else ""


def root(body: bytes) -> Node:
    """A body's JSON object; ShapeError if it is none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ShapeError("body", "not JSON") from None
    if not isinstance(parsed, dict):
        raise ShapeError("body", "not a JSON object")
    return Node(parsed, "")


def in_time(at: datetime, received_at: datetime, node: Node, name: str) -> datetime:
    """The instant, unless it lies more than five minutes ahead of the receipt."""
    if at > received_at + AHEAD:
        raise node.wrong(name, "more than 5 minutes in the future")
    return at


def click_ids(*metadata: Node, reference: object = None) -> tuple[str, ...]:
    """What came as click ids, checked by nobody yet: a bad token never refuses an event.

    reference: a `client_reference_id`, which may be anything, so it counts only in a token's shape.
    """
    found = [reference] if isinstance(reference, str) and _TOKEN.fullmatch(reference) else []
    for node in metadata:
        value = node.fields.get("click_id")
        if value not in (None, ""):
            found.append(value if isinstance(value, str) else _NOT_TEXT)
    return distinct(found)


def distinct(found: Iterable[str]) -> tuple[str, ...]:
    """Each once, in the order in which they came."""
    return tuple(dict.fromkeys(found))
