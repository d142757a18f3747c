"""Erase a customer's personal data; ids, digests, facts, conversions and the ledger stay."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from app.conversions.identities import EMAIL
from app.conversions.people import about
from app.conversions.people.about import Person
from app.conversions.people.claims_about import forget_claims
from app.conversions.people.cut_clicks import cut_clicks
from app.conversions.people.deals_about import forget_deals
from app.db.engine import Database
from app.db.tx import Tx
from app.erasures import ErasureOut, latest, record

_OVERLAP: Final = timedelta(seconds=15)
"""A receipt is stamped before its commit, which comes before the statement's time-out."""


@dataclass(frozen=True, slots=True)
class Searched:
    """The events that name a customer and meant nothing else, as of when the search began."""

    customer_id: UUID
    began: datetime
    found: Collection[UUID]


async def search(database: Database, workspace: UUID, customer_id: UUID) -> Searched:
    """The long search, through raw bodies that meant nothing: before a lane is taken. NotFound."""
    async with database.snapshot() as read:
        driver = await read.driver()
        began = await driver.fetchval("SELECT clock_timestamp()")
        someone = await about.person(driver, workspace, customer_id)
        found = await about.undecided(driver, workspace, someone)
    return Searched(customer_id, began, found)


async def erase_customer(tx: Tx, workspace: UUID, searched: Searched, *, key: UUID) -> ErasureOut:
    """Erase all that names the person. tx: in the lane.

    What came since the search began is searched here. Twice: the first erasure's record, unless
    something came in between.
    """
    driver = await tx.driver()
    someone = await about.person(driver, workspace, searched.customer_id)
    since = searched.began - _OVERLAP
    found = {
        *searched.found,
        *await about.undecided(driver, workspace, someone, since=since),
        *await about.decided(driver, workspace, someone),
    }
    found |= await about.contradictions(driver, workspace, someone, found)
    return await _erase(tx, workspace, someone, found, key)


async def _erase(
    tx: Tx, workspace: UUID, someone: Person, events: Collection[UUID], key: UUID
) -> ErasureOut:
    driver = await tx.driver()
    counts = {
        "deals": await forget_deals(driver, workspace, someone),
        "claims": await forget_claims(driver, workspace, someone),
        "contacts": await _blank_contacts(driver, workspace, someone),
        "aliases": await _blank_aliases(driver, workspace, someone),
        **await cut_clicks(driver, workspace, events),
        "bodies": await _bodies(driver, workspace, events),
    }
    before = await latest(tx, workspace, someone.id)
    if before is not None and not any(counts.values()):
        return before
    erasure = await record(
        tx, workspace, key=key, kind="customer", subject=someone.id, counts=counts
    )
    await driver.execute(
        "DELETE FROM event_bodies WHERE workspace_id = $1 AND event_id = ANY($2)",
        workspace,
        events,
    )
    await driver.execute(
        "UPDATE customers SET erased_at = $3 WHERE workspace_id = $1 AND id = ANY($2)",
        workspace,
        someone.ids,
        erasure.erased_at,
    )
    return erasure


async def _blank_contacts(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> int:
    blanked = await driver.fetch(
        "UPDATE customers SET email = '', name = '', heard_from = ''"
        " WHERE workspace_id = $1 AND id = ANY($2)"
        " AND (email <> '' OR name <> '' OR heard_from <> '') RETURNING id",
        workspace,
        someone.ids,
    )
    return len(blanked)


async def _blank_aliases(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> int:
    """The digests stay: by them the same person is known again, and refunds find their sales. An
    address joins nobody to the customer any more, so its digest goes.
    """
    forgotten = await driver.fetch(
        "DELETE FROM customer_names"
        " WHERE workspace_id = $1 AND customer_id = ANY($2) AND namespace = $3 RETURNING name",
        workspace,
        someone.ids,
        EMAIL,
    )
    blanked = await driver.fetch(
        "UPDATE customer_names SET external_id = NULL"
        " WHERE workspace_id = $1 AND customer_id = ANY($2) AND external_id IS NOT NULL"
        " RETURNING name",
        workspace,
        someone.ids,
    )
    return len(blanked) + len(forgotten)


async def _bodies(
    driver: "asyncpg.Connection[Any]", workspace: UUID, events: Collection[UUID]
) -> int:
    counted: int = await driver.fetchval(
        "SELECT count(*) FROM event_bodies WHERE workspace_id = $1 AND event_id = ANY($2)",
        workspace,
        events,
    )
    return counted
