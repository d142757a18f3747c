"""Settled periods: each decided again from what it read, against its commission and its moves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.canon import reasons_json
from app.conversions.proof import ledger as verify_ledger
from app.conversions.proof.finding import Finding
from app.conversions.proof.replay import Replay
from app.conversions.proof.rows import standing_findings, unequal
from app.conversions.proof.shape import readable
from app.conversions.tally_canon import moves_of
from app.conversions.true_up_canon import Settling, commission_row, digest, period_of_facts
from app.core.fold import ENGINE
from app.core.tallies import TallyKey, base_of
from app.core.true_up import TrueUp, award, bands_of, settles_at, true_up
from app.core.world import PlanFact
from app.ids import encode

Rows = Mapping[UUID, Mapping[str, Any]]


async def findings(
    driver: "asyncpg.Connection[Any]", workspace: UUID, plans: Mapping[UUID, PlanFact]
) -> list[Finding]:
    """What does not hold of a workspace's true-ups. plans: published ones, by id."""
    decisions = readable(
        await driver.fetch(
            "SELECT * FROM decisions WHERE workspace_id = $1 AND customer_id IS NULL"
            " ORDER BY decision_no",
            workspace,
        )
    )
    rows: Rows = {
        row["id"]: row
        for row in await driver.fetch(
            "SELECT * FROM commissions WHERE workspace_id = $1 AND conversion_id IS NULL", workspace
        )
    }
    matured = {i: row["matured_at"] for i, row in rows.items() if row["matured_at"] is not None}
    settled = Replay(workspace, plans, matured)
    marks: dict[int, TallyKey] = {}
    found: list[Finding] = []
    for decision in decisions:
        try:
            found += _decision(decision, plans, rows, settled, marks)
        except Exception as error:  # noqa: BLE001 (tampered facts may break anything; it is told)
            place = f"decision {decision['decision_no']}"
            found.append(Finding(place, f"its facts can't be read: {error!r}"))
    settled.finish()
    for commission, standing in settled.standings.items():
        found += standing_findings(standing, rows.get(commission))
    found += [
        Finding(f"commission {encode('com', i)}", "no decision awards it")
        for i in rows
        if i not in settled.standings
    ]
    found += await verify_ledger.transfer_findings(driver, workspace, [settled])
    return found + await _marks(driver, workspace, marks)


def _decision(
    decision: Mapping[str, Any],
    plans: Mapping[UUID, PlanFact],
    rows: Rows,
    settled: Replay,
    marks: dict[int, TallyKey],
) -> Sequence[Finding]:
    number, stored = decision["decision_no"], decision["facts"]
    place = f"decision {number}"
    if decision["engine"] != ENGINE:
        return [Finding(place, f"engine {decision['engine']} is not at hand")]
    told = stored["true_up"]
    period = period_of_facts(told)
    terms, closing = plans[UUID(told["terms"])], plans[UUID(told["closing"])]
    bands = bands_of(terms.plan, period)
    if bands is None:
        return [Finding(place, "its terms settle no such period")]
    due_at = settles_at(closing.plan, period.within)
    if due_at != datetime.fromisoformat(stored["as_of"]) or due_at >= decision["decided_at"]:
        return [Finding(place, "it was not due then")]
    totals = {key: before for key, (before, _) in moves_of(stored["tallies"]).items()}
    rest = true_up(bands, period, totals)
    found: list[Finding] = []
    if digest(period, rest) != decision["outcome"]:
        found.append(Finding(place, "its facts give another outcome than was decided"))
    marks[number] = period.key(base_of(period.rule_id), period.currency)
    if rest.amount:
        if period.commission_id in settled.standings:
            found.append(Finding(place, "the period was settled before"))
        standing, transfers = award(period, rest)
        settled.standings[period.commission_id] = standing
        settled.transfers[period.commission_id] = list(transfers)
        settling = Settling(period, terms, closing, due_at)
        found += _commission(settling, rest, number, rows.get(period.commission_id))
    return found


def _commission(
    settling: Settling, rest: TrueUp, number: int, row: Mapping[str, Any] | None
) -> list[Finding]:
    if row is None:
        return []  # told as missing with its standing
    wanted = {
        **commission_row(settling, rest),
        "explanation": reasons_json((rest.reason,)),
        "decision_no": number,
    }
    # Paying out is no part of the settlement.
    del wanted["paid"]
    place = f"commission {encode('com', row['id'])}"
    return unequal(place, [(column, value, row[column]) for column, value in wanted.items()])


async def _marks(
    driver: "asyncpg.Connection[Any]", workspace: UUID, marks: Mapping[int, TallyKey]
) -> list[Finding]:
    """Each settlement is marked at the total that it settled, and no other total is."""
    stored = {
        TallyKey(*(row[name] for name in TallyKey._fields)): row["settled_no"]
        for row in await driver.fetch(
            "SELECT * FROM tallies WHERE workspace_id = $1 AND settled_no > 0", workspace
        )
    }
    wanted = {key: number for number, key in marks.items()}
    return [
        Finding(
            f"tally {encode('part', key.partner_id)} {key.name} {key.period}",
            f"is marked as settled by {stored.get(key)}, should be by {wanted.get(key)}",
        )
        for key in sorted({*stored, *wanted})
        if stored.get(key) != wanted.get(key)
    ]
