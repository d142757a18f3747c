"""`/v1/webhooks/{source}`: receive bytes, verify, store, acknowledge after the commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final, cast
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy import select

from app.conversions.batching import Batches
from app.conversions.incoming import Incoming, Stored
from app.conversions.providers.registry import PROVIDERS
from app.conversions.put_back import take_in
from app.db.engine import Database
from app.db.tables import Source, Workspace
from app.errors import NotFound, SignatureInvalid
from app.openapi import documented
from app.secret_keys import SecretKeys
from app.wire import EventId, Out, SourceId

router: Final = APIRouter(prefix="/webhooks", tags=["Sources and events"])
BATCH: Final = 50
"""Concurrent webhooks stored by one commit."""


class Acknowledged(Out):
    """duplicate: it came before. What became of it: `GET /v1/events/{event_id}`."""

    event_id: EventId
    duplicate: bool


@dataclass(frozen=True, slots=True)
class _OpenSource:
    workspace_id: UUID
    live: bool
    provider: str
    secrets: Sequence[str]
    program_ids: tuple[UUID, ...]
    with_tax: bool


class Receiver:
    """Takes webhooks in, many by one commit."""

    def __init__(self, database: Database, keys: SecretKeys) -> None:
        self._database = database
        self._keys = keys
        self._batches = Batches(self._store, limit=BATCH)

    async def receive(self, source: UUID, headers: Mapping[str, str], body: bytes) -> Acknowledged:
        """Store one webhook; NotFound or SignatureInvalid, and nothing stored, if it is not one."""
        opened = await self._open(source)
        provider, now = PROVIDERS[opened.provider], datetime.now(UTC)
        if not provider.verify(headers, body, opened.secrets, now=now):
            raise SignatureInvalid(
                "Check the source's signing secret, that the body came unchanged, and both clocks."
            )
        kept = provider.kept(headers)
        read = partial(provider.read, body, live=opened.live, received_at=now, headers=kept)
        message = Incoming(
            workspace_id=opened.workspace_id,
            source=str(source),
            meaning=read(with_tax=opened.with_tax),
            body=body,
            program_ids=opened.program_ids,
            headers=kept,
            with_tax=opened.with_tax,
            otherwise=partial(read, with_tax=not opened.with_tax),
        )
        stored = await self._batches.submit(None, message)
        return Acknowledged(event_id=stored.event_id, duplicate=stored.duplicate)

    async def _store(self, _all: None, messages: Sequence[Incoming]) -> list[Stored]:
        async with self._database.tx() as tx:
            return await take_in(tx, messages, self._keys.click_keys)

    async def _open(self, source: UUID) -> _OpenSource:
        async with self._database.read() as read:
            row = await read.first(
                select(
                    Source.workspace_id,
                    Source.provider,
                    Source.sealed_secrets,
                    Source.program_ids,
                    Source.with_tax,
                    Workspace.mode,
                )
                .join(Workspace, Workspace.id == Source.workspace_id)
                .where(Source.id == source, Source.archived_at.is_(None))
            )
        if row is None:
            raise NotFound
        return _OpenSource(
            workspace_id=row.workspace_id,
            live=row.mode == "live",
            provider=row.provider,
            secrets=orjson.loads(self._keys.open(row.sealed_secrets, owner=source.bytes)),
            program_ids=tuple(row.program_ids),
            with_tax=row.with_tax,
        )


def get_receiver(request: Request) -> Receiver:
    return cast("Receiver", request.app.state.receiver)


@router.post("/{source_id}", responses=documented(SignatureInvalid, NotFound))
async def receive_webhook(
    source_id: SourceId, request: Request, receiver: Annotated[Receiver, Depends(get_receiver)]
) -> Acknowledged:
    """The provider posts here. Answered once it is stored; decided within a second."""
    return await receiver.receive(source_id, request.headers, await request.body())
