"""Transfers against what the decisions move, and balances against the transfers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.proof.finding import Finding
from app.conversions.proof.replay import Replay
from app.core.transfers import AccountRef, Transfer
from app.ids import encode


async def findings(driver: "asyncpg.Connection[Any]", workspace: UUID) -> list[Finding]:
    """Gaps in the numbers, transfers of no commission, and balances that don't re-derive."""
    found = await _balances(driver, workspace) + await _owners(driver, workspace)
    row = await driver.fetchrow(
        """
        SELECT coalesce(max(l.transfer_no), 0) AS latest, count(t.number) AS transfers,
          coalesce(max(t.number), 0) AS highest
        FROM lanes l LEFT JOIN transfers t ON t.workspace_id = l.workspace_id
        WHERE l.workspace_id = $1
        """,
        workspace,
    )
    assert row is not None
    if not row["latest"] == row["transfers"] == row["highest"]:
        counted = f"{row['transfers']} rows up to number {row['highest']}"
        found.append(Finding("transfers", f"{counted}, the lane counted {row['latest']}"))
    strays = await driver.fetch(
        """
        SELECT t.number FROM transfers t
        LEFT JOIN commissions c ON c.workspace_id = t.workspace_id AND c.id = t.commission_id
        WHERE t.workspace_id = $1 AND c.id IS NULL
        """,
        workspace,
    )
    return found + [Finding(f"transfer {row['number']}", "of no commission") for row in strays]


async def transfer_findings(
    driver: "asyncpg.Connection[Any]", workspace: UUID, people: Iterable[Replay]
) -> list[Finding]:
    """Each commission's transfers, one by one, against those that its decisions make."""
    wanted = {i: moves for person in people for i, moves in person.transfers.items()}
    stored: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT * FROM transfers WHERE workspace_id = $1 AND commission_id = ANY($2)"
        " ORDER BY number",
        workspace,
        list(wanted),
    ):
        stored[row["commission_id"]].append(row)
    found: list[Finding] = []
    for commission, moves in wanted.items():
        rows = stored[commission]
        for transfer, row in zip(moves, rows, strict=False):
            found += _transfer(transfer, row)
        if len(rows) != len(moves):
            place = f"commission {encode('com', commission)}"
            found.append(Finding(place, f"has {len(rows)} transfers, should have {len(moves)}"))
    return found


def _transfer(transfer: Transfer, row: Mapping[str, Any]) -> list[Finding]:
    pairs = (
        ("key", transfer.key, row["key"]),
        ("amount", transfer.amount, row["amount"]),
        ("currency", transfer.currency, row["currency"]),
        ("code", transfer.code, row["code"]),
        ("debit_account", transfer.debit.id, row["debit_account"]),
        ("credit_account", transfer.credit.id, row["credit_account"]),
    )
    return [
        Finding(f"transfer {row['number']}", f"{column} is {stored!r}, should be {computed!r}")
        for column, computed, stored in pairs
        if computed != stored
    ]


async def _owners(driver: "asyncpg.Connection[Any]", workspace: UUID) -> list[Finding]:
    """Accounts of somebody else, or in another unit, than their ids are derived from: balances
    are summed up by these columns.
    """
    found: list[Finding] = []
    async for row in driver.cursor(
        "SELECT id, program_id, partner_id, currency, role, customer_id FROM accounts"
        " WHERE workspace_id = $1",
        workspace,
        prefetch=1_000,
    ):
        account, *named = row.values()
        if AccountRef(*named).id != account:
            place = f"account {encode('acct', account)} ({row['role']})"
            found.append(Finding(place, "its id is of another owner, unit or role"))
    return found


async def _balances(driver: "asyncpg.Connection[Any]", workspace: UUID) -> list[Finding]:
    rows = await driver.fetch(
        """
        WITH moved AS (
          SELECT account, sum(debit) AS debits, sum(credit) AS credits FROM (
            SELECT debit_account AS account, amount AS debit, 0 AS credit FROM transfers
            WHERE workspace_id = $1
            UNION ALL
            SELECT credit_account, 0, amount FROM transfers WHERE workspace_id = $1
          ) sides GROUP BY account
        )
        SELECT coalesce(a.id, m.account) AS id, a.role, a.debits, a.credits,
          coalesce(m.debits, 0) AS moved_debits, coalesce(m.credits, 0) AS moved_credits
        FROM (SELECT * FROM accounts WHERE workspace_id = $1) a
        FULL JOIN moved m ON m.account = a.id
        WHERE (coalesce(a.debits, -1), coalesce(a.credits, -1))
          <> (coalesce(m.debits, 0), coalesce(m.credits, 0))
        """,
        workspace,
    )
    return [
        Finding(
            f"account {encode('acct', row['id'])} ({row['role'] or 'missing'})",
            f"debits {row['debits']} and credits {row['credits']},"
            f" its transfers give {row['moved_debits']} and {row['moved_credits']}",
        )
        for row in rows
    ]
