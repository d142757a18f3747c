"""Change a workspace: its name, where unknown codes lead, how long clicks and messages stay, what
goes before what when several point to a customer, and whether equal e-mails are one customer.
"""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import func, insert, select, update

from app import destinations
from app.core.world import PRECEDENCE, Rank, all_programs, all_ranks
from app.db.engine import take_lane
from app.db.tables import Domain, Program, Workspace, WorkspacePrecedence
from app.db.tx import Tx
from app.errors import FieldError, InvalidRequest, NotFound
from app.wire import In, Name, ProgramId

MAX_PROGRAMS = 100
_REDIRECTS = "/r/"
_ORDERS = ("precedence", "program_precedence")


class WorkspaceUpdate(In):
    """What is absent stays; `null` clears the fallback."""

    name: Name = ""
    fallback: Annotated[
        str | None,
        StringConstraints(max_length=destinations.MAX_URL_LENGTH),
        Field(
            description="Where visitors of unknown codes are sent: on this workspace's verified"
            " domains, and if it is the first workspace, on every host that is nobody's domain."
            " Any host; no click is recorded.",
            examples=["https://www.example.com/"],
        ),
    ] = None
    click_retention_days: Annotated[
        int,
        Field(strict=True, ge=7, le=3660, description="Days after which its clicks are dropped."),
    ] = 395
    body_retention_days: Annotated[
        int,
        Field(
            strict=True,
            ge=7,
            le=3660,
            description="Days after which raw messages are dropped, once they are settled.",
        ),
    ] = 400
    joins_emails: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether messages that are received from now on are about one customer if"
            " they tell the same e-mail address. Two customers with different ids of your own stay"
            " two.",
        ),
    ] = False
    precedence: Annotated[
        list[Rank],
        Field(
            min_length=len(PRECEDENCE) - 1,
            max_length=len(PRECEDENCE),
            description="What goes before what when several point to a customer, each once; for"
            " sales from now on. Without `self_reported`, that goes last.",
            examples=[["code", *(rank for rank in PRECEDENCE if rank != "code")]],
        ),
    ] = list(PRECEDENCE)  # noqa: RUF012 (pydantic copies defaults)
    program_precedence: Annotated[
        list[ProgramId],
        Field(
            max_length=MAX_PROGRAMS,
            description="Programs that go before all others when touches of several compete, the"
            " one that goes first in front; for sales from now on. Empty: the latest touch picks"
            " the program.",
        ),
    ] = []  # noqa: RUF012 (pydantic copies defaults)


async def change(tx: Tx, workspace: UUID, wanted: WorkspaceUpdate, own_host: str) -> None:
    """InvalidRequest for a fallback that visitors can't be sent to, or that leads back here.

    own_host: the installation's, with its port if it has one.
    """
    values: dict[str, Any] = wanted.model_dump(exclude_unset=True)
    order = {name: values.pop(name) for name in _ORDERS if name in values}
    if order:
        await _set_order(tx, workspace, **order)
    if "joins_emails" in values:
        await _set_joins_emails(tx, workspace, wanted=values.pop("joins_emails"))
    if values.get("fallback") is not None:
        values["fallback"] = await _checked(tx, values["fallback"], own_host)
    if values:
        await tx.execute(update(Workspace).where(Workspace.id == workspace).values(**values))


async def _set_joins_emails(tx: Tx, workspace: UUID, *, wanted: bool) -> None:
    """Dated; what joins already goes on since it did."""
    since = func.coalesce(Workspace.joins_emails_since, func.clock_timestamp())
    await tx.execute(
        update(Workspace)
        .where(Workspace.id == workspace)
        .values(joins_emails_since=since if wanted else None)
    )


async def _set_order(
    tx: Tx,
    workspace: UUID,
    precedence: Sequence[Rank] | None = None,
    program_precedence: Sequence[UUID] | None = None,
) -> None:
    """Dated, after the workspace's lane was taken: no sale that is being decided is passed by.

    What is None stays.
    """
    if precedence is not None:
        _check_ranks(precedence)
    if program_precedence is not None:
        await _check_programs(tx, workspace, program_precedence)
    await take_lane(tx, workspace)
    own = WorkspacePrecedence.workspace_id == workspace
    latest = select(WorkspacePrecedence.ranks).where(own).order_by(WorkspacePrecedence.since.desc())
    said = await tx.scalar(latest.limit(1)) or PRECEDENCE
    ranks = all_ranks(said if precedence is None else precedence)
    programs = all_programs(said) if program_precedence is None else tuple(program_precedence)
    if (ranks, programs) == (all_ranks(said), all_programs(said)):
        return
    await tx.execute(
        insert(WorkspacePrecedence).values(
            workspace_id=workspace,
            since=func.clock_timestamp(),
            ranks=[*ranks, *map(str, programs)],
        )
    )


def _check_ranks(ranks: Sequence[Rank]) -> None:
    left_out = set(PRECEDENCE) - set(ranks)
    if len(set(ranks)) < len(ranks) or not left_out <= {"self_reported"}:
        remedy = f"Give each of {', '.join(PRECEDENCE)} once."
        problem = "One is given twice, or left out"
        raise InvalidRequest(errors=[FieldError("body/precedence", problem, remedy)])


async def _check_programs(tx: Tx, workspace: UUID, programs: Sequence[UUID]) -> None:
    found = await tx.all(
        select(Program.id).where(Program.workspace_id == workspace, Program.id.in_(programs))
    )
    known = {row.id for row in found}
    places = {f"body/program_precedence/{n}": program for n, program in enumerate(programs)}
    unknown = [place for place, program in places.items() if program not in known]
    if unknown:
        raise NotFound(errors=[FieldError(place, "No such program here") for place in unknown])
    if len(known) < len(programs):
        problem = "One is given twice"
        raise InvalidRequest(errors=[FieldError("body/program_precedence", problem)])


async def _checked(tx: Tx, text: str, own_host: str) -> str:
    url = destinations.normal(text, "body/fallback")
    parts = urlsplit(url)
    if parts.path.startswith(_REDIRECTS):
        verified = (Domain.verified_at.is_not(None), Domain.archived_at.is_(None))
        ours = select(Domain.id).where(Domain.host == parts.hostname, *verified)
        if parts.netloc == own_host or await tx.scalar(ours):
            # An unknown code there would send its visitor round in circles.
            remedy = "Send the address of a page of yours."
            raise InvalidRequest(errors=[FieldError("body/fallback", "A link of ours", remedy)])
    return url
