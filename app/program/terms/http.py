"""`/v1/programs/{id}/terms` for callers, and `/terms/{id}` for everybody if the program says so."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response
from pydantic import Field
from sqlalchemy import ColumnElement, and_, func, or_, select
from starlette.responses import HTMLResponse

from app.auth import Caller, ReadDep, Scope, needs
from app.core.plans import parse
from app.db.tables import PlanVersion, Program
from app.db.tx import Read
from app.errors import NotFound
from app.ids import MalformedIdError, decode, encode
from app.plan_words.plans import Told, told
from app.program.terms.page import POLICY, missing_page, terms_page
from app.wire import Currency, Instant, Out, PlanId, ProgramId

router: Final = APIRouter(prefix="/programs", tags=["Programs and plans"])
pages: Final = APIRouter()
"""What people read in a browser, without a key."""
Reader = Annotated[Caller, Depends(needs(Scope.PROGRAMS_READ))]
_MAX_AGE_S: Final = 300


class RuleTold(Out):
    """One rule of the plan as a sentence."""

    id: str
    text: str = Field(examples=["You earn 20 % of each sale (renewals of subscriptions too)."])


class VersionTold(Out):
    """effective_from: none of the first version. choice: how several rules go together."""

    plan_id: PlanId
    version: int
    effective_from: Instant | None
    choice: str
    rules: list[RuleTold]
    gates: list[str]
    attribution: list[str]
    binding: list[str]
    maturing: list[str]

    @classmethod
    def of(cls, version: "_Version") -> Self:
        words = version.told
        return cls(
            plan_id=version.plan_id,
            version=version.number,
            effective_from=version.effective_from,
            choice=words.choice,
            rules=[RuleTold(id=rule, text=text) for rule, text in words.rules],
            gates=list(words.gates),
            attribution=list(words.attribution),
            binding=list(words.binding),
            maturing=list(words.maturing),
        )


class TermsOut(Out):
    """page: where everybody may read them; none while the program doesn't publish them.

    announced: the next version that is published and not yet in force.
    """

    program_id: ProgramId
    name: str
    currency: Currency
    page: str | None = Field(examples=["/terms/prog_01h45ytscbebyvny4gc8cr8ma2"])
    in_force: VersionTold
    announced: VersionTold | None


@dataclass(frozen=True, slots=True)
class _Version:
    plan_id: UUID
    number: int
    effective_from: datetime | None
    told: Told


@dataclass(frozen=True, slots=True)
class _Terms:
    name: str
    currency: str
    is_public: bool
    in_force: _Version
    announced: _Version | None


@router.get("/{program_id}/terms")
async def get_terms(program_id: ProgramId, caller: Reader, read: ReadDep) -> TermsOut:
    """The terms in plain words, made from the plan itself, and the next version if there is one."""
    found = await _terms(read, program_id, Program.workspace_id == caller.workspace_id)
    if found is None:
        raise NotFound
    return TermsOut(
        program_id=program_id,
        name=found.name,
        currency=found.currency,
        page=f"/terms/{encode('prog', program_id)}" if found.is_public else None,
        in_force=VersionTold.of(found.in_force),
        announced=VersionTold.of(found.announced) if found.announced else None,
    )


@pages.api_route("/terms/{program}", methods=["GET", "HEAD"], include_in_schema=False)
async def show_terms(
    program: str, read: ReadDep, if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """A page for people; the same 404 for what is unknown and for what is not public."""
    try:
        program_id = decode("prog", program)
    except MalformedIdError:
        return _page(missing_page(), 404, if_none_match)
    is_shown = and_(Program.terms_public, Program.archived_at.is_(None))
    found = await _terms(read, program_id, is_shown)
    if found is None:
        return _page(missing_page(), 404, if_none_match)
    then = found.announced
    html = terms_page(
        found.name,
        found.in_force.told,
        found.in_force.effective_from,
        (then.told, then.effective_from) if then and then.effective_from else None,
    )
    return _page(html, 200, if_none_match)


def _page(html: str, status: int, if_none_match: str) -> Response:
    tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'
    headers = {
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        # Who looks just before the terms are published finds them just after.
        "cache-control": f"public, max-age={_MAX_AGE_S}" if status == 200 else "no-cache",
        "etag": tag,
    }
    if status == 200 and tag in (
        one.strip().removeprefix("W/") for one in if_none_match.split(",")
    ):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(html, status, headers)


async def _terms(read: Read, program_id: UUID, which: ColumnElement[bool]) -> _Terms | None:
    """A program with the version in force and the next one."""
    program = await read.first(
        select(Program.workspace_id, Program.name, Program.currency, Program.terms_public).where(
            Program.id == program_id, which
        )
    )
    if program is None:
        return None
    now = func.clock_timestamp()
    starts = PlanVersion.effective_from
    base = (
        select(PlanVersion.id, PlanVersion.version, starts, PlanVersion.document)
        .where(
            PlanVersion.workspace_id == program.workspace_id,
            PlanVersion.program_id == program_id,
            PlanVersion.partner_id.is_(None),
            PlanVersion.published_at.is_not(None),
        )
        .limit(1)
    )
    current = await read.first(
        base.where(or_(starts.is_(None), starts <= now)).order_by(
            starts.desc().nulls_last(), PlanVersion.version.desc()
        )
    )
    coming = await read.first(base.where(starts > now).order_by(starts, PlanVersion.version))
    return _Terms(
        name=program.name,
        currency=program.currency,
        is_public=program.terms_public,
        in_force=_version(current),
        announced=_version(coming) if coming is not None else None,
    )


def _version(row: Any) -> _Version:
    return _Version(row.id, row.version, row.effective_from, told(parse(row.document)))
