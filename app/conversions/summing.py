"""Partners' totals out of what is recorded: one conversion after the other as the core counts, or
at once, where Postgres comes to the same in whole numbers.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from app.conversions import facts
from app.core.conversions import Award, Conversion
from app.core.money import BPS
from app.core.periods import PERIODS, ends_at, period_of, starts_at
from app.core.tallies import BASE, LEADS, SALES, Kept, TallyKey, of_rule, uses_of
from app.core.units import FORMS, currency_of
from app.db import bulk
from app.db import tables as t

MOST_SUMMED: Final = 20_000
"""Sales of a program that are summed up while somebody waits for an answer."""
_AT_ONCE: Final = 100_000
"""Sales that one statement adds up: about a second."""
_CHUNK: Final = 1_000
_FIRST: Final = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
_LAST: Final = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
_NOT_CASH: Final = [form for form in FORMS if form != "cash"]

Place = tuple[datetime, UUID]
"""When a conversion was, and its id: they follow each other in this order."""

_RULE: Final = of_rule("")
_PLAIN: Final = f"""
    c.kind <> 'lead' AND jsonb_array_length(c.credits) = 1 AND c.credits->0->1 = '{BPS}'::jsonb
    AND (c.refunded = 0 OR c.refunded > 0 AND c.base >= 0 AND c.gross > 0)"""
"""A sale that is one partner's whole; what of it went back, if anything, is as `_GONE` has it."""
_GONE: Final = """
    CROSS JOIN LATERAL (
      SELECT c.base::numeric * c.refunded AS product, greatest(c.gross, 1) AS gross
    ) whole
    CROSS JOIN LATERAL (
      SELECT div(product, whole.gross) AS below, 2 * mod(product, whole.gross) AS twice
    ) part
    CROSS JOIN LATERAL (
      SELECT c.base - below - CASE
        WHEN twice > whole.gross OR twice = whole.gross AND mod(below, 2) = 1 THEN 1 ELSE 0
      END AS amount
    ) rest"""
"""What is left of a base after a refund, as `money.share`: in whole numbers, half to even."""
_LEFT: Final = """
    sum(rest.amount) AS amount, bool_or(rest.amount <> 0) AS moved,
    count(*) FILTER (WHERE c.refunded < c.gross) AS n"""
_WITHIN: Final = """
    c.workspace_id = $1 AND c.program_id = $2 AND c.superseded_by IS NULL
    AND (c.occurred_at, c.id) >= ($3, $4) AND (c.occurred_at, c.id) < ($5, $6)"""
_SALES: Final = f"""
    SELECT 'sales' AS name, (c.credits->0->>0)::uuid AS partner_id, c.currency, {_LEFT}
    FROM conversions c {_GONE}
    WHERE {_WITHIN} AND {_PLAIN} GROUP BY 2, 3"""
_LEADS: Final = f"""
    SELECT 'leads' AS name, (credit->>0)::uuid AS partner_id, '' AS currency,
      0 AS amount, false AS moved, count(*) AS n
    FROM conversions c CROSS JOIN jsonb_array_elements(c.credits) AS credit
    WHERE {_WITHIN} AND c.kind = 'lead' GROUP BY 2"""
_PAID: Final = f"""
    SELECT '{_RULE}' || k.rule_id AS name,
      coalesce(k.partner_id, k.rewarded_customer_id) AS partner_id, k.currency,
      sum(k.amount - k.reversed) AS amount, bool_or(k.amount <> k.reversed) AS moved,
      count(*) FILTER (WHERE k.amount > k.reversed) AS n
    FROM conversions c
    JOIN commissions k ON k.workspace_id = c.workspace_id AND k.conversion_id = c.id
    WHERE {_WITHIN} AND NOT k.superseded AND k.rule_id = ANY($7) GROUP BY 1, 2, 3"""
_BASES: Final = f"""
    SELECT '{BASE}' || k.rule_id AS name, k.partner_id, c.currency, {_LEFT}
    FROM conversions c {_GONE}
    CROSS JOIN LATERAL (
      SELECT DISTINCT k.rule_id, k.partner_id FROM commissions k
      WHERE k.workspace_id = c.workspace_id AND k.conversion_id = c.id AND NOT k.superseded
        AND k.rule_id = ANY($7) AND k.partner_id = (c.credits->0->>0)::uuid
        AND k.recipient = 'partner' AND split_part(k.currency, ':', 1) <> ALL($8)
    ) k
    WHERE {_WITHIN} AND {_PLAIN} GROUP BY 1, 2, 3"""


class _Range(NamedTuple):
    """From one place to before another one."""

    since: Place
    until: Place


async def summed(
    driver: "asyncpg.Connection[Any]", workspace: UUID, program: UUID, kept: Iterable[Kept]
) -> dict[TallyKey, int]:
    """A program's totals by the conversions that stand, one by one as the core counts them.

    kept: those names and periods of the program that are wanted. Without the lane: a proof.
    """
    names = _by_period(kept)
    totals: dict[TallyKey, int] = {}
    within = _Range(min(map(_begin_of, names)), max(map(_end_of, names)))
    async for conversion in _standing(driver, workspace, program, within):
        periods = [period_of(conversion.occurred_at, kind) for kind in PERIODS]
        named = [(name, period) for period in periods for name in names.get(period, ())]
        for key, used in uses_of(conversion, named).items():
            totals[key] = totals.get(key, 0) + used
    return totals


async def summed_at_once(
    driver: "asyncpg.Connection[Any]", workspace: UUID, program: UUID, kept: Iterable[Kept]
) -> dict[TallyKey, int]:
    """As `summed`, twenty times as fast where most sales are one partner's."""
    names = _by_period(kept)
    totals: dict[TallyKey, int] = {}
    for period, named in names.items():
        within = _Range(_begin_of(period), _end_of(period))
        async for part in _parts(driver, workspace, program, within):
            for name, partner, currency, amount, moved, times in await _added_up(
                driver, workspace, program, part, named
            ):
                for unit, used, counts in ((currency, amount, moved), ("", times, times > 0)):
                    if counts:
                        key = TallyKey(program, partner, name, period, unit)
                        totals[key] = totals.get(key, 0) + used
            rounded = [(n, period) for n in named if n == SALES or n.startswith(BASE)]
            if rounded:
                async for conversion in _standing(driver, workspace, program, part, apart=True):
                    for key, used in uses_of(conversion, rounded).items():
                        totals[key] = totals.get(key, 0) + used
    return totals


async def summed_if_few(
    driver: "asyncpg.Connection[Any]", workspace: UUID, program: UUID, kept: Iterable[Kept]
) -> dict[TallyKey, int] | None:
    """As `summed`; None if the program has more than MOST_SUMMED sales."""
    many = await driver.fetchval(
        "SELECT count(*) FROM (SELECT FROM conversions WHERE workspace_id = $1"
        " AND program_id = $2 AND superseded_by IS NULL LIMIT $3) AS found",
        workspace,
        program,
        MOST_SUMMED + 1,
    )
    return await summed(driver, workspace, program, kept) if many <= MOST_SUMMED else None


def _by_period(kept: Iterable[Kept]) -> dict[str, list[str]]:
    """The wanted names of each period."""
    names: dict[str, list[str]] = defaultdict(list)
    for _, name, period in kept:
        names[period].append(name)
    return names


def _begin_of(period: str) -> Place:
    return (starts_at(period) or _FIRST[0], _FIRST[1])


def _end_of(period: str) -> Place:
    end = ends_at(period)
    return (end, _FIRST[1]) if end else _LAST


async def _parts(
    driver: "asyncpg.Connection[Any]", workspace: UUID, program: UUID, within: _Range
) -> AsyncIterator[_Range]:
    """A range in parts that one statement adds up."""
    since = within.since
    while True:
        following = await driver.fetchrow(
            f"SELECT c.occurred_at, c.id FROM conversions c WHERE {_WITHIN}"
            f" ORDER BY c.occurred_at, c.id OFFSET {_AT_ONCE} LIMIT 1",
            workspace,
            program,
            *since,
            *within.until,
        )
        if following is None:
            yield _Range(since, within.until)
            return
        until = (following["occurred_at"], following["id"])
        yield _Range(since, until)
        since = until


_Sum = tuple[str, UUID, str, int, bool, int]
"""A total's name and partner, and a currency; how much, whether anything of it, how many."""


async def _added_up(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    program: UUID,
    part: _Range,
    named: Sequence[str],
) -> list[_Sum]:
    """What Postgres adds up exactly; of sales and bases it leaves out what is not plain."""
    within = (workspace, program, *part.since, *part.until)
    paid = [name.removeprefix(_RULE) for name in named if name.startswith(_RULE)]
    bases = [name.removeprefix(BASE) for name in named if name.startswith(BASE)]
    rows: list[Mapping[str, Any]] = []
    if SALES in named:
        rows += await driver.fetch(_SALES, *within)
    if LEADS in named:
        rows += await driver.fetch(_LEADS, *within)
    if paid:
        rows += await driver.fetch(_PAID, *within, paid)
    if bases:
        rows += await driver.fetch(_BASES, *within, bases, _NOT_CASH)
    return [
        (
            row["name"],
            row["partner_id"],
            # What is given is reckoned in the money that it is of.
            currency_of(row["currency"]) if row["name"].startswith(_RULE) else row["currency"],
            int(row["amount"]),
            row["moved"],
            row["n"],
        )
        for row in rows
    ]


async def _standing(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    program: UUID,
    within: _Range,
    *,
    apart: bool = False,
) -> AsyncIterator[Conversion]:
    """A program's conversions that stand, with their awards. apart: only sales that Postgres does
    not add up.
    """
    after, until = within
    among = f" AND c.kind <> 'lead' AND NOT ({_PLAIN})" if apart else ""
    while True:
        rows = await driver.fetch(
            f"SELECT c.* FROM conversions c WHERE {_WITHIN}{among}"
            f" ORDER BY c.occurred_at, c.id LIMIT {_CHUNK}",
            workspace,
            program,
            *after,
            *until,
        )
        awards: dict[UUID, tuple[Award, ...]] = {}
        for row in await bulk.fetch(
            driver,
            t.Commission,
            workspace=workspace,
            key="conversion_id",
            keys=[row["id"] for row in rows],
        ):
            if not row["superseded"]:
                found = awards.get(row["conversion_id"], ())
                awards[row["conversion_id"]] = (*found, facts.award_of(row))
        for row in rows:
            yield facts.conversion_of(row, awards.get(row["id"], ()))
        if len(rows) < _CHUNK:
            return
        after = (rows[-1]["occurred_at"], UUID(int=rows[-1]["id"].int + 1))
