"""`/v1/conversions`: what was bought, who was credited, and the reasons, also when nobody was."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from sqlalchemy import Select, select

from app.auth import Caller, ReadDep, Scope, needs
from app.conversions.considered import ConsideredOut, considered
from app.core.conversions import ConversionKind
from app.db import bulk
from app.db.tables import Commission, Conversion
from app.db.tx import Read
from app.errors import NotFound
from app.ledger.http import CommissionSummary
from app.pages import Order, PageDep, narrowed, page
from app.sentences import ReasonOut
from app.wire import (
    Amount,
    ConversionId,
    CustomerId,
    Instant,
    Listed,
    Out,
    PartnerId,
    ProgramId,
)

router: Final = APIRouter(prefix="/conversions", tags=["Conversions"])
Reader = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_READ))]
_ORDER: Final = Order("conv", Conversion.recorded_at, Conversion.id, Conversion.workspace_id)


class CreditOut(Out):
    """bps: the partner's share in 1/10,000; all shares of a conversion sum to 10,000."""

    partner_id: PartnerId
    bps: int


class ConversionOut(Out):
    """amount: what commissions are worked out on; gross: what was paid; refunded: of the gross.

    currency: empty for a lead. hold_until: when it closes; none while nobody is credited.
    superseded_by: the conversion that it turned out to be.
    """

    id: ConversionId
    kind: ConversionKind
    key: str = Field(examples=["stripe::invoice:in_1MtHbELkdIwHu7ixl4OzzPMv"])
    customer_id: CustomerId
    program_id: ProgramId | None
    occurred_at: Instant
    new: bool
    gross: Amount
    amount: Amount
    currency: str = Field(examples=["usd"])
    refunded: Amount
    credits: list[CreditOut]
    commissions: list[CommissionSummary]
    reasons: list[ReasonOut]
    hold_until: Instant | None
    superseded_by: ConversionId | None
    recorded_at: Instant

    @classmethod
    def of(cls, row: Mapping[str, Any], commissions: Sequence[Mapping[str, Any]]) -> Self:
        plain = (
            "id", "kind", "key", "customer_id", "program_id", "occurred_at", "gross", "currency",
            "refunded", "hold_until", "superseded_by", "recorded_at",
        )  # fmt: skip
        return cls(
            **{name: row[name] for name in plain},
            new=row["is_new"],
            amount=row["base"],
            credits=[CreditOut(partner_id=UUID(p), bps=bps) for p, bps in row["credits"]],
            commissions=[CommissionSummary.of(commission) for commission in commissions],
            reasons=ReasonOut.all_of(row["reasons"]),
        )


class ConversionWhole(ConversionOut):
    """touches: all that were considered, in the order of the decision."""

    touches: list[ConsideredOut]


@dataclass(frozen=True, slots=True)
class _Filter:
    program_id: Annotated[ProgramId | None, Query()] = None
    customer_id: Annotated[CustomerId | None, Query()] = None
    kind: Annotated[ConversionKind | None, Query()] = None
    from_: Annotated[Instant | None, Query(alias="from")] = None
    to: Annotated[Instant | None, Query()] = None

    def on(self, statement: Select[Any]) -> Select[Any]:
        equal = (
            (Conversion.program_id, self.program_id),
            (Conversion.customer_id, self.customer_id),
            (Conversion.kind, self.kind),
        )
        return narrowed(statement, equal, Conversion.occurred_at, self.from_, self.to)


@router.get("")
async def list_conversions(
    caller: Reader, read: ReadDep, wanted: PageDep, only: Annotated[_Filter, Depends()]
) -> Listed[ConversionOut]:
    """Conversions that stand, newest first; `from` and `to` compare when they happened."""
    statement = only.on(
        select(Conversion.id).where(
            Conversion.workspace_id == caller.workspace_id, Conversion.superseded_by.is_(None)
        )
    )
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    data = await conversions(read, caller.workspace_id, [row.id for row in rows])
    return Listed(data=data, has_more=has_more)


@router.get("/{conversion_id}")
async def get_conversion(
    conversion_id: ConversionId, caller: Reader, read: ReadDep
) -> ConversionWhole:
    """One conversion with its credits, commissions and reasons, and every touch considered."""
    workspace = caller.workspace_id
    found = await conversions(read, workspace, [conversion_id])
    if not found:
        raise NotFound
    driver = await read.driver()
    rows = await bulk.fetch(driver, Conversion, workspace=workspace, key="id", keys=[conversion_id])
    touches = await considered(driver, workspace, found[0].customer_id, rows[0])
    return ConversionWhole(**dict(found[0]), touches=touches)


async def conversions(read: Read, workspace: UUID, ids: Sequence[UUID]) -> list[ConversionOut]:
    """Conversions whole, in the order of their ids given."""
    driver = await read.driver()
    found = await bulk.fetch(driver, Conversion, workspace=workspace, key="id", keys=ids)
    rows = {row["id"]: row for row in found}
    commissions: dict[UUID, list[Mapping[str, Any]]] = defaultdict(list)
    earned = await bulk.fetch(
        driver, Commission, workspace=workspace, key="conversion_id", keys=ids
    )
    for row in sorted(earned, key=lambda row: (row["superseded"], row["id"])):
        commissions[row["conversion_id"]].append(row)
    return [ConversionOut.of(rows[i], commissions[i]) for i in ids if i in rows]
