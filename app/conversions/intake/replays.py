"""`/v1/events/replay` for a range: written down at once, gone through by the worker in chunks.

A chunk is a transaction of its own without the lane; what it puts back is decided like news.
"""

from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import Row, Select, func, insert, select, text

from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.conversions.intake.events import State
from app.conversions.intake.put_back import put_back
from app.db.engine import Database
from app.db.tables import EventReplay, EventRow
from app.db.tx import Read, Tx
from app.errors import FieldError, InvalidRequest, NotFound
from app.ids import uuid7
from app.pages import Order, PageDep, page
from app.secret_keys import SecretKeys
from app.wire import In, Instant, Listed, Out, ReplayId
from app.writing import Writes

CHUNK: Final = 50
"""Events of one transaction: bodies may be large, and whoever wants the same rows waits."""
router: Final = APIRouter(prefix="/events", tags=["Sources and events"], route_class=Writes)
Reader = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.CONVERSIONS_WRITE))]
_ORDER: Final = Order("rply", EventReplay.created_at, EventReplay.id, EventReplay.workspace_id)

_NEXT: Final = text("""
SELECT * FROM event_replays WHERE finished_at IS NULL
ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
""")
_CHUNK_OF: Final = """
SELECT id, received_at FROM events
WHERE workspace_id = $1 AND state = $2 AND received_at >= $3 AND received_at < $4
  AND ($5::timestamptz IS NULL OR (received_at, id) > ($5, $6))
ORDER BY received_at, id LIMIT $7
"""
_GO_ON: Final = """
UPDATE event_replays SET looked_at = looked_at + $3, put_back = put_back + $4,
  after_at = coalesce($5, after_at), after_id = coalesce($6, after_id),
  finished_at = CASE WHEN $7 THEN clock_timestamp() END
WHERE workspace_id = $1 AND id = $2
"""


class ReplayCreate(In):
    """Events received from `from` on and before `to`, in this state now.

    dead, ignored: read anew, and decided if they mean something. received: those that failed are
    tried at once. applied, parked: nothing happens, since nothing would change.
    """

    from_: Instant = Field(alias="from")
    to: Instant
    state: State


class ReplayOut(Out):
    """matched: events of that range and state when it was asked for; looked_at: how many of them
    were read by now; put_back: how many of these are decided again.
    """

    id: ReplayId
    state: State
    from_: Instant = Field(alias="from")
    to: Instant
    matched: int
    looked_at: int
    put_back: int
    created_at: Instant
    finished_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        plain = (
            "id", "state", "matched", "looked_at", "put_back", "created_at", "finished_at",
        )  # fmt: skip
        named = {name: getattr(row, name) for name in plain}
        return cls(**named, **{"from": row.from_at, "to": row.to_at})


@router.post("/replay", status_code=202)
async def replay_events(body: ReplayCreate, caller: Writer, tx: TxDep) -> ReplayOut:
    """Try a range of events again; harmless at any time. Ask `/v1/events/replays/{id}` how far."""
    if body.to <= body.from_:
        place = FieldError("body/to", "Not after `from`", "Send a later instant.")
        raise InvalidRequest(errors=[place])
    replay = await begin(tx, caller.workspace_id, body)
    return await _shown(tx, caller, replay)


@router.get("/replays")
async def list_replays(caller: Reader, read: ReadDep, wanted: PageDep) -> Listed[ReplayOut]:
    """Replays of ranges, newest first."""
    rows, has_more = await page(
        read, _replays(caller), _ORDER, wanted, workspace=caller.workspace_id
    )
    return Listed(data=[ReplayOut.of(row) for row in rows], has_more=has_more)


@router.get("/replays/{replay_id}")
async def get_replay(replay_id: ReplayId, caller: Reader, read: ReadDep) -> ReplayOut:
    """One replay and how far it is."""
    return await _shown(read, caller, replay_id)


async def begin(tx: Tx, workspace: UUID, wanted: ReplayCreate) -> UUID:
    """Write a replay down; the worker takes it up within a second."""
    matched = await tx.scalar(
        select(func.count())
        .select_from(EventRow)
        .where(
            EventRow.workspace_id == workspace,
            EventRow.state == wanted.state,
            EventRow.received_at >= wanted.from_,
            EventRow.received_at < wanted.to,
        )
    )
    idle = wanted.state in {"applied", "parked"}
    replay = uuid7()
    await tx.execute(
        insert(EventReplay).values(
            workspace_id=workspace,
            id=replay,
            state=wanted.state,
            from_at=wanted.from_,
            to_at=wanted.to,
            matched=matched,
            looked_at=0,
            put_back=0,
            finished_at=func.now() if idle else None,
        )
    )
    return replay


async def go_on(database: Database, keys: SecretKeys) -> bool:
    """One chunk of the oldest replay that nobody else is at; False if there is none."""
    async with database.tx() as tx:
        replay = await tx.first(_NEXT)
        if replay is None:
            return False
        driver = await tx.driver()
        rows = await driver.fetch(
            _CHUNK_OF,
            replay.workspace_id,
            replay.state,
            replay.from_at,
            # What is put back counts as received then, and must not come by again.
            min(replay.to_at, replay.created_at),
            replay.after_at,
            replay.after_id,
            CHUNK,
        )
        events = [row["id"] for row in rows]
        again = await put_back(tx, replay.workspace_id, events, keys.click_keys)
        last = rows[-1] if rows else {"received_at": None, "id": None}
        await driver.execute(
            _GO_ON,
            replay.workspace_id,
            replay.id,
            len(rows),
            again,
            last["received_at"],
            last["id"],
            len(rows) < CHUNK,
        )
    return True


async def _shown(read: Read, caller: Caller, replay: UUID) -> ReplayOut:
    row = await read.first(_replays(caller).where(EventReplay.id == replay))
    if row is None:
        raise NotFound
    return ReplayOut.of(row)


def _replays(caller: Caller) -> Select[Any]:
    return select(*EventReplay.__table__.columns).where(
        EventReplay.workspace_id == caller.workspace_id
    )
