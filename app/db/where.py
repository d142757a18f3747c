"""Where the database is: DATABASE_URL, or the data folder's embedded server."""

from app.db import embedded
from app.settings import Settings


def database_url(settings: Settings) -> str:
    """The URL to connect to; an embedded server need not run yet."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    return embedded.url(settings.data_dir)
