"""`/v1/conversions/{id}/release|duplicate`: a person says whether a sale is another told again.

What people do is an event too: the verdict is one of source `api` about the sale's payment, so it
counts in whatever order it comes, and the latest one stands.
"""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter

from app.auth import Caller, Scope, in_lane
from app.conversions.read import ConversionOut, conversions
from app.conversions.requests import Verdict
from app.conversions.track import TrackerDep, Writer
from app.db.tx import Tx
from app.errors import Conflict, LaneBusy, NotFound
from app.openapi import documented
from app.wire import ConversionId
from app.writing import Writes

router: Final = APIRouter(prefix="/conversions", tags=["Conversions"], route_class=Writes)
Lane = Annotated[Tx, in_lane(Scope.CONVERSIONS_WRITE)]
_RESPONSES: Final = documented(NotFound, Conflict, LaneBusy)


@router.post("/{conversion_id}/release", responses=_RESPONSES)
async def release_conversion(
    conversion_id: ConversionId, caller: Writer, tx: Lane, tracker: TrackerDep
) -> ConversionOut:
    """It is a sale of its own (`possible_duplicate_sale`): what it earned is held no longer."""
    verdict = await _verdict(tx, caller, conversion_id, duplicate=False)
    return await _told(tx, caller, conversion_id, verdict, tracker)


@router.post("/{conversion_id}/duplicate", responses=_RESPONSES)
async def duplicate_conversion(
    conversion_id: ConversionId, caller: Writer, tx: Lane, tracker: TrackerDep
) -> ConversionOut:
    """It is another sale told again: what it earned is taken back whole, as by a refund."""
    verdict = await _verdict(tx, caller, conversion_id, duplicate=True)
    return await _told(tx, caller, conversion_id, verdict, tracker)


async def _verdict(tx: Tx, caller: Caller, conversion: UUID, *, duplicate: bool) -> Verdict:
    driver = await tx.driver()
    row = await driver.fetchrow(
        "SELECT key, kind, gross, currency, superseded_by, customer_id FROM conversions"
        " WHERE workspace_id = $1 AND id = $2",
        caller.workspace_id,
        conversion,
    )
    if row is None:
        raise NotFound
    if row["kind"] == "lead" or row["superseded_by"] is not None:
        raise Conflict("Only a sale or renewal that stands can be another one told again.")
    said = await driver.fetchval(
        "SELECT count(*) FROM events WHERE workspace_id = $1 AND customer_id = $2"
        " AND conversion_id = $3 AND source = 'api' AND type = 'conversion.verdict'",
        caller.workspace_id,
        row["customer_id"],
        conversion,
    )
    return Verdict(
        key=row["key"],
        gross=row["gross"],
        currency=row["currency"],
        duplicate=duplicate,
        number=said + 1,
    )


async def _told(
    tx: Tx, caller: Caller, conversion: UUID, verdict: Verdict, tracker: TrackerDep
) -> ConversionOut:
    await tracker.tell_alone(
        tx,
        caller.workspace_id,
        verdict.mapped(datetime.now(UTC)),
        verdict.model_dump_json().encode(),
    )
    (shown,) = await conversions(tx, caller.workspace_id, [conversion])
    return shown
