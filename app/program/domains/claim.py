"""Claim a host for a program's links, check what it shows, give it back."""

import asyncio
import hmac
import re
import secrets
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, func, insert, select, update

from app import destinations
from app.db.tables import Domain, Link, Program
from app.db.tx import Tx
from app.errors import Conflict, DomainNotVerified, FieldError, InvalidRequest, NotFound, unknown
from app.ids import uuid7
from app.outgoing import Outgoing, OutgoingError
from app.tracking_links import is_archived
from app.wire import In, ProgramId

DNS_LABEL: Final = "_finderfee-challenge"
PATH: Final = "/.well-known/finderfee-challenge/"
_TOKEN_BYTES: Final = 24
_NAME: Final = re.compile(r"[a-z0-9_.-]*\.[a-z][a-z0-9-]*")
Way = Literal["dns", "http"]


class DomainCreate(In):
    """host: one DNS name without a port, such as `go.example.com`."""

    program_id: ProgramId
    host: Annotated[str, StringConstraints(max_length=253), Field(examples=["go.example.com"])]


async def claim(tx: Tx, workspace: UUID, new: DomainCreate, own_host: str) -> UUID:
    """NotFound; InvalidRequest for what is no name in the DNS, or ours; Conflict if claimed twice.

    own_host: the installation's, which serves everybody's links.
    """
    host = destinations.normal_host(new.host, "body/host")
    if not _NAME.fullmatch(host) or host == own_host:
        remedy = "Send a DNS name of your own without a port, like `go.example.com`."
        raise InvalidRequest(errors=[FieldError("body/host", "Not a host to claim", remedy)])
    program = await tx.first(
        select(Program.id)
        .where(
            Program.workspace_id == workspace,
            Program.id == new.program_id,
            Program.archived_at.is_(None),
        )
        .with_for_update(read=True)
    )
    if program is None:
        raise unknown("body/program_id", "No program with this id that is not archived")
    domain_id = uuid7()
    await tx.execute(
        insert(Domain).values(
            id=domain_id,
            workspace_id=workspace,
            program_id=new.program_id,
            host=host,
            token=secrets.token_urlsafe(_TOKEN_BYTES),
        )
    )
    return domain_id


async def proof(outgoing: Outgoing, host: str, token: str) -> Way:
    """Which challenge the host meets, asked both at once; DomainNotVerified if neither.

    Not inside a transaction: others answer. We never answer for a host ourselves, or whoever
    claims a name that already leads to us would have it.
    """
    name = f"{DNS_LABEL}.{host}"
    texts, page = await asyncio.gather(outgoing.texts(name), _page(outgoing, host, token))
    if any(_same(text, token) for text in texts):
        return "dns"
    if isinstance(page, bytes) and _same(page.decode("latin-1").strip(), token):
        return "http"
    shown = "It answered something else." if isinstance(page, bytes) else str(page)
    raise DomainNotVerified(
        errors=[
            FieldError("dns", f"No TXT record of {name} is the token", f"Set it to {token}"),
            FieldError("http", shown, f"Answer http://{host}{PATH}{token} with the token."),
        ]
    )


async def set_verified(tx: Tx, workspace: UUID, domain_id: UUID, way: Way) -> None:
    """Twice: nothing. Conflict if another program was first, or if it is archived by now."""
    domain = await _locked(tx, workspace, domain_id)
    if domain.archived_at is not None:
        raise Conflict("The domain is archived.")
    if domain.verified_at is None:
        values = {"verified_at": func.clock_timestamp(), "verified_by": way}
        await tx.execute(update(Domain).where(Domain.id == domain_id).values(**values))


async def archive(tx: Tx, workspace: UUID, domain_id: UUID) -> None:
    """Give the host back; Conflict while links stand on it. Twice: nothing."""
    domain = await _locked(tx, workspace, domain_id)
    if domain.archived_at is not None:
        return
    stands = (
        Link.workspace_id == workspace,
        Link.program_id == domain.program_id,
        Link.host == domain.host,
    )
    used = await tx.scalar(
        select(func.count()).select_from(Link).where(*stands, ~is_archived(workspace))
    )
    if used:
        raise Conflict(f"{used} links stand on {domain.host}; archive them first.")
    # Its ended links must not lead visitors of whoever has the host next to their fallbacks.
    await tx.execute(update(Link).where(*stands).values(fallback=None))
    now = func.clock_timestamp()
    await tx.execute(update(Domain).where(Domain.id == domain_id).values(archived_at=now))


async def _locked(tx: Tx, workspace: UUID, domain_id: UUID) -> Row[Any]:
    own = (Domain.workspace_id == workspace, Domain.id == domain_id)
    row = await tx.first(select(Domain).where(*own).with_for_update())
    if row is None:
        raise NotFound
    return row


async def _page(outgoing: Outgoing, host: str, token: str) -> bytes | OutgoingError:
    try:
        return await outgoing.get(host, f"{PATH}{token}")
    except OutgoingError as error:
        return error


def _same(shown: str, token: str) -> bool:
    return hmac.compare_digest(shown.encode(), token.encode())
