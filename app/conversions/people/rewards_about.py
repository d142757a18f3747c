"""What a customer was given for being referred, for the document that it can be handed."""

from typing import Any, Final, Self
from uuid import UUID

import asyncpg

from app.conversions.people.about import Person
from app.ledger.units import InUnit, in_unit
from app.wire import Amount, CommissionId, ConversionId, Instant, ProgramId

_MOST: Final = 1_000


class RewardedOut(InUnit):
    """amount: minor units, or how many; reversed: what was taken back of it."""

    id: CommissionId
    program_id: ProgramId
    conversion_id: ConversionId
    status: str
    amount: Amount
    reversed: Amount
    occurred_at: Instant

    @classmethod
    def of(cls, row: "asyncpg.Record") -> Self:
        told: dict[str, Any] = dict(row)
        return cls(**in_unit(told.pop("currency")), **told)


async def rewards_about(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> list[RewardedOut]:
    """The newest 1,000; `/v1/commissions` lists all."""
    rows = await driver.fetch(
        """
        SELECT id, program_id, conversion_id, status, amount, reversed, currency, occurred_at
        FROM commissions WHERE workspace_id = $1 AND rewarded_customer_id = ANY($2)
        ORDER BY occurred_at DESC, id DESC LIMIT $3
        """,
        workspace,
        someone.ids,
        _MOST,
    )
    return [RewardedOut.of(row) for row in rows]
