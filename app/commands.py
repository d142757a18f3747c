"""Commands on the database: the running cluster's, or one started for the while."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from app import claims
from app.conversions import verify as verification
from app.db import embedded
from app.db.engine import Database
from app.db.where import database_url
from app.settings import Settings


@contextmanager
def with_database(settings: Settings) -> Iterator[str]:
    """A URL that answers. An embedded server that wasn't running is stopped afterwards."""
    if settings.database_url:
        yield database_url(settings)
        return
    if embedded.is_running(settings.data_dir):
        yield database_url(settings)
        return
    try:
        yield embedded.start(settings.data_dir)
    finally:
        # A `serve` that began meanwhile has adopted the server and goes on with it.
        if not claims.is_serving(settings.data_dir):
            embedded.stop(settings.data_dir)


async def verify(url: str) -> int:
    """Say what was recomputed and what does not hold; the exit code: 1 if anything doesn't."""
    database = Database(url)
    try:
        verdict = await verification.verify(database)
    finally:
        await database.close()
    for finding in verdict.findings:
        sys.stdout.write(f"{finding.place}: {finding.problem}\n")
    found = len(verdict.findings)
    sys.stdout.write(
        f"{verdict.decisions} decisions and {verdict.transfers} transfers recomputed: "
        f"{f'{found} differ from what is stored' if found else 'all hold'}.\n"
    )
    return 1 if found else 0
