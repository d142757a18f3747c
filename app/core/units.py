"""What an amount is counted in: a currency for cash, else a form and what it is of.

`eur` is cash; `credit:eur` and `discount:eur` are money that only buys; `free_months`, `gift:mug`
and `feature:sso` are pieces. Each has accounts of its own, so nothing turns into cash by mistake.
"""

from functools import lru_cache
from typing import Final, Literal

from app.core.records import record

Form = Literal["cash", "credit", "discount", "free_months", "gift", "feature"]
FORMS: Final[tuple[Form, ...]] = (
    "cash",
    "credit",
    "discount",
    "free_months",
    "gift",
    "feature",
)
PIECES: Final = frozenset({"free_months", "gift", "feature"})
"""Forms that are counted one by one; the others are money, in minor units."""


@record
class Unit:
    """currency: of money, ISO 4217. item: of a gift or feature, the plan's own id of it."""

    form: Form
    currency: str | None = None
    item: str | None = None


def unit_of(form: Form, of: str = "") -> str:
    """of: the currency of money, the item of a gift or feature."""
    if form == "cash":
        return of
    return f"{form}:{of}" if of else form


@lru_cache(maxsize=10_000)
def read_unit(unit: str) -> Unit:
    """What `unit_of` wrote."""
    word, _, of = unit.partition(":")
    for form in FORMS:
        if form == word:
            return Unit(form, item=of or None) if form in PIECES else Unit(form, currency=of)
    return Unit("cash", currency=unit)


def currency_of(unit: str) -> str:
    """In what money is reckoned, whatever its form; pieces reckon in themselves."""
    return read_unit(unit).currency or unit
