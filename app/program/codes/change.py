"""Change until when a code is valid and how providers call it, or archive it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from app.db.tables import Code, CodeProviderId, CodeState
from app.db.tx import Tx
from app.errors import Conflict, NotFound
from app.program.codes.create import ProviderIds, name_at_provider, refuse_past, taken
from app.wire import In, Instant


class CodeUpdate(In):
    """What is absent stays; `null` clears valid_until. What was used by then keeps its meaning.

    provider_ids: all that the code has from now on; what is left out is free for another code.
    """

    valid_until: Instant | None = None
    provider_ids: ProviderIds = []  # noqa: RUF012 (pydantic copies defaults)


async def change(tx: Tx, workspace: UUID, code_id: UUID, wanted: CodeUpdate) -> None:
    """tx: in the lane, since a change must not pass by a sale that is being decided.

    NotFound; Conflict if it is archived; CodeTaken; InvalidRequest for an end in the past.
    """
    await _refuse_archived(tx, workspace, code_id)
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    if "valid_until" in wanted.model_fields_set:
        refuse_past(wanted.valid_until, now, "body")
        await _restate(tx, workspace, code_id, "active", now)
        if wanted.valid_until is not None:
            await _write_state(tx, workspace, code_id, "ended", wanted.valid_until)
        await _set(tx, code_id, valid_until=wanted.valid_until)
    if "provider_ids" in wanted.model_fields_set:
        await _rename(tx, workspace, code_id, wanted.provider_ids, now)


async def archive(tx: Tx, workspace: UUID, code_id: UUID) -> None:
    """No use from now on counts; the text stays taken, its ids at providers are free. Twice:
    nothing. tx: in the lane.
    """
    if await _archived_at(tx, workspace, code_id) is not None:
        return
    now: datetime = await tx.scalar(select(func.clock_timestamp()))
    await _restate(tx, workspace, code_id, "ended", now)
    await _rename(tx, workspace, code_id, [], now)
    await _set(tx, code_id, archived_at=now)


async def _refuse_archived(tx: Tx, workspace: UUID, code_id: UUID) -> None:
    if await _archived_at(tx, workspace, code_id) is not None:
        raise Conflict("The code is archived.")


async def _archived_at(tx: Tx, workspace: UUID, code_id: UUID) -> datetime | None:
    row = await tx.first(
        select(Code.archived_at).where(Code.workspace_id == workspace, Code.id == code_id)
    )
    if row is None:
        raise NotFound
    archived_at: datetime | None = row.archived_at
    return archived_at


async def _restate(tx: Tx, workspace: UUID, code_id: UUID, state: str, now: datetime) -> None:
    """The code has this state from now on; what lay ahead is void, what has been stays."""
    own = (CodeState.workspace_id == workspace, CodeState.code_id == code_id)
    await tx.execute(delete(CodeState).where(*own, CodeState.since > now))
    current = await tx.scalar(
        select(CodeState.state).where(*own).order_by(CodeState.since.desc()).limit(1)
    )
    if current != state:
        await _write_state(tx, workspace, code_id, state, now)


async def _write_state(tx: Tx, workspace: UUID, code_id: UUID, state: str, since: datetime) -> None:
    await tx.execute(
        insert(CodeState).values(workspace_id=workspace, code_id=code_id, since=since, state=state)
    )


async def _rename(
    tx: Tx, workspace: UUID, code_id: UUID, provider_ids: list[str], now: datetime
) -> None:
    """These are its ids at providers from now on."""
    own = (
        CodeProviderId.workspace_id == workspace,
        CodeProviderId.code_id == code_id,
        CodeProviderId.until.is_(None),
    )
    await tx.execute(
        update(CodeProviderId)
        .where(*own, CodeProviderId.provider_id.not_in(provider_ids))
        .values(until=now)
    )
    if not provider_ids:
        return
    pairs = [(code_id, provider_id) for provider_id in provider_ids]
    named = await name_at_provider(tx, workspace, pairs, now)
    for n, pair in enumerate(pairs):
        if pair not in named:
            raise taken(f"body/provider_ids/{n}")


async def _set(tx: Tx, code_id: UUID, **values: Any) -> None:
    await tx.execute(update(Code).where(Code.id == code_id).values(**values))
