"""The same sale told by two sources: equal amount and customer, at most a day apart."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.core.conversions import Conversion

WITHIN: Final = timedelta(days=1)


@dataclass(slots=True)
class _First:
    """A sale that others may be told of again. taken: sources that have told of it."""

    conversion: Conversion
    taken: set[str] = field(default_factory=set)


def suspected(conversions: Sequence[Conversion], *, void: AbstractSet[UUID]) -> dict[UUID, UUID]:
    """The later of each pair, with the earlier one. conversions: a customer's, in deciding order.

    void: those of which a person has said that they are others told again. Nothing tells them.

    Each source may tell of a sale once, so that of two equal sales that two sources tell alike
    two are suspected, and of two that one source tells none.
    """
    found: dict[UUID, UUID] = {}
    if len({conversion.source for conversion in conversions}) < 2:
        return found
    firsts: list[_First] = []
    for conversion in conversions:
        if not conversion.gross:
            continue
        firsts = [one for one in firsts if _is_near(conversion, one)]
        first = next((one for one in firsts if _may_be(conversion, one)), None)
        if first is None:
            if conversion.id not in void:
                firsts.append(_First(conversion, {conversion.source}))
        else:
            first.taken.add(conversion.source)
            found[conversion.id] = first.conversion.id
    return found


def _may_be(conversion: Conversion, first: _First) -> bool:
    earlier = first.conversion
    return (
        conversion.source not in first.taken
        and conversion.gross == earlier.gross
        and conversion.currency == earlier.currency
    )


def _is_near(conversion: Conversion, first: _First) -> bool:
    return conversion.occurred_at - first.conversion.occurred_at <= WITHIN
