"""Change a workspace: its name, where unknown codes lead, how long clicks and messages stay."""

from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import select, update

from app import destinations
from app.db.tables import Domain, Workspace
from app.db.tx import Tx
from app.errors import FieldError, InvalidRequest
from app.wire import In, Name

_REDIRECTS = "/r/"


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


async def change(tx: Tx, workspace: UUID, wanted: WorkspaceUpdate, own_host: str) -> None:
    """InvalidRequest for a fallback that visitors can't be sent to, or that leads back here.

    own_host: the installation's, with its port if it has one.
    """
    values: dict[str, Any] = wanted.model_dump(exclude_unset=True)
    if values.get("fallback") is not None:
        values["fallback"] = await _checked(tx, values["fallback"], own_host)
    if values:
        await tx.execute(update(Workspace).where(Workspace.id == workspace).values(**values))


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
