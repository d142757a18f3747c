"""`/v1/sources`: billing systems that post webhooks; their secrets go in and never come out."""

from typing import Annotated, Any, Final, Self
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy import Row, func, select, update

from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.conversions.providers.registry import PROVIDERS
from app.conversions.sources.change import SourceCreate, SourceUpdate, change, create
from app.db.tables import Source
from app.db.tx import Read
from app.errors import Conflict, NotFound
from app.ids import encode
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.secret_keys import SecretKeys
from app.wire import Instant, Listed, Out, ProgramId, SourceId
from app.writing import Writes

router: Final = APIRouter(prefix="/sources", tags=["Sources and events"], route_class=Writes)
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]
_ORDER: Final = Order("src", Source.created_at, Source.id, Source.workspace_id)


class SourceOut(Out):
    """webhook_url: where the provider posts. event_types: what to switch on there.

    signing_secrets: how many count. has_api_key: whether its events are listed each hour;
    reconciled_to: up to when that was done.
    """

    id: SourceId
    provider: str
    webhook_url: str
    event_types: list[str]
    signing_secrets: int
    program_ids: list[ProgramId]
    with_tax: bool
    has_api_key: bool
    reconciled_to: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, row: Row[Any], request: Request) -> Self:
        keys: SecretKeys = request.app.state.secret_keys
        base_url = request.app.state.settings.base_url
        return cls(
            id=row.id,
            provider=row.provider,
            webhook_url=f"{base_url}/v1/webhooks/{encode('src', row.id)}",
            event_types=list(PROVIDERS[row.provider].event_types),
            signing_secrets=len(orjson.loads(keys.open(row.sealed_secrets, owner=row.id.bytes))),
            program_ids=row.program_ids,
            with_tax=row.with_tax,
            has_api_key=row.sealed_api_key is not None,
            reconciled_to=row.reconciled_to,
            created_at=row.created_at,
        )


@router.post("", status_code=201, responses=documented(NotFound, Conflict))
async def create_source(
    body: SourceCreate, caller: Admin, tx: TxDep, request: Request
) -> SourceOut:
    """Make a source, then give its `webhook_url` and `event_types` to the provider.

    A second one of Chargebee is refused: its invoices are numbered per site.
    """
    source = await create(tx, caller.workspace_id, body, request.app.state.secret_keys)
    return await _shown(tx, caller, source, request)


@router.get("")
async def list_sources(
    caller: Admin, read: ReadDep, wanted: PageDep, request: Request
) -> Listed[SourceOut]:
    """Sources, newest first."""
    rows, has_more = await page(
        read, _sources(caller), _ORDER, wanted, workspace=caller.workspace_id
    )
    return Listed(data=[SourceOut.of(row, request) for row in rows], has_more=has_more)


@router.get("/{source_id}")
async def get_source(
    source_id: SourceId, caller: Admin, read: ReadDep, request: Request
) -> SourceOut:
    """One source, without its secrets."""
    return await _shown(read, caller, source_id, request)


@router.patch("/{source_id}", responses=documented(NotFound))
async def change_source(
    source_id: SourceId, body: SourceUpdate, caller: Admin, tx: TxDep, request: Request
) -> SourceOut:
    """Roll secrets, limit programs, count with tax; in force from the next webhook on."""
    await change(tx, caller.workspace_id, source_id, body, request.app.state.secret_keys)
    return await _shown(tx, caller, source_id, request)


@router.delete("/{source_id}")
async def archive_source(
    source_id: SourceId, caller: Admin, tx: TxDep, request: Request
) -> SourceOut:
    """Stop taking webhooks from it. Its events stay."""
    shown = await _shown(tx, caller, source_id, request)
    await tx.execute(
        update(Source)
        .where(Source.workspace_id == caller.workspace_id, Source.id == source_id)
        .values(archived_at=func.now())
    )
    return shown


def _sources(caller: Caller) -> Any:
    return select(*Source.__table__.columns).where(
        Source.workspace_id == caller.workspace_id, Source.archived_at.is_(None)
    )


async def _shown(read: Read, caller: Caller, source: UUID, request: Request) -> SourceOut:
    row = await read.first(_sources(caller).where(Source.id == source))
    if row is None:
        raise NotFound
    return SourceOut.of(row, request)
