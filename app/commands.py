"""The database for a command: the running cluster's, or one started for the while."""

from collections.abc import Iterator
from contextlib import contextmanager

from app import claims
from app.db import embedded
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
