"""`/v1/domains`: hosts of their own for programs' links."""

from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import Row, Select, select

from app.auth import Caller, LaterDep, ReadDep, Scope, TxDep, get_database, needs
from app.db.tables import Domain
from app.db.tx import Read
from app.errors import Conflict, DomainNotVerified, NotFound
from app.openapi import documented
from app.pages import Order, PageDep, page
from app.program.domains.claim import (
    DNS_LABEL,
    PATH,
    DomainCreate,
    Way,
    archive,
    claim,
    proof,
    set_verified,
)
from app.wire import DomainId, Instant, Listed, Out, ProgramId
from app.writing import Writes

router: Final = APIRouter(prefix="/domains", tags=["Links"], route_class=Writes)
_ORDER: Final = Order("dom", Domain.created_at, Domain.id, Domain.workspace_id)
Reader = Annotated[Caller, Depends(needs(Scope.PROGRAMS_READ))]
Writer = Annotated[Caller, Depends(needs(Scope.PROGRAMS_WRITE))]


class DnsChallengeOut(Out):
    """A TXT record of this name with this value."""

    name: str
    value: str


class HttpChallengeOut(Out):
    """The host answers this address with this body, status 200, without a redirect."""

    url: str
    body: str


class DomainOut(Out):
    """dns, http: the challenges; one of them is enough, and may be taken away afterwards."""

    id: DomainId
    program_id: ProgramId
    host: str
    status: Literal["pending", "verified", "archived"]
    dns: DnsChallengeOut
    http: HttpChallengeOut
    verified_by: Way | None
    verified_at: Instant | None
    created_at: Instant
    archived_at: Instant | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        known = "verified" if row.verified_at else "pending"
        return cls(
            id=row.id,
            program_id=row.program_id,
            host=row.host,
            status="archived" if row.archived_at else known,
            dns=DnsChallengeOut(name=f"{DNS_LABEL}.{row.host}", value=row.token),
            http=HttpChallengeOut(url=f"http://{row.host}{PATH}{row.token}", body=row.token),
            verified_by=row.verified_by,
            verified_at=row.verified_at,
            created_at=row.created_at,
            archived_at=row.archived_at,
        )


@router.post("", status_code=201, responses=documented(NotFound, Conflict))
async def create_domain(
    body: DomainCreate, caller: Writer, tx: TxDep, request: Request
) -> DomainOut:
    """Claim a host for a program's links. It counts once it is verified."""
    own_host = urlsplit(request.app.state.settings.base_url).hostname or ""
    domain_id = await claim(tx, caller.workspace_id, body, own_host)
    return await _shown(tx, caller, domain_id)


@router.post("/{domain_id}/verify", responses=documented(DomainNotVerified, Conflict))
async def verify_domain(
    domain_id: DomainId,
    caller: Writer,
    request: Request,
    later: LaterDep,
) -> DomainOut:
    """Look whether the host shows one of the challenges now; verified once is verified."""
    async with get_database(request).read() as read:
        domain = await _shown(read, caller, domain_id)
    if domain.status == "archived":
        raise Conflict("The domain is archived.")
    if domain.status == "pending":
        way = await proof(request.app.state.outgoing, domain.host, domain.dns.value)
        tx = await later.tx()
        await set_verified(tx, caller.workspace_id, domain_id, way)
        domain = await _shown(tx, caller, domain_id)
    return domain


@router.get("")
async def list_domains(
    caller: Reader,
    read: ReadDep,
    wanted: PageDep,
    *,
    program_id: Annotated[ProgramId | None, Query()] = None,
    archived: Annotated[bool, Query()] = False,
) -> Listed[DomainOut]:
    """Domains, of one program if given; `archived=true` lists the archived ones."""
    is_archived = Domain.archived_at.is_not(None)
    statement = _domains(caller).where(is_archived if archived else ~is_archived)
    if program_id is not None:
        statement = statement.where(Domain.program_id == program_id)
    rows, has_more = await page(read, statement, _ORDER, wanted, workspace=caller.workspace_id)
    return Listed(data=[DomainOut.of(row) for row in rows], has_more=has_more)


@router.get("/{domain_id}")
async def get_domain(domain_id: DomainId, caller: Reader, read: ReadDep) -> DomainOut:
    """One domain with its challenges."""
    return await _shown(read, caller, domain_id)


@router.delete("/{domain_id}", responses=documented(Conflict))
async def archive_domain(domain_id: DomainId, caller: Writer, tx: TxDep) -> DomainOut:
    """Give the host back. Its links have to be archived first."""
    await archive(tx, caller.workspace_id, domain_id)
    return await _shown(tx, caller, domain_id)


async def _shown(read: Read, caller: Caller, domain_id: DomainId) -> DomainOut:
    row = await read.first(_domains(caller).where(Domain.id == domain_id))
    if row is None:
        raise NotFound
    return DomainOut.of(row)


def _domains(caller: Caller) -> Select[Any]:
    return select(*Domain.__table__.columns).where(Domain.workspace_id == caller.workspace_id)
