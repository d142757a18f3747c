"""Idempotency keys: a write under a key takes effect once, and its answer is given again.

A key is taken by a lock without waiting, and its answer is stored, in the effect's own transaction:
what is rolled back leaves no answer, and what is committed is never without one.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, select, text, update

from app.db.engine import Database
from app.db.tables import IdempotencyKey
from app.db.tx import Read, Tx
from app.errors import AnswerErased, KeyInUse, KeyReused, Problem
from app.secret_keys import SecretKeys

KEPT_FOR: Final = timedelta(hours=48)
_CHUNK: Final = 5_000
_RETRY_AFTER_S: Final = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A write that asks to be done once. key, body: digests; request: `POST /v1/links`."""

    workspace_id: UUID
    key: bytes
    request: str
    body: bytes

    @property
    def owner(self) -> bytes:
        """What its sealed answer belongs to."""
        return b"answer" + self.workspace_id.bytes + self.key


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write was answered."""

    status: int
    content_type: str
    body: bytes


Found = Answer | Problem | None
"""What is there under a key: the answer to give again, why not, or nothing."""


def claim(workspace: UUID, key: str, request: str, body: bytes) -> Claim:
    """key: as sent; body: the bytes, of which only what they mean is compared."""
    return Claim(workspace, _sha256(key.encode()), request, _sha256(_canonical(body)))


async def find(read: Read, claims: Sequence[Claim], keys: SecretKeys) -> list[Found]:
    """What is stored under each claim's key."""
    rows = await read.all(
        select(IdempotencyKey).where(
            IdempotencyKey.workspace_id.in_({c.workspace_id for c in claims}),
            IdempotencyKey.key.in_({c.key for c in claims}),
        )
    )
    stored = {(row.workspace_id, row.key): row for row in rows}
    return [_found(c, stored.get((c.workspace_id, c.key)), keys) for c in claims]


async def take(tx: Tx, claims: Sequence[Claim], keys: SecretKeys) -> list[Found]:
    """Take each key until the transaction ends; None: it is ours, and nothing is stored under it.

    KeyInUse where another transaction, or an earlier claim of the same call, has taken it.
    """
    # The statement that locks sees what was committed before it waited for nothing; the next one
    # sees what the lock's last holder committed.
    locked = await tx.execute(
        text(
            "SELECT pg_try_advisory_xact_lock(high, low)"
            " FROM unnest(CAST(:high AS int[]), CAST(:low AS int[]))"
            " WITH ORDINALITY AS l (high, low, n) ORDER BY n"
        ),
        {
            "high": [int.from_bytes(c.key[:4], signed=True) for c in claims],
            "low": [int.from_bytes(_sha256(c.owner)[:4], signed=True) for c in claims],
        },
    )
    ours = [bool(row[0]) for row in locked.all()]
    found = await find(tx, claims, keys)
    seen: set[tuple[UUID, bytes]] = set()
    for n, (one, is_ours) in enumerate(zip(claims, ours, strict=True)):
        name = (one.workspace_id, one.key)
        if found[n] is None and (not is_ours or name in seen):
            found[n] = KeyInUse(retry_after_s=_RETRY_AFTER_S)
        seen.add(name)
    return found


async def keep(tx: Tx, answers: Iterable[tuple[Claim, Answer]], keys: SecretKeys) -> None:
    """Store what taken claims were answered; call it last in the effect's transaction."""
    rows = [
        {
            "workspace_id": claim.workspace_id,
            "key": claim.key,
            "request": claim.request,
            "body": claim.body,
            "status": answer.status,
            "content_type": answer.content_type,
            "sealed_answer": keys.seal(zlib.compress(answer.body, 1), owner=claim.owner),
        }
        for claim, answer in answers
    ]
    if rows:
        await tx.execute(insert(IdempotencyKey), rows)


async def erase_answers(tx: Tx, workspace: UUID) -> None:
    """Forget what a workspace's writes were answered, not that they were done.

    Answers tell names and addresses, and sealed ones can't be searched for a person's.
    """
    await tx.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.workspace_id == workspace, IdempotencyKey.sealed_answer.is_not(None))
        .values(sealed_answer=None)
    )


async def remove_old(database: Database) -> int:
    """Delete keys past their time, a chunk a transaction; how many."""
    removed = 0
    while True:
        old = (
            select(IdempotencyKey.workspace_id, IdempotencyKey.key)
            .where(IdempotencyKey.created_at < func.now() - KEPT_FOR)
            .order_by(IdempotencyKey.created_at)
            .limit(_CHUNK)
            .subquery()
        )
        async with database.tx() as tx:
            gone = await tx.execute(
                delete(IdempotencyKey).where(
                    IdempotencyKey.workspace_id == old.c.workspace_id,
                    IdempotencyKey.key == old.c.key,
                )
            )
        removed += gone.rowcount
        if gone.rowcount < _CHUNK:
            return removed


def _found(claim: Claim, row: Row[Any] | None, keys: SecretKeys) -> Found:
    if row is None:
        return None
    if (row.request, row.body) != (claim.request, claim.body):
        return KeyReused(f"This key was sent with another `{row.request}`; take a new key.")
    if row.sealed_answer is None:
        return AnswerErased()
    body = zlib.decompress(keys.open(row.sealed_answer, owner=claim.owner))
    return Answer(row.status, row.content_type, body)


def _canonical(body: bytes) -> bytes:
    """Members in order: clients may write the same object down in another order when they retry."""
    try:
        return json.dumps(json.loads(body), sort_keys=True).encode()
    except ValueError:
        return body


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
