"""`/v1/sources`: billing systems that post webhooks; their secrets go in and never come out."""

from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import Field, StringConstraints
from sqlalchemy import Row, func, insert, select, update

from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.conversions.providers.registry import PROVIDERS
from app.db.tables import Program, Source
from app.db.tx import Read, Tx
from app.errors import FieldError, InvalidRequest, NotFound
from app.ids import encode, uuid7
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.secret_keys import SecretKeys
from app.wire import In, Instant, Listed, Out, ProgramId, SourceId
from app.writing import Writes

router: Final = APIRouter(prefix="/sources", tags=["Sources and events"], route_class=Writes)
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]
_ORDER: Final = Order("src", Source.created_at, Source.id, Source.workspace_id)

Secret = Annotated[str, StringConstraints(min_length=16, max_length=500)]


class SourceCreate(In):
    """signing_secrets: several while one is being rolled. program_ids: only these may earn."""

    provider: Literal["stripe", "paddle", "chargebee", "shopify"]
    signing_secrets: Annotated[list[Secret], Field(min_length=1, max_length=5)] = Field(
        examples=[["whsec_…"]]
    )
    program_ids: Annotated[list[ProgramId], Field(max_length=100)] = []  # noqa: RUF012 (pydantic)


class SourceOut(Out):
    """webhook_url: where the provider posts. event_types: what to switch on there."""

    id: SourceId
    provider: str
    webhook_url: str
    event_types: list[str]
    program_ids: list[ProgramId]
    created_at: Instant

    @classmethod
    def of(cls, row: Row[Any], base_url: str) -> Self:
        return cls(
            id=row.id,
            provider=row.provider,
            webhook_url=f"{base_url}/v1/webhooks/{encode('src', row.id)}",
            event_types=list(PROVIDERS[row.provider].event_types),
            program_ids=row.program_ids,
            created_at=row.created_at,
        )


@router.post("", status_code=201, responses=documented(NotFound))
async def create_source(
    body: SourceCreate, caller: Admin, tx: TxDep, request: Request
) -> SourceOut:
    """Make a source, then give its `webhook_url` and `event_types` to the provider."""
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
    base_url = request.app.state.settings.base_url
    return Listed(data=[SourceOut.of(row, base_url) for row in rows], has_more=has_more)


@router.get("/{source_id}")
async def get_source(
    source_id: SourceId, caller: Admin, read: ReadDep, request: Request
) -> SourceOut:
    """One source, without its secrets."""
    return await _shown(read, caller, source_id, request)


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


async def create(tx: Tx, workspace: UUID, new: SourceCreate, keys: SecretKeys) -> UUID:
    """Store a source with its secrets sealed; InvalidRequest if a secret can't be one."""
    provider = PROVIDERS[new.provider]
    errors = [
        FieldError(f"body/signing_secrets/{n}", "Not a signing secret", provider.secret_form)
        for n, secret in enumerate(new.signing_secrets)
        if not provider.is_secret(secret)
    ]
    if errors:
        raise InvalidRequest(errors=errors)
    await _refuse_unknown_programs(tx, workspace, new.program_ids)
    source = uuid7()
    await tx.execute(
        insert(Source).values(
            id=source,
            workspace_id=workspace,
            provider=new.provider,
            sealed_secrets=keys.seal(orjson.dumps(new.signing_secrets), owner=source.bytes),
            program_ids=new.program_ids,
        )
    )
    return source


async def _refuse_unknown_programs(tx: Tx, workspace: UUID, programs: list[UUID]) -> None:
    found = await tx.all(
        select(Program.id).where(Program.workspace_id == workspace, Program.id.in_(programs))
    )
    known = {row.id for row in found}
    unknown = [n for n, program in enumerate(programs) if program not in known]
    if unknown:
        raise NotFound(
            errors=[FieldError(f"body/program_ids/{n}", "No such program here") for n in unknown]
        )


def _sources(caller: Caller) -> Any:
    return select(Source.id, Source.provider, Source.program_ids, Source.created_at).where(
        Source.workspace_id == caller.workspace_id, Source.archived_at.is_(None)
    )


async def _shown(read: Read, caller: Caller, source: UUID, request: Request) -> SourceOut:
    row = await read.first(_sources(caller).where(Source.id == source))
    if row is None:
        raise NotFound
    return SourceOut.of(row, request.app.state.settings.base_url)
