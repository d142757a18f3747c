"""Canonical JSON of partners' totals, as decisions and conversions store them."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from app.core.tallies import Kept, Positions, Tallies, TallyKey

Moves = Mapping[TallyKey, tuple[int, int]]
"""Totals before and after a decision."""


def tallies_json(moves: Moves) -> list[list[Any]]:
    """[[program, partner, name, period, currency, before, after]], in the order of their keys."""
    return [[*_key_json(key), *moved] for key, moved in sorted(moves.items())]


def moves_of(stored: Iterable[list[Any]]) -> dict[TallyKey, tuple[int, int]]:
    """What `tallies_json` wrote."""
    return {_key_of(row[:5]): (row[5], row[6]) for row in stored}


def tallies_of(moves: Moves) -> Tallies:
    """The totals that a decision found; others it did not look at."""
    kept: frozenset[Kept] = frozenset((k.program_id, k.name, k.period) for k in moves)
    return Tallies({key: before for key, (before, _) in moves.items()}, kept)


def positions_json(positions: Positions) -> list[list[Any]]:
    """[[program, partner, name, period, currency, total]], in the order of their keys."""
    return [[*_key_json(key), total] for key, total in sorted(positions.items())]


def positions_text(positions: Positions) -> str | None:
    """As a jsonb parameter takes them; None if there are none."""
    return orjson.dumps(positions_json(positions)).decode() if positions else None


def positions_of(stored: Iterable[list[Any]]) -> dict[TallyKey, int]:
    """What `positions_json` wrote."""
    return {_key_of(row[:5]): row[5] for row in stored}


def _key_json(key: TallyKey) -> list[str]:
    return [str(key.program_id), str(key.partner_id), key.name, key.period, key.currency]


def _key_of(stored: list[Any]) -> TallyKey:
    program, partner, name, period, currency = stored
    return TallyKey(UUID(program), UUID(partner), name, period, currency)
