"""`/v1/workspaces`: the first workspace makes, sees and changes all, others themselves."""

from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from sqlalchemy import Row, Select, select

from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.core.world import PRECEDENCE, Rank, all_programs, all_ranks
from app.db.tables import Workspace, WorkspacePrecedence
from app.db.tx import Read
from app.errors import MissingScope, NotFound
from app.pages import Order, PageDep, page
from app.program.workspaces.change import WorkspaceUpdate, change
from app.program.workspaces.create import create
from app.wire import In, Instant, KeyId, Listed, Name, Out, ProgramId, WorkspaceId
from app.writing import Writes

router: Final = APIRouter(prefix="/workspaces", tags=["Workspaces and keys"], route_class=Writes)
_ORDER: Final = Order("ws", Workspace.created_at, Workspace.id, Workspace.id)
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]


class WorkspaceCreate(In):
    """mode: whether its events are real money (`live`) or a billing system's test mode."""

    name: Name
    mode: Literal["live", "test"]


class WorkspaceOut(Out):
    """A tenant."""

    id: WorkspaceId
    name: str
    mode: Literal["live", "test"]
    fallback: str | None
    click_retention_days: int
    body_retention_days: int
    precedence: list[Rank]
    program_precedence: list[ProgramId]
    joins_emails: bool
    joins_emails_since: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            id=row.id,
            name=row.name,
            mode=row.mode,
            fallback=row.fallback,
            click_retention_days=row.click_retention_days,
            body_retention_days=row.body_retention_days,
            precedence=list(all_ranks(row.precedence or PRECEDENCE)),
            program_precedence=list(all_programs(row.precedence or PRECEDENCE)),
            joins_emails=row.joins_emails_since is not None,
            joins_emails_since=row.joins_emails_since,
            created_at=row.created_at,
        )


class AdminKeyOut(Out):
    """key: shown only here; only its hash is kept."""

    id: KeyId
    key: str = Field(examples=["ff_test_…"])


class WorkspaceCreated(WorkspaceOut):
    """The workspace and its first admin key."""

    admin_key: AdminKeyOut


@router.post("", status_code=201)
async def create_workspace(body: WorkspaceCreate, caller: Admin, tx: TxDep) -> WorkspaceCreated:
    """Make a workspace; only admin keys of the first workspace may."""
    if not caller.first:
        raise MissingScope("Only admin keys of the first workspace make workspaces.")
    made = await create(tx, name=body.name, mode=body.mode)
    shown = await _shown(tx, caller, made.id)
    admin_key = AdminKeyOut(id=made.key_id, key=made.key.key)
    return WorkspaceCreated(**dict(shown), admin_key=admin_key)


@router.get("")
async def list_workspaces(caller: Admin, read: ReadDep, wanted: PageDep) -> Listed[WorkspaceOut]:
    """The caller's own workspace; all of them for the first one."""
    workspace = None if caller.first else caller.workspace_id
    rows, has_more = await page(read, _visible(caller), _ORDER, wanted, workspace=workspace)
    return Listed(data=[WorkspaceOut.of(row) for row in rows], has_more=has_more)


@router.get("/{workspace_id}")
async def get_workspace(workspace_id: WorkspaceId, caller: Admin, read: ReadDep) -> WorkspaceOut:
    """One workspace."""
    return await _shown(read, caller, workspace_id)


@router.patch("/{workspace_id}")
async def change_workspace(
    workspace_id: WorkspaceId, body: WorkspaceUpdate, caller: Admin, tx: TxDep, request: Request
) -> WorkspaceOut:
    """Change what is given. A new fallback is in force within a second."""
    await _shown(tx, caller, workspace_id)
    own_host = urlsplit(request.app.state.settings.base_url).netloc
    await change(tx, workspace_id, body, own_host)
    return await _shown(tx, caller, workspace_id)


async def _shown(read: Read, caller: Caller, workspace_id: UUID) -> WorkspaceOut:
    row = await read.first(_visible(caller).where(Workspace.id == workspace_id))
    if row is None:
        raise NotFound
    return WorkspaceOut.of(row)


def _visible(caller: Caller) -> Select[Any]:
    latest = (
        select(WorkspacePrecedence.ranks)
        .where(WorkspacePrecedence.workspace_id == Workspace.id)
        .order_by(WorkspacePrecedence.since.desc())
        .limit(1)
        .scalar_subquery()
    )
    statement = select(Workspace.__table__, latest.label("precedence"))
    return statement if caller.first else statement.where(Workspace.id == caller.workspace_id)
