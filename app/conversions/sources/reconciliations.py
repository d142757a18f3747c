"""`/v1/sources/{id}/reconcile`: ask a provider for its list of events, and see what was missing."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy import Row, Select, select

from app.auth import Caller, ReadDep, Scope, TxDep, needs
from app.conversions.sources.reconcile import begin
from app.db.tables import Reconciliation, Source
from app.db.tx import Read
from app.errors import Conflict, FieldError, InvalidRequest, NotFound
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.wire import In, Instant, Listed, Out, ReconciliationId, SourceId
from app.writing import Writes

LONGEST: Final = timedelta(days=31)
router: Final = APIRouter(prefix="/sources", tags=["Sources and events"], route_class=Writes)
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]
_ORDER: Final = Order(
    "recn", Reconciliation.created_at, Reconciliation.id, Reconciliation.workspace_id
)


class ReconcileCreate(In):
    """By when the provider created them, both ends included; 31 days at most."""

    from_: Instant = Field(alias="from")
    to: Instant


class ReconciliationOut(Out):
    """listed: events of the types that we take; known: those that we had; filled: the others.

    hourly: the worker's own. problem: what the provider answered last instead of a page, or why
    we could not store one; with `finished_at` it was given up.
    """

    id: ReconciliationId
    source_id: SourceId
    from_: Instant = Field(alias="from")
    to: Instant
    hourly: bool
    listed: int
    known: int
    filled: int
    problem: str
    created_at: Instant
    finished_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        plain = (
            "id", "source_id", "hourly", "listed", "known", "filled", "problem", "created_at",
            "finished_at",
        )  # fmt: skip
        named = {name: getattr(row, name) for name in plain}
        return cls(**named, **{"from": row.from_at, "to": row.to_at})


@router.post("/{source_id}/reconcile", status_code=202, responses=documented(NotFound, Conflict))
async def reconcile_source(
    source_id: SourceId, body: ReconcileCreate, caller: Admin, tx: TxDep
) -> ReconciliationOut:
    """List the provider's events of a span and store what is missing; needs the source's key."""
    _refuse_bad_span(body)
    source = await _source(tx, caller, source_id)
    if source.sealed_api_key is None:
        raise Conflict("The source has no `api_key` to list its provider's events with.")
    made = await begin(tx, caller.workspace_id, source_id, body.from_, body.to)
    return await _shown(tx, caller, source_id, made)


@router.get("/{source_id}/reconciliations")
async def list_reconciliations(
    source_id: SourceId, caller: Admin, read: ReadDep, wanted: PageDep
) -> Listed[ReconciliationOut]:
    """A source's reconciliations, newest first."""
    await _source(read, caller, source_id)
    statement = _reconciliations(caller, source_id)
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[ReconciliationOut.of(row) for row in rows], has_more=has_more)


@router.get("/{source_id}/reconciliations/{reconciliation_id}")
async def get_reconciliation(
    source_id: SourceId, reconciliation_id: ReconciliationId, caller: Admin, read: ReadDep
) -> ReconciliationOut:
    """One reconciliation and how far it is."""
    return await _shown(read, caller, source_id, reconciliation_id)


def _refuse_bad_span(body: ReconcileCreate) -> None:
    if body.to <= body.from_:
        wrong = FieldError("body/to", "Not after `from`", "Send a later instant.")
    elif body.to - body.from_ > LONGEST:
        wrong = FieldError("body/to", "More than 31 days after `from`", "Ask for less at once.")
    elif body.from_ < datetime(2000, 1, 1, tzinfo=UTC):
        wrong = FieldError("body/from", "Before there were such lists", "Send a later instant.")
    else:
        return
    raise InvalidRequest(errors=[wrong])


async def _source(read: Read, caller: Caller, source_id: UUID) -> Row[Any]:
    row = await read.first(
        select(Source.id, Source.sealed_api_key).where(
            Source.workspace_id == caller.workspace_id,
            Source.id == source_id,
            Source.archived_at.is_(None),
        )
    )
    if row is None:
        raise NotFound
    return row


async def _shown(
    read: Read, caller: Caller, source_id: UUID, reconciliation_id: UUID
) -> ReconciliationOut:
    statement = _reconciliations(caller, source_id)
    row = await read.first(statement.where(Reconciliation.id == reconciliation_id))
    if row is None:
        raise NotFound
    return ReconciliationOut.of(row)


def _reconciliations(caller: Caller, source_id: UUID) -> Select[Any]:
    return select(*Reconciliation.__table__.columns).where(
        Reconciliation.workspace_id == caller.workspace_id,
        Reconciliation.source_id == source_id,
    )
