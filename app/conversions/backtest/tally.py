"""What a part of a back-test adds up to, in memory, and how it is written: all of it or nothing."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson

from app.conversions.backtest.compare import NOTHING, Compared, Share, earner
from app.conversions.canon import reasons_json
from app.core.conversions import Conversion

MOST_CHANGES: Final = 100
"""Ways in which sales are paid otherwise that are told apart; the others are counted together."""
SAMPLES: Final = 3
_OTHER: Final = ("*",)

Rules = tuple[str, ...]


@dataclass(slots=True)
class Sum:
    """A partner's, in one currency; minor units."""

    sales: int = 0
    sales_otherwise: int = 0
    present_awarded: int = 0
    present_reversed: int = 0
    tried_awarded: int = 0
    tried_reversed: int = 0


@dataclass(slots=True)
class Change:
    """Sales that these rules pay now and those would have paid."""

    sales: int = 0
    difference: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """sales_unlike: those for which the terms in force give something else than is recorded."""

    sales_otherwise: int = 0
    sales_unlike: int = 0
    sums: dict[Share, Sum] = field(default_factory=dict)
    changes: dict[tuple[str, Rules, Rules], Change] = field(default_factory=dict)
    """By currency, the rules that pay now, and those that would have."""

    def add(self, sale: Compared) -> None:
        for share in sale.now.keys() | sale.then.keys():
            now, then = sale.now.get(share, NOTHING), sale.then.get(share, NOTHING)
            total = self.sums.get(share)
            if total is None:
                total = self.sums[share] = Sum()
            total.sales += 1
            total.sales_otherwise += now != then
            total.present_awarded += now.awarded
            total.present_reversed += now.reversed
            total.tried_awarded += then.awarded
            total.tried_reversed += then.reversed
        if sale.otherwise:
            self.sales_otherwise += 1
            self._note(sale)

    def _note(self, sale: Compared) -> None:
        rules = _rules(sale.present), _rules(sale.tried)
        currencies = sorted({currency for _, currency in (*sale.now, *sale.then)})
        for currency in currencies:
            now = sum([p.kept for (_, unit), p in sale.now.items() if unit == currency])
            then = sum([p.kept for (_, unit), p in sale.then.items() if unit == currency])
            change = self.changes.setdefault((currency, *rules), Change())
            change.sales += 1
            change.difference += then - now
            if len(change.samples) < SAMPLES:
                change.samples.append(
                    {
                        "conversion_id": str(sale.present.id),
                        "present": _side(sale.present),
                        "tried": _side(sale.tried),
                    }
                )


def _rules(conversion: Conversion) -> Rules:
    return tuple(sorted({award.rule_id for award in conversion.awards}))


def _side(conversion: Conversion) -> dict[str, Any]:
    """One half of a sample: who gets what, and why."""
    return {
        "awards": [
            [str(earner(award)), award.rule_id, award.amount, award.reversed, award.currency]
            for award in conversion.awards
        ],
        "reasons": reasons_json(conversion.reasons),
    }


async def store(
    driver: "asyncpg.Connection[Any]", workspace: UUID, backtest: UUID, tally: Tally
) -> None:
    """Add a part's sums and changes to those of the parts before it."""
    # In one order for all, so that two processes can't wait for each other.
    sums = sorted(tally.sums.items())
    await driver.execute(
        _ADD_SUMS,
        workspace,
        backtest,
        [partner for (partner, _), _ in sums],
        [currency for (_, currency), _ in sums],
        *([getattr(total, name) for _, total in sums] for name in _FIGURES),
    )
    if tally.changes:
        await _store_changes(driver, workspace, backtest, tally.changes)


async def _store_changes(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    backtest: UUID,
    changes: Mapping[tuple[str, Rules, Rules], Change],
) -> None:
    taken = await driver.fetch(
        "SELECT key FROM backtest_changes WHERE workspace_id = $1 AND backtest_id = $2",
        workspace,
        backtest,
    )
    keys = {row["key"] for row in taken}
    rows: dict[str, tuple[tuple[str, Rules, Rules], Change]] = {}
    for alike, change in changes.items():
        own, key = alike, _key(alike)
        if key not in keys and len(keys) >= MOST_CHANGES:
            own = (alike[0], _OTHER, _OTHER)
            key = _key(own)
        else:
            keys.add(key)
        _, total = rows.setdefault(key, (own, Change()))
        total.sales += change.sales
        total.difference += change.difference
        total.samples = [*total.samples, *change.samples][:SAMPLES]
    ordered = sorted(rows.items())
    await driver.execute(
        _ADD_CHANGES,
        workspace,
        backtest,
        [key for key, _ in ordered],
        [currency for _, ((currency, _, _), _) in ordered],
        [orjson.dumps(now).decode() for _, ((_, now, _), _) in ordered],
        [orjson.dumps(then).decode() for _, ((_, _, then), _) in ordered],
        [change.sales for _, (_, change) in ordered],
        [change.difference for _, (_, change) in ordered],
        [_json(change.samples) for _, (_, change) in ordered],
    )


def _key(alike: tuple[str, Rules, Rules]) -> str:
    return hashlib.sha256(orjson.dumps(alike)).hexdigest()


def _json(samples: Sequence[Mapping[str, Any]]) -> str:
    # str: asyncpg's own UUID is the only thing that orjson doesn't take by itself.
    return orjson.dumps(samples, default=str).decode()


_FIGURES: Final = (
    "sales",
    "sales_otherwise",
    "present_awarded",
    "present_reversed",
    "tried_awarded",
    "tried_reversed",
)
_COLUMNS: Final = ", ".join(_FIGURES)
_ADD_SUMS: Final = f"""
INSERT INTO backtest_sums AS s (workspace_id, backtest_id, partner_id, currency, {_COLUMNS})
SELECT $1, $2, * FROM unnest($3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::numeric[],
  $8::numeric[], $9::numeric[], $10::numeric[])
ON CONFLICT (workspace_id, backtest_id, partner_id, currency) DO UPDATE SET
  {", ".join(f"{name} = s.{name} + excluded.{name}" for name in _FIGURES)}
"""
_ADD_CHANGES: Final = f"""
INSERT INTO backtest_changes AS c
  (workspace_id, backtest_id, key, currency, present, tried, sales, difference, samples)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::jsonb[], $6::jsonb[], $7::bigint[],
  $8::numeric[], $9::jsonb[])
ON CONFLICT (workspace_id, backtest_id, key) DO UPDATE SET
  sales = c.sales + excluded.sales, difference = c.difference + excluded.difference,
  samples = CASE WHEN jsonb_array_length(c.samples) < {SAMPLES}
    THEN jsonb_path_query_array(c.samples || excluded.samples, '$[0 to {SAMPLES - 1}]')
    ELSE c.samples END
"""
