"""`/v1/commissions` and `/v1/ledger`: what is owed, to whom, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from sqlalchemy import Select, select

from app.auth import Caller, ReadDep, needs
from app.auth import Scope as KeyScope
from app.core.rewards import Recipient
from app.core.status import Status
from app.db.tables import Account, Commission, Transfer
from app.errors import NotFound
from app.ledger.units import CostOut, InUnit, in_unit
from app.pages import Order, PageDep, narrowed, page
from app.sentences import ReasonOut
from app.wire import (
    AccountId,
    Amount,
    CommissionId,
    ConversionId,
    CustomerId,
    Instant,
    Listed,
    Out,
    PartnerId,
    PlanId,
    ProgramId,
)

router: Final = APIRouter(tags=["Money"])
Reader = Annotated[Caller, Depends(needs(KeyScope.COMMISSIONS_READ))]
_ORDER: Final = Order("com", Commission.recorded_at, Commission.id, Commission.workspace_id)
_LAST_NUMBER: Final = 2**63 - 1


class CommissionSummary(InUnit):
    """amount: awarded. reversed: taken back of it. held: stopped by an open dispute. paid: sent to
    whom it is for. Minor units; of what is no money, how many.

    to: as whom somebody has it; partner_id: who; none if it is the customer. level: of a recruiter.
    cost: what all of it costs; none if the plan doesn't tell. What settles a whole period is for no
    customer and no conversion: settles names the period, and occurred_at is its last instant.
    """

    id: CommissionId
    status: Status
    to: Recipient
    level: int | None
    amount: Amount
    reversed: Amount
    held: Amount
    paid: Amount
    base: Amount
    rate_bps: int | None = Field(examples=[2000])
    cost: CostOut | None
    program_id: ProgramId
    partner_id: PartnerId | None
    customer_id: CustomerId | None
    conversion_id: ConversionId | None
    settles: str | None = Field(
        description="The calendar period (UTC) whose sales it settles; null for one of a sale.",
        examples=[None, "2026-03"],
    )
    rule: str = Field(examples=["base"])
    plan_id: PlanId
    plan_version: int
    hold_until: Instant
    occurred_at: Instant

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        return cls(
            settles=_settled_period(row),
            rule=row["rule_id"],
            plan_id=row["plan_version_id"],
            to=row["recipient"],
            cost=CostOut.of(row),
            **in_unit(row["currency"]),
            **{name: row[name] for name in _PLAIN},
        )


_PLAIN: Final = tuple(
    name
    for name in CommissionSummary.model_fields
    if name not in {"settles", "rule", "plan_id", "to", "cost", *InUnit.model_fields}
)


def _settled_period(row: Mapping[str, Any]) -> str | None:
    if row["conversion_id"] is not None:
        return None
    # Its only reason is the settlement.
    (reason,) = row["explanation"]
    within: str = reason["params"]["within"]
    return within


class Adjustment(InUnit):
    """One transfer of a commission. debit, credit: the accounts that gave and received."""

    number: int
    code: str = Field(examples=["reversal"])
    amount: Amount
    debit_account: AccountId
    credit_account: AccountId
    occurred_at: Instant
    recorded_at: Instant

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        plain = cls.model_fields.keys() - InUnit.model_fields.keys()
        return cls(**in_unit(row["currency"]), **{name: row[name] for name in plain})


class CommissionOut(CommissionSummary):
    """A commission with every move of its money and the whole reason for it."""

    adjustments: list[Adjustment]
    explanation: list[ReasonOut]


@dataclass(frozen=True, slots=True)
class _Filter:
    program_id: Annotated[ProgramId | None, Query()] = None
    partner_id: Annotated[PartnerId | None, Query()] = None
    customer_id: Annotated[CustomerId | None, Query()] = None
    status: Annotated[Status | None, Query()] = None
    rule: Annotated[str | None, Query(max_length=64, description="A rule's id.")] = None
    recipient: Annotated[
        Recipient | None, Query(description="As whom somebody has it: a commission's `to`.")
    ] = None
    from_: Annotated[Instant | None, Query(alias="from")] = None
    to: Annotated[Instant | None, Query()] = None

    def on(self, statement: Select[Any]) -> Select[Any]:
        equal = (
            (Commission.program_id, self.program_id),
            (Commission.partner_id, self.partner_id),
            (Commission.customer_id, self.customer_id),
            (Commission.status, self.status),
            (Commission.rule_id, self.rule),
            (Commission.recipient, self.recipient),
        )
        return narrowed(statement, equal, Commission.occurred_at, self.from_, self.to)


@router.get("/commissions")
async def list_commissions(
    caller: Reader, read: ReadDep, wanted: PageDep, only: Annotated[_Filter, Depends()]
) -> Listed[CommissionSummary]:
    """Commissions, newest first. `from` and `to` compare the conversion's time, or the last instant
    of the period that one settles.
    """
    statement = only.on(
        select(Commission.__table__).where(Commission.workspace_id == caller.workspace_id)
    )
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    data = [CommissionSummary.of(dict(row._mapping)) for row in rows]  # noqa: SLF001 (public)
    return Listed(data=data, has_more=has_more)


@router.get("/commissions/{commission_id}")
async def get_commission(
    commission_id: CommissionId, caller: Reader, read: ReadDep
) -> CommissionOut:
    """One commission: who earned it by which rule, and every move of its money."""
    driver = await read.driver()
    row = await driver.fetchrow(
        "SELECT * FROM commissions WHERE workspace_id = $1 AND id = $2",
        caller.workspace_id,
        commission_id,
    )
    if row is None:
        raise NotFound
    moves = await driver.fetch(
        "SELECT * FROM transfers WHERE workspace_id = $1 AND commission_id = $2 ORDER BY number",
        caller.workspace_id,
        commission_id,
    )
    return CommissionOut(
        **CommissionSummary.of(row).model_dump(),
        adjustments=[Adjustment.of(move) for move in moves],
        explanation=ReasonOut.all_of(row["explanation"]),
    )


class TransferOut(Adjustment):
    """One move of money between two accounts; never changed, never deleted."""

    commission_id: CommissionId


class Transfers(Out):
    """Newest first; the next page starts after the last number."""

    data: list[TransferOut]
    has_more: bool


@router.get("/ledger/transfers")
async def list_transfers(
    caller: Reader,
    read: ReadDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    starting_after: Annotated[
        int | None, Query(ge=1, le=_LAST_NUMBER, description="A transfer's number.")
    ] = None,
    commission_id: Annotated[CommissionId | None, Query()] = None,
) -> Transfers:
    """All that moved, by number, newest first."""
    statement = (
        select(Transfer.__table__)
        .where(Transfer.workspace_id == caller.workspace_id)
        .order_by(Transfer.number.desc())
        .limit(limit + 1)
    )
    if starting_after is not None:
        statement = statement.where(Transfer.number < starting_after)
    if commission_id is not None:
        statement = statement.where(Transfer.commission_id == commission_id)
    rows = await read.dicts(statement)
    return Transfers(
        data=[TransferOut.of(row) for row in rows[:limit]],
        has_more=len(rows) > limit,
    )


class AccountOut(InUnit):
    """balance: credits less debits, minor units. It is a partner's, a customer's, or, with neither,
    the program's expense.
    """

    id: AccountId
    program_id: ProgramId
    partner_id: PartnerId | None
    customer_id: CustomerId | None
    role: Literal["expense", "pending", "held", "payable", "in_flight", "paid"]
    debits: int
    credits: int
    balance: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        debits, credits_ = int(row["debits"]), int(row["credits"])
        plain = {n: row[n] for n in ("id", "program_id", "partner_id", "customer_id", "role")}
        unit = in_unit(row["currency"])
        return cls(**plain, **unit, debits=debits, credits=credits_, balance=credits_ - debits)


@router.get("/ledger/accounts")
async def list_accounts(
    caller: Reader,
    read: ReadDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    starting_after: Annotated[AccountId | None, Query()] = None,
    partner_id: Annotated[PartnerId | None, Query()] = None,
) -> Listed[AccountOut]:
    """Accounts with their counters, by id."""
    statement = (
        select(Account.__table__)
        .where(Account.workspace_id == caller.workspace_id)
        .order_by(Account.id)
        .limit(limit + 1)
    )
    if starting_after is not None:
        statement = statement.where(Account.id > starting_after)
    if partner_id is not None:
        statement = statement.where(Account.partner_id == partner_id)
    rows = await read.dicts(statement)
    return Listed(data=[AccountOut.of(row) for row in rows[:limit]], has_more=len(rows) > limit)
