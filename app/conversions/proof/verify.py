"""Prove every cent: each decision recomputed from its facts, each balance from its transfers."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions.canon import decision_hash, dumps
from app.conversions.proof import facts as verify_facts
from app.conversions.proof import ledger as verify_ledger
from app.conversions.proof import qualified as verify_qualified
from app.conversions.proof import tallies as verify_tallies
from app.conversions.proof import true_ups as verify_true_ups
from app.conversions.proof import upline as verify_upline
from app.conversions.proof.finding import Finding
from app.conversions.proof.replay import Replay, replay
from app.conversions.proof.rows import differences
from app.conversions.proof.shape import readable, told
from app.conversions.proof.tallies import TallyChain
from app.conversions.surroundings import compiled_fact
from app.core.world import PlanFact
from app.db.engine import Database
from app.ids import encode

_CHUNK: Final = 500
_STRANGE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What comes of another type than was expected; that Postgres is away is none of it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """decisions, transfers: how many were recomputed. findings: what does not hold."""

    decisions: int
    transfers: int
    findings: tuple[Finding, ...]


async def verify(database: Database) -> Verdict:
    """Recompute all workspaces, one after the other, on one snapshot each."""
    decisions = transfers = 0
    findings: list[Finding] = []
    async with database.read() as read:
        driver = await read.driver()
        workspaces = [row["id"] for row in await driver.fetch("SELECT id FROM workspaces")]
    for workspace in workspaces:
        async with database.snapshot() as read:
            driver = await read.driver()
            findings += [finding async for finding in _workspace(driver, workspace)]
            lane = await driver.fetchrow(
                "SELECT decision_no, transfer_no FROM lanes WHERE workspace_id = $1", workspace
            )
            decisions += lane["decision_no"] if lane else 0
            transfers += lane["transfer_no"] if lane else 0
    return Verdict(decisions, transfers, tuple(findings))


async def _workspace(driver: "asyncpg.Connection[Any]", workspace: UUID) -> AsyncIterator[Finding]:
    tallies = TallyChain()
    async for finding in _chain(driver, workspace, tallies):
        yield finding
    for finding in await verify_tallies.findings(driver, workspace, tallies):
        yield finding
    for finding in await verify_ledger.findings(driver, workspace):
        yield finding
    plans = await _plans(driver, workspace)
    for finding in await verify_true_ups.findings(driver, workspace, plans):
        yield finding
    async for families in _customers(driver, workspace):
        for finding in await _recompute(driver, workspace, families, plans):
            yield finding


async def _chain(
    driver: "asyncpg.Connection[Any]", workspace: UUID, tallies: TallyChain
) -> AsyncIterator[Finding]:
    """The decisions' numbers have no gap, each hash covers the one before and its row, their facts
    can be read, and what they found of partners' totals is what was left.
    """
    expected_no, previous = 1, b""
    async for row in driver.cursor(
        "SELECT * FROM decisions WHERE workspace_id = $1 ORDER BY decision_no", workspace
    ):
        number = row["decision_no"]
        if number != expected_no:
            yield Finding(f"decision {expected_no}", "missing: the numbers have a gap")
        computed = decision_hash(
            previous,
            workspace=workspace,
            number=number,
            customer=row["customer_id"],
            facts=dumps(row["facts"]),
            outcome=row["outcome"],
        )
        unreadable = told(row)
        if computed != row["hash"] or (not unreadable and row["engine"] != row["facts"]["engine"]):
            yield Finding(f"decision {number}", "its hash does not cover what is stored")
        for finding in unreadable or tallies.follow(number, row["facts"]):
            yield finding
        expected_no, previous = number + 1, row["hash"]
    lane = await driver.fetchrow("SELECT * FROM lanes WHERE workspace_id = $1", workspace)
    if lane and (lane["decision_no"], lane["chain_hash"]) != (expected_no - 1, previous):
        yield Finding(f"workspace {workspace}", "its lane does not end at its last decision")


async def _plans(driver: "asyncpg.Connection[Any]", workspace: UUID) -> dict[UUID, PlanFact]:
    rows = await driver.fetch(
        "SELECT id, partner_id, version, document, effective_from, effective_until"
        " FROM plan_versions"
        " WHERE workspace_id = $1 AND published_at IS NOT NULL",
        workspace,
    )
    return {row["id"]: compiled_fact(row) for row in rows}


async def _customers(
    driver: "asyncpg.Connection[Any]", workspace: UUID
) -> AsyncIterator[list[list[UUID]]]:
    """Customers in chunks, each followed by all whom it absorbed."""
    after = UUID(int=0)
    while True:
        roots = await driver.fetch(
            "SELECT id FROM customers WHERE workspace_id = $1 AND merged_into IS NULL AND id > $2"
            " ORDER BY id LIMIT $3",
            workspace,
            after,
            _CHUNK,
        )
        if not roots:
            return
        after = roots[-1]["id"]
        families = {row["id"]: [row["id"]] for row in roots}
        for row in await driver.fetch(
            "SELECT id, merged_into FROM customers WHERE workspace_id = $1"
            " AND merged_into = ANY($2)",
            workspace,
            list(families),
        ):
            families[row["merged_into"]].append(row["id"])
        yield list(families.values())


async def _recompute(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    families: Sequence[Sequence[UUID]],
    plans: Mapping[UUID, PlanFact],
) -> list[Finding]:
    """A chunk of customers: their decisions anew, then row by row against what is stored.

    Where what was decided on is so strange that what came of it can't be compared, half of them at
    a time: only those at fault are left out, and named.
    """
    customers = [customer for family in families for customer in family]
    rows = await _fetch(driver, "decisions", workspace, customers, order="decision_no")
    decisions = readable(rows)
    conversions = await _fetch(driver, "conversions", workspace, customers, order="id")
    commissions = await _fetch(driver, "commissions", workspace, customers, order="id")
    matured = {r["id"]: r["matured_at"] for r in commissions if r["matured_at"] is not None}
    people, broken = replay(decisions, workspace=workspace, plans=plans, matured=matured)
    findings = [Finding(f"decision {number}", problem) for number, problem in broken]
    try:
        findings += differences(_united(people), conversions, commissions)
        findings += await verify_ledger.transfer_findings(driver, workspace, people.values())
        findings += await verify_facts.findings(driver, workspace, people)
        findings += await verify_qualified.findings(driver, workspace, decisions, plans)
        findings += await verify_upline.findings(driver, workspace, decisions)
    except _STRANGE as error:
        if len(families) == 1:
            place = f"customer {encode('cus', customers[0])}"
            problem = f"what it was decided on can't be compared: {error!r}"
            return [*findings, Finding(place, problem)]
    else:
        return findings
    half = len(families) // 2
    return [
        finding
        for part in (families[:half], families[half:])
        for finding in await _recompute(driver, workspace, part, plans)
    ]


def _united(people: Mapping[UUID, Replay]) -> list[tuple[UUID, Replay]]:
    return list(people.items())


async def _fetch(
    driver: "asyncpg.Connection[Any]",
    table: str,
    workspace: UUID,
    customers: Sequence[UUID],
    *,
    order: str,
) -> list[Mapping[str, Any]]:
    rows = await driver.fetch(
        f"SELECT * FROM {table} WHERE workspace_id = $1 AND customer_id = ANY($2) ORDER BY {order}",
        workspace,
        customers,
    )
    return list(rows)
