"""The plan that is tried: a stored version, or a document that is none yet, and its program."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from app import terms_in_force
from app.core.plans import Plan, PlanError, parse, parse_agreement
from app.db.tables import PlanVersion, Program
from app.db.tx import Read
from app.errors import FieldError, NotFound, PlanInvalid, unknown


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it is stored. partner_id: whose own terms it is, if it is no program's."""

    id: UUID
    program_id: UUID
    partner_id: UUID | None
    number: int
    document: Mapping[str, Any]

    @property
    def plan(self) -> Plan:
        """What is stored was checked once; a later release may have become stricter."""
        return parsed(self.document, "plan", is_agreement=self.partner_id is not None)


async def version(read: Read, workspace: UUID, plan_id: UUID) -> Version:
    """NotFound for what is not in the workspace."""
    rows = await read.dicts(_versions(workspace).where(PlanVersion.id == plan_id))
    if not rows:
        raise NotFound
    return Version(**rows[0])


async def in_force(read: Read, workspace: UUID, program_id: UUID) -> Version:
    """A program's terms as of now; there are always some."""
    versions = _versions(workspace).where(PlanVersion.program_id == program_id)
    rows = await read.dicts(terms_in_force.in_force(versions))
    return Version(**rows[0])


def _versions(workspace: UUID) -> Select[Any]:
    columns: tuple[Any, ...] = (
        PlanVersion.id,
        PlanVersion.program_id,
        PlanVersion.partner_id,
        PlanVersion.version.label("number"),
        PlanVersion.document,
    )
    return select(*columns).where(PlanVersion.workspace_id == workspace)


async def currency(read: Read, workspace: UUID, program_id: UUID, place: str = "") -> str:
    """In which currency the program reckons. place: where the request names it; NotFound."""
    found = await read.scalar(
        select(Program.currency).where(Program.workspace_id == workspace, Program.id == program_id)
    )
    if found is None:
        raise unknown(place, "There is no such program.") if place else NotFound
    return str(found)


def parsed(document: Mapping[str, Any], place: str, *, is_agreement: bool = False) -> Plan:
    """The plan, or PlanInvalid with every problem below the place."""
    try:
        return parse_agreement(document) if is_agreement else parse(document)
    except PlanError as error:
        found = [
            FieldError("/".join(filter(None, (place, p.place))), p.problem, p.remedy)
            for p in error.problems
        ]
        raise PlanInvalid(f"{found[0].place}: {found[0].problem}", errors=found) from error
