"""Commands on the database: the running cluster's, or one started for the while.

Each returns its exit code.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from app import api, claims
from app.auth import Scope, issue, new_key
from app.claims import CannotServeError
from app.conversions.proof import verify as verification
from app.db import embedded
from app.db.engine import Database
from app.db.migrate import is_current, upgrade
from app.db.tables import Workspace
from app.db.where import database_url
from app.explain import explained
from app.ids import MalformedIdError, decode
from app.settings import Settings


def migrate(settings: Settings) -> int:
    """Bring the database up to this release."""
    with running(settings) as url:
        asyncio.run(upgrade(url))
    return 0


def verify(settings: Settings) -> int:
    """Say what was recomputed and what does not hold; 1 if anything doesn't."""
    with current(settings) as url:
        verdict = asyncio.run(_verdict(url))
    for finding in verdict.findings:
        sys.stdout.write(f"{finding.place}: {finding.problem}\n")
    found = len(verdict.findings)
    sys.stdout.write(
        f"{verdict.decisions} decisions and {verdict.transfers} transfers recomputed: "
        f"{f'{found} findings' if found else 'all hold'}.\n"
    )
    return 1 if found else 0


def explain(settings: Settings, commission: str) -> int:
    """Print why a commission is what it is; 1 if there is none with this id."""
    with current(settings) as url:
        text = asyncio.run(explained(url, commission))
    if text is None:
        sys.stderr.write(f"finderfee: no commission has the id {commission}\n")
        return 1
    sys.stdout.write(text)
    return 0


def key(settings: Settings, *, name: str, workspace: str | None = None) -> int:
    """Print a new admin key of this workspace, else of the first; 1 if there is none such."""
    with current(settings) as url:
        made = asyncio.run(_new_admin_key(url, name, workspace))
    if made is None:
        there = f"no workspace has the id {workspace}" if workspace else "there is no workspace yet"
        sys.stderr.write(f"finderfee: {there}\n")
        return 1
    sys.stdout.write(f"{made}\n")
    return 0


def print_openapi() -> int:
    sys.stdout.write(api.openapi_yaml())
    return 0


@contextmanager
def current(settings: Settings) -> Iterator[str]:
    """As `running`, for commands that need data: CannotServeError if there is none to use."""
    if not settings.database_url and not embedded.exists(settings.data_dir):
        raise CannotServeError(f"there is no data in {settings.data_dir}")
    with running(settings) as url:
        if not asyncio.run(is_current(url)):
            raise CannotServeError("the database has another release's schema: `migrate` first")
        yield url


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """A URL that answers. An embedded server that wasn't running is stopped afterwards."""
    if settings.database_url or embedded.is_running(settings.data_dir):
        yield database_url(settings)
        return
    try:
        yield embedded.start(settings.data_dir)
    finally:
        # A `serve` that began meanwhile has adopted the server and goes on with it.
        if not claims.is_serving(settings.data_dir):
            embedded.stop(settings.data_dir)


async def _verdict(url: str) -> verification.Verdict:
    database = Database(url)
    try:
        return await verification.verify(database)
    finally:
        await database.close()


async def _new_admin_key(url: str, name: str, workspace: str | None) -> str | None:
    try:
        wanted = Workspace.id == decode("ws", workspace) if workspace else Workspace.first
    except MalformedIdError:
        return None
    database = Database(url)
    try:
        async with database.tx() as tx:
            found = await tx.first(select(Workspace.id, Workspace.mode).where(wanted))
            if found is None:
                return None
            made = new_key(found.mode)
            await issue(tx, found.id, made, name=name, scopes=[Scope.ADMIN])
    finally:
        await database.close()
    return made.key
