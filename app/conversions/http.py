"""`/v1/webhooks/{source}`: receive bytes, verify, store, acknowledge after the commit."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final, cast
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Request
from sqlalchemy import literal_column, select, text

from app.conversions.batching import Batches
from app.conversions.intake.incoming import Incoming, Stored
from app.conversions.intake.put_back import take_in
from app.conversions.providers.registry import PROVIDERS
from app.db.engine import Database
from app.db.tables import Source, Workspace
from app.errors import NotFound, SignatureInvalid
from app.openapi import documented
from app.secret_keys import SecretKeys
from app.wire import EventId, Out, SourceId

router: Final = APIRouter(prefix="/webhooks", tags=["Sources and events"])
BATCH: Final = 50
"""Concurrent webhooks stored by one commit."""
STREAMS: Final = 2
"""Commits under way at once; an external id has its own, so that none waits for another's rows."""
_KEPT_OPEN: Final = 1_000
_VERSIONS: Final = text(
    "SELECT s.id::text, s.xmin::text::bigint AS version,"
    " w.joins_emails_since IS NOT NULL AS joins_email"
    " FROM sources s JOIN workspaces w ON w.id = s.workspace_id"
    " WHERE s.id = ANY(CAST(:sources AS text[])::uuid[]) AND s.archived_at IS NULL"
)


class Acknowledged(Out):
    """duplicate: it came before. What became of it: `GET /v1/events/{event_id}`."""

    event_id: EventId
    duplicate: bool


@dataclass(frozen=True, slots=True)
class _OpenSource:
    """A source as its row is. version: another one with every change of the row."""

    id: str
    version: int
    workspace_id: UUID
    live: bool
    provider: str
    secrets: Sequence[str]
    program_ids: tuple[UUID, ...]
    with_tax: bool

    def signed(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        return PROVIDERS[self.provider].verify(headers, body, self.secrets, now=now)


class Receiver:
    """Takes webhooks in, many by one commit.

    Sources are kept open; that none has been changed since is asked where the webhooks are stored.
    """

    def __init__(self, database: Database, keys: SecretKeys) -> None:
        self._database = database
        self._keys = keys
        self._batches = Batches(self._store, limit=BATCH)
        self._opened: dict[UUID, _OpenSource] = {}

    async def receive(self, source: UUID, headers: Mapping[str, str], body: bytes) -> Acknowledged:
        """Store one webhook; NotFound or SignatureInvalid, and nothing stored, if it is not one."""
        now = datetime.now(UTC)
        opened = self._opened.get(source)
        if opened is None or not opened.signed(headers, body, now):
            opened = await self._open_signed(source, headers, body, now)
        stored = None
        while stored is None:
            stored = await self._put(opened, _message(opened, headers, body, now))
            if stored is None:
                opened = await self._open_signed(source, headers, body, now)
        return Acknowledged(event_id=stored.event_id, duplicate=stored.duplicate)

    def receive_signed(
        self, source: UUID, headers: Mapping[str, str], body: bytes
    ) -> "asyncio.Future[Stored | None] | None":
        """As `receive`, past tasks, if a source that is kept open signed this; else None.

        None later: the source has been changed since.
        """
        now = datetime.now(UTC)
        opened = self._opened.get(source)
        if opened is None or not opened.signed(headers, body, now):
            return None
        return self._put(opened, _message(opened, headers, body, now))

    def _put(self, opened: _OpenSource, message: Incoming) -> "asyncio.Future[Stored | None]":
        stream = hash(message.meaning.external_id) % STREAMS
        return self._batches.put(stream, (opened.version, message))

    async def _store(
        self, _stream: int, messages: Sequence[tuple[int, Incoming]]
    ) -> list[Stored | None]:
        """None for a message whose source is not what it was when it was opened."""
        async with self._database.tx() as tx:
            sources = {message.source for _, message in messages}
            rows = await tx.execute(_VERSIONS, {"sources": list(sources)})
            joins = {(row.id, row.version): row.joins_email for row in rows}
            current = [
                replace(message, joins_email=joins[message.source, version])
                for version, message in messages
                if (message.source, version) in joins
            ]
            taken = await take_in(tx, current, self._keys.click_keys) if current else []
        stored = dict(zip([message.id for message in current], taken, strict=True))
        return [stored.get(message.id) for _, message in messages]

    async def _open_signed(
        self, source: UUID, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> _OpenSource:
        """The source as it is now, if it signed this; NotFound or SignatureInvalid if not."""
        opened = await self._open(source)
        if not opened.signed(headers, body, now):
            raise SignatureInvalid(
                "Check the source's signing secret, that the body came unchanged, and both clocks."
            )
        if len(self._opened) >= _KEPT_OPEN:
            self._opened.clear()
        self._opened[source] = opened
        return opened

    async def _open(self, source: UUID) -> _OpenSource:
        async with self._database.read() as read:
            row = await read.first(
                select(
                    literal_column("sources.xmin::text::bigint").label("version"),
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
            id=str(source),
            version=row.version,
            workspace_id=row.workspace_id,
            live=row.mode == "live",
            provider=row.provider,
            secrets=orjson.loads(self._keys.open(row.sealed_secrets, owner=source.bytes)),
            program_ids=tuple(row.program_ids),
            with_tax=row.with_tax,
        )


def _message(
    opened: _OpenSource, headers: Mapping[str, str], body: bytes, now: datetime
) -> Incoming:
    provider = PROVIDERS[opened.provider]
    kept = provider.kept(headers)
    read = partial(provider.read, body, live=opened.live, received_at=now, headers=kept)
    return Incoming(
        workspace_id=opened.workspace_id,
        source=opened.id,
        meaning=read(with_tax=opened.with_tax),
        body=body,
        program_ids=opened.program_ids,
        headers=kept,
        with_tax=opened.with_tax,
        otherwise=partial(read, with_tax=not opened.with_tax),
    )


def get_receiver(request: Request) -> Receiver:
    return cast("Receiver", request.app.state.receiver)


@router.post("/{source_id}", responses=documented(SignatureInvalid, NotFound))
async def receive_webhook(
    source_id: SourceId, request: Request, receiver: Annotated[Receiver, Depends(get_receiver)]
) -> Acknowledged:
    """The provider posts here. Answered once it is stored; decided within a second."""
    return await receiver.receive(source_id, request.headers, await request.body())
