"""`/v1/codes`: referral codes, which attribute without a click."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from sqlalchemy import Row, Select, func, select
from sqlalchemy.dialects.postgresql import ARRAY, TEXT, aggregate_order_by

from app.auth import Caller, ReadDep, Scope, TxDep, in_lane, needs
from app.core import codes
from app.db.tables import Code, CodeProviderId
from app.db.tx import Read, Tx
from app.errors import CodeTaken, Conflict, NotFound, RowsRefused
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.codes.change import CodeUpdate, archive, change
from app.program.codes.create import MAX_CODES, CodeCreate, create, create_all
from app.wire import CodeId, In, Instant, Listed, Out, PartnerId, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/codes", tags=["Codes"], route_class=Writes)
_ORDER: Final = Order("code", Code.created_at, Code.id, Code.workspace_id)
Reader = Annotated[Caller, Depends(needs(Scope.LINKS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.LINKS_WRITE))]
Lane = Annotated[Tx, in_lane(Scope.LINKS_WRITE)]


class CodeOut(Out):
    """code: in upper case. provider_ids: how providers call it now."""

    id: CodeId
    program_id: ProgramId
    partner_id: PartnerId
    code: str = Field(examples=["ANA10"])
    provider_ids: list[str]
    valid_until: Instant | None
    created_at: Instant
    archived_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            id=row.id,
            program_id=row.program_id,
            partner_id=row.partner_id,
            code=row.code,
            provider_ids=row.provider_ids or [],
            valid_until=row.valid_until,
            created_at=row.created_at,
            archived_at=row.archived_at,
        )


class CodesCreate(In):
    """The body may have 1,000,000 bytes."""

    codes: Annotated[list[CodeCreate], Field(min_length=1, max_length=MAX_CODES)]


class CodesMadeOut(Out):
    """The codes in the order of the request."""

    data: list[CodeOut]


@router.post("", status_code=201, responses=documented(NotFound, CodeTaken))
async def create_code(body: CodeCreate, caller: Writer, tx: TxDep) -> CodeOut:
    """Make a code of a partner. A conversion with it is the partner's, with or without a click."""
    code_id = await create(tx, caller.workspace_id, body)
    return await _shown(tx, caller, code_id)


@router.post("/bulk", status_code=201, responses=documented(RowsRefused))
async def create_codes(body: CodesCreate, caller: Writer, tx: TxDep) -> CodesMadeOut:
    """Make up to 1,000 codes at once: all, or none and every row that stands in the way."""
    ids = await create_all(tx, caller.workspace_id, body.codes)
    rows = await tx.all(_codes(caller.workspace_id).where(Code.id.in_(ids)))
    by_id = {row.id: row for row in rows}
    return CodesMadeOut(data=[CodeOut.of(by_id[code_id]) for code_id in ids])


@dataclass(frozen=True, slots=True)
class _Filter:
    program_id: Annotated[ProgramId | None, Query()] = None
    partner_id: Annotated[PartnerId | None, Query()] = None
    code: Annotated[str | None, Query(max_length=100, description="In whatever case.")] = None
    archived: Annotated[bool, Query()] = False


@router.get("")
async def list_codes(
    caller: Reader, read: ReadDep, wanted: PageDep, only: Annotated[_Filter, Depends()]
) -> Listed[CodeOut]:
    """Codes, of one program or partner if given; `archived=true` lists the archived ones."""
    is_archived = Code.archived_at.is_not(None)
    statement = _codes(caller.workspace_id).where(is_archived if only.archived else ~is_archived)
    if only.program_id is not None:
        statement = statement.where(Code.program_id == only.program_id)
    if only.partner_id is not None:
        statement = statement.where(Code.partner_id == only.partner_id)
    if only.code is not None:
        statement = statement.where(Code.code == codes.normal(only.code))
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[CodeOut.of(row) for row in rows], has_more=has_more)


@router.get("/{code_id}")
async def get_code(code_id: CodeId, caller: Reader, read: ReadDep) -> CodeOut:
    """One code."""
    return await _shown(read, caller, code_id)


@router.patch("/{code_id}", responses=documented(Conflict, CodeTaken))
async def change_code(code_id: CodeId, body: CodeUpdate, caller: Writer, tx: Lane) -> CodeOut:
    """Change until when a code is valid, and how providers call it. What was used stays."""
    await change(tx, caller.workspace_id, code_id, body)
    return await _shown(tx, caller, code_id)


@router.delete("/{code_id}")
async def archive_code(code_id: CodeId, caller: Writer, tx: Lane) -> CodeOut:
    """Archive a code: uses from now on count nothing. Its text stays taken."""
    await archive(tx, caller.workspace_id, code_id)
    return await _shown(tx, caller, code_id)


async def _shown(read: Read, caller: Caller, code_id: UUID) -> CodeOut:
    row = await read.first(_codes(caller.workspace_id).where(Code.id == code_id))
    if row is None:
        raise NotFound
    return CodeOut.of(row)


def _codes(workspace: UUID) -> Select[Any]:
    """All codes of a workspace, for `CodeOut.of`."""
    named = CodeProviderId.provider_id
    provider_ids = (
        select(func.array_agg(aggregate_order_by(named, named), type_=ARRAY(TEXT)))
        .where(CodeProviderId.code_id == Code.id, CodeProviderId.until.is_(None))
        .correlate(Code)
        .scalar_subquery()
    )
    return select(*Code.__table__.columns, provider_ids.label("provider_ids")).where(
        Code.workspace_id == workspace
    )
