"""`/v1/plans/{id}/backtest` and `/v1/backtests`: terms tried on history, by the worker."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Select, func, insert, select

from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.conversions.backtest import jobs
from app.conversions.backtest.compare import CUSTOMERS
from app.conversions.backtest.shapes import (
    FIGURES,
    BacktestCreate,
    BacktestOut,
    BacktestSumOut,
    ChangeOut,
    PartnerSumOut,
)
from app.conversions.backtest.tally import MOST_CHANGES
from app.db.tables import (
    Backtest,
    BacktestChange,
    BacktestSum,
    PlanVersion,
)
from app.db.tx import Read
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.ids import MalformedIdError, decode, uuid7
from app.openapi import documented
from app.pages import DEFAULT_LIMIT, MAX_LIMIT, Order, PageDep, page
from app.wire import (
    BacktestId,
    Listed,
    PlanId,
)
from app.writing import Writes

router: Final = APIRouter(tags=["Programs and plans"], route_class=Writes)
Reader = Annotated[Caller, Depends(needs(Scope.COMMISSIONS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.PROGRAMS_WRITE))]
_ORDER: Final = Order("btst", Backtest.created_at, Backtest.id, Backtest.workspace_id)
_MOST_QUEUED: Final = 100


@router.post("/plans/{plan_id}/backtest", status_code=202, responses=documented(Conflict))
async def backtest_plan(
    plan_id: PlanId, body: BacktestCreate, caller: Writer, tx: TxDep
) -> BacktestOut:
    """Try a version, a draft too, on the sales of a period. Nothing is changed by it.

    The worker does it, one at a time per workspace; ask `/v1/backtests/{id}` how far it is.
    """
    await _refuse_period(tx, body)
    plan = await tx.first(
        select(PlanVersion.program_id, PlanVersion.partner_id).where(
            PlanVersion.workspace_id == caller.workspace_id, PlanVersion.id == plan_id
        )
    )
    if plan is None:
        raise NotFound
    if plan.partner_id is not None:
        raise Conflict("One partner's own terms are no program's; preview sales by them instead.")
    waiting = await tx.scalar(
        select(func.count())
        .select_from(Backtest)
        .where(
            Backtest.workspace_id == caller.workspace_id,
            Backtest.state.in_(("queued", "running")),
        )
    )
    if waiting >= _MOST_QUEUED:
        raise Conflict("Too many back-tests of this workspace wait already.")
    backtest = uuid7()
    await tx.execute(
        insert(Backtest).values(
            workspace_id=caller.workspace_id,
            id=backtest,
            program_id=plan.program_id,
            plan_version_id=plan_id,
            from_at=body.from_,
            to_at=body.to,
        )
    )
    return await _shown(tx, caller, backtest)


@router.get("/backtests")
async def list_backtests(
    caller: Reader,
    read: ReadDep,
    wanted: PageDep,
    plan_id: Annotated[PlanId | None, Query()] = None,
) -> Listed[BacktestOut]:
    """Back-tests, newest first."""
    statement = _backtests(caller)
    if plan_id is not None:
        statement = statement.where(Backtest.plan_version_id == plan_id)
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    totals = await _totals(read, caller, [row.id for row in rows])
    data = [BacktestOut.of(row, totals[row.id]) for row in rows]
    return Listed(data=data, has_more=has_more)


@router.get("/backtests/{backtest_id}")
async def get_backtest(backtest_id: BacktestId, caller: Reader, read: ReadDep) -> BacktestOut:
    """One back-test, how far it is, and what it came to."""
    return await _shown(read, caller, backtest_id)


@router.post("/backtests/{backtest_id}/cancel", responses=documented(Conflict))
async def cancel_backtest(backtest_id: BacktestId, caller: Writer, tx: TxDep) -> BacktestOut:
    """Stop a back-test; the figures until then stay. Canceled once more, nothing happens."""
    await jobs.cancel(tx, caller.workspace_id, backtest_id)
    shown = await _shown(tx, caller, backtest_id)
    if shown.state != "canceled":
        raise Conflict(f"The back-test is {shown.state}.")
    return shown


@router.get("/backtests/{backtest_id}/partners")
async def list_backtest_partners(
    backtest_id: BacktestId,
    caller: Reader,
    read: ReadDep,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    starting_after: Annotated[str | None, Query(max_length=100)] = None,
) -> Listed[PartnerSumOut]:
    """What it would be for each partner and currency, in the order of the partners' ids.

    starting_after: `partner_id:currency` of the last entry of the page before; `:currency` of what
    customers are given, which comes first.
    """
    await _shown(read, caller, backtest_id)
    statement = select(*BacktestSum.__table__.columns).where(
        BacktestSum.workspace_id == caller.workspace_id, BacktestSum.backtest_id == backtest_id
    )
    if starting_after is not None:
        partner, currency = _anchor(starting_after)
        statement = statement.where(
            (BacktestSum.partner_id > partner)
            | ((BacktestSum.partner_id == partner) & (BacktestSum.currency > currency))
        )
    order = (BacktestSum.partner_id, BacktestSum.currency)
    rows = await read.all(statement.order_by(*order).limit(limit + 1))
    data = [PartnerSumOut.of(row) for row in rows[:limit]]
    return Listed(data=data, has_more=len(rows) > limit)


@router.get("/backtests/{backtest_id}/changes")
async def list_backtest_changes(
    backtest_id: BacktestId, caller: Reader, read: ReadDep
) -> Listed[ChangeOut]:
    """In which ways sales are paid otherwise, each with a few of them explained; most first."""
    await _shown(read, caller, backtest_id)
    rows = await read.all(
        select(*BacktestChange.__table__.columns)
        .where(
            BacktestChange.workspace_id == caller.workspace_id,
            BacktestChange.backtest_id == backtest_id,
        )
        .order_by(BacktestChange.sales.desc(), BacktestChange.key)
        .limit(2 * MOST_CHANGES)
    )
    return Listed(data=[ChangeOut.of(row) for row in rows], has_more=False)


async def _refuse_period(read: Read, wanted: BacktestCreate) -> None:
    if wanted.to <= wanted.from_:
        place = FieldError("body/to", "Not after `from`", "Send a later instant.")
        raise InvalidRequest(errors=[place])
    if wanted.to > await read.scalar(select(func.clock_timestamp())):
        place = FieldError("body/to", "In the future", "Send an instant that is past.")
        raise InvalidRequest(errors=[place])


def _anchor(text: str) -> tuple[UUID, str]:
    partner, _, currency = text.partition(":")
    try:
        return (decode("part", partner) if partner else CUSTOMERS), currency
    except MalformedIdError as error:
        remedy = "Send `partner_id:currency` of the last entry of the page before."
        place = FieldError("query/starting_after", "Not an entry of this list", remedy)
        raise InvalidRequest(errors=[place]) from error


async def _shown(read: Read, caller: Caller, backtest: UUID) -> BacktestOut:
    row = await read.first(_backtests(caller).where(Backtest.id == backtest))
    if row is None:
        raise NotFound
    totals = await _totals(read, caller, [backtest])
    return BacktestOut.of(row, totals[backtest])


async def _totals(
    read: Read, caller: Caller, backtests: Sequence[UUID]
) -> Mapping[UUID, list[BacktestSumOut]]:
    sums = [func.sum(getattr(BacktestSum, name)).label(name) for name in FIGURES]
    found: dict[UUID, list[BacktestSumOut]] = defaultdict(list)
    rows = await read.all(
        select(BacktestSum.backtest_id, BacktestSum.currency, *sums)
        .where(
            BacktestSum.workspace_id == caller.workspace_id,
            BacktestSum.backtest_id.in_(backtests),
        )
        .group_by(BacktestSum.backtest_id, BacktestSum.currency)
        .order_by(BacktestSum.currency)
    )
    for row in rows:
        found[row.backtest_id].append(BacktestSumOut.of(row))
    return found


def _backtests(caller: Caller) -> Select[Any]:
    return select(*Backtest.__table__.columns).where(Backtest.workspace_id == caller.workspace_id)
