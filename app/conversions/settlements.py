"""`/v1/partners/{id}/settlements`: its periods under whole bands, and what each still came to."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query
from pydantic import Field

from app.auth import Caller, ReadDep, Scope, needs
from app.conversions.canon import reasons_json
from app.conversions.surroundings import compiled_fact
from app.conversions.tally_canon import moves_of
from app.conversions.true_up_canon import period_of_facts
from app.core.tallies import BASE
from app.core.true_up import bands_of, true_up
from app.core.world import PlanFact
from app.errors import NotFound
from app.sentences import ReasonOut
from app.wire import Amount, CommissionId, Currency, Instant, Out, PartnerId, PlanId, ProgramId

router: Final = APIRouter(tags=["Money"])
Reader = Annotated[Caller, Depends(needs(Scope.COMMISSIONS_READ))]
_LAST_NUMBER: Final = 2**63 - 1


class SettlementOut(Out):
    """A period that is settled for good. number: of its decision. base: what the sales come to that
    the rule paid for, less what had gone back. commission_id: what pays the rest; none if nothing
    was left.
    """

    number: int
    rule: str = Field(examples=["volume"])
    within: str = Field(description="`2026-03`, `2026-q1` or `2026`.", examples=["2026-03"])
    currency: Currency
    plan_id: PlanId
    base: Amount
    rate_bps: int = Field(examples=[2000])
    amount: Amount
    commission_id: CommissionId | None
    reason: ReasonOut
    settled_at: Instant


class Settlements(Out):
    """Newest first; the next page starts after the last number."""

    data: list[SettlementOut]
    has_more: bool


@router.get("/partners/{partner_id}/settlements")
async def list_settlements(
    partner_id: PartnerId,
    program_id: ProgramId,
    caller: Reader,
    read: ReadDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    starting_after: Annotated[
        int | None, Query(ge=1, le=_LAST_NUMBER, description="A settlement's number.")
    ] = None,
) -> Settlements:
    """A partner's periods that are settled, also those that left nothing to pay, each with why."""
    driver = await read.driver()
    workspace = caller.workspace_id
    if not await driver.fetchval(
        "SELECT EXISTS (SELECT FROM enrollments"
        " WHERE workspace_id = $1 AND program_id = $2 AND partner_id = $3)",
        workspace,
        program_id,
        partner_id,
    ):
        raise NotFound
    rows = await driver.fetch(
        """
        SELECT d.decision_no, d.facts, d.decided_at FROM tallies t
        JOIN decisions d ON d.workspace_id = $1 AND d.decision_no = t.settled_no
        WHERE t.workspace_id = $1 AND t.program_id = $2 AND t.partner_id = $3
          AND starts_with(t.name, $4) AND t.settled_no > 0 AND t.settled_no < $5
        ORDER BY d.decision_no DESC LIMIT $6
        """,
        workspace,
        program_id,
        partner_id,
        BASE,
        starting_after or _LAST_NUMBER,
        limit + 1,
    )
    plans = await _plans(driver, workspace, rows[:limit])
    return Settlements(
        data=[_settlement(row, plans) for row in rows[:limit]], has_more=len(rows) > limit
    )


async def _plans(
    driver: "asyncpg.Connection[Any]", workspace: UUID, rows: Sequence[Mapping[str, Any]]
) -> dict[UUID, PlanFact]:
    """The terms that the periods were settled by."""
    found = await driver.fetch(
        "SELECT id, partner_id, version, document, effective_from, effective_until"
        " FROM plan_versions WHERE workspace_id = $1 AND id = ANY($2)",
        workspace,
        sorted({UUID(row["facts"]["true_up"]["terms"]) for row in rows}),
    )
    return {row["id"]: compiled_fact(row) for row in found}


def _settlement(row: Mapping[str, Any], plans: Mapping[UUID, PlanFact]) -> SettlementOut:
    """Worked out again from what the decision read."""
    told = row["facts"]["true_up"]
    terms, period = plans[UUID(told["terms"])], period_of_facts(told)
    bands = bands_of(terms.plan, period)
    assert bands is not None
    totals = {key: before for key, (before, _) in moves_of(row["facts"]["tallies"]).items()}
    rest = true_up(bands, period, totals)
    (reason,) = reasons_json((rest.reason,))
    return SettlementOut(
        number=row["decision_no"],
        rule=period.rule_id,
        within=period.within,
        currency=period.currency,
        plan_id=terms.id,
        base=rest.base,
        rate_bps=rest.rate_bps,
        amount=rest.amount,
        commission_id=period.commission_id if rest.amount else None,
        reason=ReasonOut.of(reason),
        settled_at=row["decided_at"],
    )
