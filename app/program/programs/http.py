"""`/v1/programs`: programs with the terms in force."""

from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Row, Select, case, select

from app.auth import Caller, ReadDep, Scope, TxDep, in_lane, needs
from app.db.tables import PlanVersion, Program, ProgramState
from app.db.tx import Read, Tx
from app.errors import Conflict, DestinationNotAllowed, NotFound, PlanInvalid
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.programs.change import ProgramUpdate, archive, change
from app.program.programs.create import ProgramCreate, create
from app.terms import PlanDocument
from app.terms_in_force import in_force
from app.utm import Utm
from app.wire import Currency, Instant, Listed, Out, PlanId, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/programs", tags=["Programs and plans"], route_class=Writes)
_ORDER: Final = Order("prog", Program.created_at, Program.id, Program.workspace_id)
Reader = Annotated[Caller, Depends(needs(Scope.PROGRAMS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.PROGRAMS_WRITE))]
Lane = Annotated[Tx, in_lane(Scope.PROGRAMS_WRITE)]


class ProgramOut(Out):
    """plan, plan_id, plan_version: the terms in force now."""

    id: ProgramId
    name: str
    currency: Currency
    destination_hosts: list[str]
    default_destination: str
    click_parameter: str
    utm: Utm
    keeps_network: bool
    claim_days: int | None
    terms_public: bool
    ltv_cac_floor: int
    status: Literal["active", "paused", "archived"]
    plan_id: PlanId
    plan_version: int
    plan: PlanDocument
    created_at: Instant
    archived_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            id=row.id,
            name=row.name,
            currency=row.currency,
            destination_hosts=row.destination_hosts,
            default_destination=row.default_destination,
            click_parameter=row.click_parameter,
            utm=row.utm,
            keeps_network=row.keeps_network,
            claim_days=row.claim_days,
            terms_public=row.terms_public,
            ltv_cac_floor=row.ltv_cac_floor,
            status=row.status,
            plan_id=row.plan_id,
            plan_version=row.plan_version,
            plan=row.plan,
            created_at=row.created_at,
            archived_at=row.archived_at,
        )


@router.post("", status_code=201, responses=documented(PlanInvalid, DestinationNotAllowed))
async def create_program(body: ProgramCreate, caller: Writer, tx: TxDep) -> ProgramOut:
    """Make a program. Its plan is published at once and covers every earlier sale too."""
    made = await create(tx, caller.workspace_id, body)
    return await shown(tx, caller, made.id)


@router.get("")
async def list_programs(
    caller: Reader, read: ReadDep, wanted: PageDep, *, archived: Annotated[bool, Query()] = False
) -> Listed[ProgramOut]:
    """Programs; `archived=true` lists the archived ones instead."""
    is_archived = Program.archived_at.is_not(None)
    statement = _programs(caller).where(is_archived if archived else ~is_archived)
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[ProgramOut.of(row) for row in rows], has_more=has_more)


@router.get("/{program_id}")
async def get_program(program_id: ProgramId, caller: Reader, read: ReadDep) -> ProgramOut:
    """One program."""
    return await shown(read, caller, program_id)


@router.patch("/{program_id}", responses=documented(Conflict, DestinationNotAllowed))
async def change_program(
    program_id: ProgramId, body: ProgramUpdate, caller: Writer, tx: Lane
) -> ProgramOut:
    """Change what is given. `status` pauses and resumes: what is sold meanwhile earns nothing."""
    await change(tx, caller.workspace_id, program_id, body)
    return await shown(tx, caller, program_id)


@router.delete("/{program_id}")
async def archive_program(program_id: ProgramId, caller: Writer, tx: Lane) -> ProgramOut:
    """Archive a program and its links. Money that was earned stays and is paid."""
    await archive(tx, caller.workspace_id, program_id)
    return await shown(tx, caller, program_id)


async def shown(read: Read, caller: Caller, program_id: ProgramId) -> ProgramOut:
    row = await read.first(_programs(caller).where(Program.id == program_id))
    if row is None:
        raise NotFound
    return ProgramOut.of(row)


def _programs(caller: Caller) -> Select[Any]:
    state = (
        select(ProgramState.state)
        .where(
            ProgramState.workspace_id == Program.workspace_id,
            ProgramState.program_id == Program.id,
        )
        .order_by(ProgramState.since.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns: tuple[Any, ...] = (PlanVersion.id, PlanVersion.version, PlanVersion.document)
    versions = select(*columns).where(
        PlanVersion.workspace_id == Program.workspace_id, PlanVersion.program_id == Program.id
    )
    plan = in_force(versions).lateral("in_force")
    return (
        select(
            *Program.__table__.columns,
            case((Program.archived_at.is_not(None), "archived"), else_=state).label("status"),
            plan.c.id.label("plan_id"),
            plan.c.version.label("plan_version"),
            plan.c.document.label("plan"),
        )
        .join_from(Program, plan, plan.c.id.is_not(None))
        .where(Program.workspace_id == caller.workspace_id)
    )
