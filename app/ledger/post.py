"""Write transfers and keep the balances: the only place where money moves."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg

from app.core.transfers import AccountRef, Transfer
from app.db import bulk
from app.db import tables as t


@dataclass(frozen=True, slots=True)
class Posting:
    """A numbered transfer. occurred_at: of what it is about."""

    number: int
    transfer: Transfer
    occurred_at: datetime


async def post(
    driver: "asyncpg.Connection[Any]",
    workspace: UUID,
    postings: Sequence[Posting],
    *,
    recorded_at: datetime,
) -> None:
    """Append transfers and raise their accounts' counters. The caller holds the lane."""
    if not postings:
        return
    await bulk.insert(
        driver,
        t.Transfer,
        [
            {
                "workspace_id": workspace,
                "number": posting.number,
                "key": posting.transfer.key,
                "debit_account": posting.transfer.debit.id,
                "credit_account": posting.transfer.credit.id,
                "amount": posting.transfer.amount,
                "currency": posting.transfer.currency,
                "code": posting.transfer.code,
                "commission_id": posting.transfer.commission_id,
                "occurred_at": posting.occurred_at,
                "recorded_at": recorded_at,
            }
            for posting in postings
        ],
    )
    await _raise_counters(driver, workspace, [posting.transfer for posting in postings])


async def _raise_counters(
    driver: "asyncpg.Connection[Any]", workspace: UUID, transfers: Sequence[Transfer]
) -> None:
    debits: dict[AccountRef, int] = defaultdict(int)
    credits_: dict[AccountRef, int] = defaultdict(int)
    for transfer in transfers:
        debits[transfer.debit] += transfer.amount
        credits_[transfer.credit] += transfer.amount
    await bulk.upsert(
        driver,
        t.Account,
        [
            {
                "workspace_id": workspace,
                "id": account.id,
                "program_id": account.program_id,
                "partner_id": account.partner_id,
                "customer_id": account.customer_id,
                "currency": account.currency,
                "role": account.role,
                "debits": Decimal(debits[account]),
                "credits": Decimal(credits_[account]),
            }
            for account in sorted(debits.keys() | credits_.keys(), key=lambda ref: ref.id)
        ],
        conflict=" ON CONFLICT (workspace_id, id) DO UPDATE SET"
        " debits = accounts.debits + excluded.debits,"
        " credits = accounts.credits + excluded.credits",
    )
