"""`/v1/programs/{id}/plans` and `/v1/plans`: the versions of a program's terms."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Row, Select, select

from app.auth import Caller, ReadDep, Scope, in_lane, needs
from app.db.tables import PlanVersion, Program
from app.db.tx import Read, Tx
from app.errors import Conflict, NotFound, PlanInvalid
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.plans.agree import PlanEnd, end
from app.program.plans.publish import PlanDraft, PlanPublish, draft, publish
from app.terms import PlanDocument
from app.wire import Instant, Listed, Out, PartnerId, PlanId, ProgramId
from app.writing import Writes

router: Final = APIRouter(tags=["Programs and plans"], route_class=Writes)
_ORDER: Final = Order("plan", PlanVersion.created_at, PlanVersion.id, PlanVersion.workspace_id)
Reader = Annotated[Caller, Depends(needs(Scope.PROGRAMS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.PROGRAMS_WRITE))]
Lane = Annotated[Tx, in_lane(Scope.PROGRAMS_WRITE)]


class PlanOut(Out):
    """partner_id: whose own terms they are, numbered for themselves; none: the program's.

    effective_from: none in a draft, and in the first version, which covers all before it.
    effective_until: of a partner's own terms that have an end.
    """

    id: PlanId
    program_id: ProgramId
    partner_id: PartnerId | None
    version: int
    status: Literal["draft", "published"]
    plan: PlanDocument
    effective_from: Instant | None
    effective_until: Instant | None
    published_at: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            id=row.id,
            program_id=row.program_id,
            partner_id=row.partner_id,
            version=row.version,
            status="published" if row.published_at else "draft",
            plan=row.document,
            effective_from=row.effective_from,
            effective_until=row.effective_until,
            published_at=row.published_at,
            created_at=row.created_at,
        )


@router.get("/programs/{program_id}/plans")
async def list_plans(
    program_id: ProgramId,
    caller: Reader,
    read: ReadDep,
    wanted: PageDep,
    *,
    partner_id: Annotated[PartnerId | None, Query()] = None,
) -> Listed[PlanOut]:
    """All versions of a program's plan, or of one partner's own terms there; drafts too."""
    known = await read.first(
        select(Program.id).where(
            Program.workspace_id == caller.workspace_id, Program.id == program_id
        )
    )
    if known is None:
        raise NotFound
    statement = _plans(caller).where(
        PlanVersion.program_id == program_id,
        PlanVersion.partner_id.is_not_distinct_from(partner_id),
    )
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[PlanOut.of(row) for row in rows], has_more=has_more)


@router.post(
    "/programs/{program_id}/plans", status_code=201, responses=documented(Conflict, PlanInvalid)
)
async def draft_plan(program_id: ProgramId, body: PlanDraft, caller: Writer, tx: Lane) -> PlanOut:
    """Draft the next version of a program's plan, or of one partner's own terms in it."""
    plan_id = await draft(tx, caller.workspace_id, program_id, body)
    return await _shown(tx, caller, plan_id)


@router.get("/plans/{plan_id}")
async def get_plan(plan_id: PlanId, caller: Reader, read: ReadDep) -> PlanOut:
    """One version."""
    return await _shown(read, caller, plan_id)


@router.post("/plans/{plan_id}/publish", responses=documented(Conflict))
async def publish_plan(plan_id: PlanId, body: PlanPublish, caller: Writer, tx: Lane) -> PlanOut:
    """Put a draft into force from an instant on; after that it never changes."""
    await publish(tx, caller.workspace_id, plan_id, body)
    return await _shown(tx, caller, plan_id)


@router.post("/plans/{plan_id}/end", responses=documented(Conflict))
async def end_plan(plan_id: PlanId, body: PlanEnd, caller: Writer, tx: Lane) -> PlanOut:
    """End a partner's own terms; the program's hold for it again."""
    await end(tx, caller.workspace_id, plan_id, body)
    return await _shown(tx, caller, plan_id)


async def _shown(read: Read, caller: Caller, plan_id: PlanId) -> PlanOut:
    row = await read.first(_plans(caller).where(PlanVersion.id == plan_id))
    if row is None:
        raise NotFound
    return PlanOut.of(row)


def _plans(caller: Caller) -> Select[Any]:
    return select(PlanVersion).where(PlanVersion.workspace_id == caller.workspace_id)
