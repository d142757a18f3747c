"""What the lane numbers: decisions, transfers, and where it stands after them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.decided import DecisionRow
from app.conversions.facts import Counters
from app.core.fold import ENGINE
from app.core.transfers import Transfer
from app.db import bulk
from app.db import tables as t
from app.ledger.post import Posting, post


async def write_decisions(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    decisions: Iterable[DecisionRow],
    counters: Counters,
) -> None:
    """Decisions, numbered as they were made."""
    await bulk.insert(
        driver,
        t.Decision,
        [
            {
                "workspace_id": workspace,
                "decision_no": decision.number,
                "customer_id": decision.customer,
                "engine": ENGINE,
                "facts": decision.facts.decode(),
                "outcome": decision.outcome,
                "hash": decision.hash,
                "decided_at": counters.now,
            }
            for decision in decisions
        ],
    )


async def write_transfers(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    transfers: Sequence[tuple[Transfer, datetime]],
    counters: Counters,
) -> None:
    """Transfers, each with the time that it is about, under the next numbers."""
    first = counters.transfer_no + 1
    postings = [Posting(first + n, *moved) for n, moved in enumerate(transfers)]
    await post(driver, workspace, postings, recorded_at=counters.now)
    counters.transfer_no += len(postings)


async def write_counters(
    driver: "asyncpg.Connection[Any]", workspace: UUID, counters: Counters
) -> None:
    """Where the lane stands after a batch."""
    await driver.execute(
        "UPDATE lanes SET decision_no = $2, transfer_no = $3, chain_hash = $4"
        " WHERE workspace_id = $1",
        workspace,
        counters.decision_no,
        counters.transfer_no,
        counters.chain_hash,
    )
