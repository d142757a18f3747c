"""Composition of road 1 for one web process: directory, journal and the tasks that serve them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.redirect.asgi import ASGIApp, Redirect
from app.redirect.directory import Directory
from app.redirect.drain import drain_own, keep_emptying_orphans
from app.redirect.feed import follow
from app.redirect.folders import refuse_network
from app.redirect.impression_store import finish, keep_taking_up, store_own
from app.redirect.impressions import Pixel, Tally
from app.redirect.journal import Journal
from app.redirect.metrics import keep_handing_on
from app.redirect.record import Recorder
from app.redirect.siblings import REPLICA, catch_up, keep_tidy
from app.redirect.visits import Visits
from app.redirect.watch import keep_running
from app.secret_keys import SecretKeys
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Road:
    """Road 1, running: `road.app(inner)` puts it in front of an ASGI app."""

    directory: Directory
    journal: Journal
    click_keys: Sequence[bytes]
    visits: Visits
    tally: Tally

    def app(self, inner: ASGIApp) -> ASGIApp:
        pixel = Pixel(inner, directory=self.directory, tally=self.tally, agents=self.visits.agents)
        return Redirect(
            pixel,
            directory=self.directory,
            journal=self.journal,
            click_keys=self.click_keys,
            visits=self.visits,
        )

    def recorder(self) -> Recorder:
        """For clicks that are told instead of made."""
        return Recorder(self.journal, self.click_keys, self.visits)

    def ready(self) -> bool:
        """Whether visitors can be sent on with their clicks safe; needs no Postgres."""
        return self.directory.usable and self.journal.usable


@asynccontextmanager
async def road(
    settings: Settings, *, database_url: str, keys: SecretKeys, folder: Path
) -> AsyncIterator[Road]:
    """Start road 1 in a folder that the caller has claimed; Postgres may be away.

    folder: from `folders.claim_folder`. NetworkFolderError if it is on a network file system.
    """
    refuse_network(folder)
    await asyncio.to_thread(catch_up, folder)
    directory = Directory(folder / REPLICA, size=settings.lru_links)
    journal = Journal(folder, max_bytes=settings.journal_max_bytes)
    tally = Tally()
    visits = Visits(settings, folder.parent, keys)
    try:
        async with asyncio.TaskGroup() as tasks:
            work: dict[str, Callable[[], Awaitable[None]]] = {
                "feed": partial(follow, directory, database_url),
                "directory": partial(directory.answer, database_url),
                "replica": partial(keep_tidy, directory, folder),
                "salts": partial(visits.salts.keep, database_url),
                "countries": visits.countries.keep,
                "metrics": keep_handing_on,
                "journal": journal.recover,
                "drain": partial(drain_own, folder, journal, database_url),
                "orphans": partial(keep_emptying_orphans, folder.parent, database_url),
                "impressions": partial(store_own, tally, database_url),
                "left_impressions": partial(keep_taking_up, folder, database_url),
            }
            running = [
                tasks.create_task(keep_running(name, task), name=name)
                for name, task in work.items()
            ]
            try:
                yield Road(directory, journal, keys.click_keys, visits, tally)
            finally:
                for task in running:
                    task.cancel()
    finally:
        await journal.close()
        directory.close()
        await finish(tally, folder, database_url)
