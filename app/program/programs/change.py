"""Change a program, pause and resume it, archive it. All under the workspace's lane."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, insert, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app import destinations
from app.db.tables import Link, Program, ProgramState
from app.db.tx import Tx
from app.errors import Conflict, FieldError, NotFound
from app.program.programs.create import (
    DEFAULT_FLOOR,
    ClaimDays,
    ClickParameter,
    Hosts,
    LtvCacFloor,
    Url,
    normal_hosts,
)
from app.utm import Utm
from app.wire import In, Name

Status = Literal["active", "paused"]


class ProgramUpdate(In):
    """What is absent stays. status: sales while it is paused earn nothing."""

    name: Name = ""
    destination_hosts: Hosts = []  # noqa: RUF012 (pydantic copies defaults)
    default_destination: Url = ""
    click_parameter: ClickParameter = ""
    utm: Utm = {}  # noqa: RUF012 (pydantic copies defaults)
    keeps_network: bool = False
    claim_days: ClaimDays = None
    terms_public: bool = False
    ltv_cac_floor: LtvCacFloor = DEFAULT_FLOOR
    status: Status = "active"


async def change(tx: Tx, workspace: UUID, program_id: UUID, wanted: ProgramUpdate) -> None:
    """tx: in the lane, since a pause must not pass by a sale that is being decided.

    NotFound; Conflict if it is archived, or if a host goes to which links lead.
    """
    program = await _locked(tx, workspace, program_id)
    if program.archived_at is not None:
        raise Conflict("The program is archived.")
    fields = wanted.model_fields_set
    values: dict[str, Any] = {
        name: getattr(wanted, name)
        for name in (
            *("name", "click_parameter", "utm", "keeps_network", "claim_days"),
            *("terms_public", "ltv_cac_floor"),
        )
        if name in fields
    }
    if fields & {"destination_hosts", "default_destination"}:
        values |= await _new_destinations(tx, program, wanted)
    if values:
        await tx.execute(update(Program).where(Program.id == program_id).values(**values))
    if "status" in fields:
        await _set_state(tx, workspace, program_id, wanted.status)


async def archive(tx: Tx, workspace: UUID, program_id: UUID) -> None:
    """Pause it for good. Its links are archived by that: they lead to their fallbacks.

    Twice: nothing.
    """
    program = await _locked(tx, workspace, program_id)
    if program.archived_at is not None:
        return
    await _set_state(tx, workspace, program_id, "paused")
    now = func.clock_timestamp()
    await tx.execute(update(Program).where(Program.id == program_id).values(archived_at=now))


async def _locked(tx: Tx, workspace: UUID, program_id: UUID) -> Row[Any]:
    row = await tx.first(
        select(Program)
        .where(Program.workspace_id == workspace, Program.id == program_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound
    return row


async def _new_destinations(tx: Tx, program: Row[Any], wanted: ProgramUpdate) -> dict[str, Any]:
    fields = wanted.model_fields_set
    hosts, default = program.destination_hosts, program.default_destination
    if "destination_hosts" in fields:
        hosts = normal_hosts(wanted.destination_hosts)
        for gone in set(program.destination_hosts) - set(hosts):
            await _refuse_if_used(tx, program, gone)
    if "default_destination" in fields:
        default = wanted.default_destination
    default = destinations.checked(default, hosts, "body/default_destination")
    return {"destination_hosts": hosts, "default_destination": default}


async def _refuse_if_used(tx: Tx, program: Row[Any], host: str) -> None:
    """A host that links lead to can't go: they would lead to where nobody allows them."""
    used = await tx.scalar(
        select(func.count())
        .select_from(Link)
        .where(
            Link.workspace_id == program.workspace_id,
            Link.program_id == program.id,
            Link.archived_at.is_(None),
            or_(_leads_to(Link.destination, host), _leads_to(Link.fallback, host)),
        )
    )
    if used:
        remedy = "Change or archive these links first."
        found = FieldError("body/destination_hosts", f"{used} links lead to {host}", remedy)
        raise Conflict(f"{used} links lead to {host}.", errors=[found])
    # An archived link would go on sending its visitors there; without a fallback it answers 410.
    await tx.execute(
        update(Link)
        .where(
            Link.workspace_id == program.workspace_id,
            Link.program_id == program.id,
            _leads_to(Link.fallback, host),
        )
        .values(fallback=None)
    )


def _leads_to(column: InstrumentedAttribute[Any], host: str) -> ColumnElement[bool]:
    starts = (f"{scheme}://{host}/" for scheme in ("https", "http"))
    return or_(*(column.startswith(start, autoescape=True) for start in starts))


async def _set_state(tx: Tx, workspace: UUID, program_id: UUID, state: Status) -> None:
    current = await tx.scalar(
        select(ProgramState.state)
        .where(ProgramState.workspace_id == workspace, ProgramState.program_id == program_id)
        .order_by(ProgramState.since.desc())
        .limit(1)
    )
    if current != state:
        await tx.execute(
            insert(ProgramState).values(
                workspace_id=workspace,
                program_id=program_id,
                since=func.clock_timestamp(),
                state=state,
            )
        )
