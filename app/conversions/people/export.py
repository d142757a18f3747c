"""Everything that is held about a customer, as one document that a person can be handed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
from pydantic import Field

from app.conversions.people import about
from app.conversions.people.about import Person
from app.conversions.people.claims_about import ClaimedOut, claims_about
from app.conversions.people.deals_about import RegisteredOut, deals_about
from app.conversions.people.received import ReceivedOut
from app.conversions.people.rewards_about import RewardedOut, rewards_about
from app.db.tx import Read
from app.errors import FieldError, InvalidRequest
from app.ids import MalformedIdError, decode
from app.pages import Page
from app.wire import (
    Amount,
    ClickId,
    ConversionId,
    CustomerId,
    Instant,
    LinkId,
    Out,
)

MOST: Final = 1_000
"""Of aliases, touches and conversions each; what is left out is told."""
MAX_BODY_BYTES: Final = 4_000_000
"""Of raw messages on one page; the first one is always there, whatever its size."""

_MESSAGES: Final = """
SELECT id, workspace_id, source, type, external_id, state, occurred_at, received_at, mapped
FROM events WHERE workspace_id = $1 AND id = ANY($2)
UNION ALL
SELECT c.id, c.workspace_id, e.source, e.type, e.external_id, 'conflicting', NULL, c.first_at,
  c.mapped
FROM event_conflicts c JOIN events e ON e.workspace_id = c.workspace_id AND e.id = c.event_id
WHERE c.workspace_id = $1 AND c.id = ANY($2)
"""
"""Events, and what contradicts them."""

Rows = Sequence[Mapping[str, Any]]


class PersonOut(Out):
    """former_ids: customers that turned out to be this one."""

    id: CustomerId
    former_ids: list[CustomerId]
    email: str
    name: str
    heard_from: str
    created_at: Instant
    erased_at: Instant | None


class KnownAsOut(Out):
    """One name of the customer. digest: what is kept of it after an erasure."""

    namespace: str | None
    external_id: str | None
    digest: str


class TouchedOut(Out):
    """A click that was claimed for the customer, with all that is kept of it.

    link_code: of the link that was opened; none if it is another workspace's, of whose click
    nothing more is told. user_agent to sub_ids: none if they were not kept, are past their
    retention or were erased. visitor: a hash that holds for one day.
    """

    click_id: ClickId
    at: Instant
    link_id: LinkId
    link_code: str | None
    traffic_class: str
    user_agent: str | None
    referrer: str | None
    country: str | None
    network: str | None
    visitor: str | None
    sub_ids: str | None


class BoughtOut(Out):
    """A conversion without the partners who earned by it."""

    id: ConversionId
    kind: str
    key: str
    occurred_at: Instant
    new: bool
    gross: Amount
    amount: Amount
    currency: str
    refunded: Amount
    subscription: str
    recorded_at: Instant


class LeftOut(Out):
    """How many older ones are not in the document."""

    aliases: int
    touches: int
    conversions: int


class CustomerExport(Out):
    """has_more: further messages follow; ask again with `starting_after` = the last event's id."""

    customer: PersonOut
    aliases: list[KnownAsOut]
    touches: list[TouchedOut]
    conversions: list[BoughtOut]
    left_out: LeftOut = Field(description="Over the limit of 1,000 each.")
    deals: list[RegisteredOut]
    claims: list[ClaimedOut]
    rewards: list[RewardedOut]
    events: list[ReceivedOut]
    has_more: bool


async def export_customer(
    read: Read, workspace: UUID, customer_id: UUID, wanted: Page
) -> CustomerExport:
    """NotFound; InvalidRequest if the page's anchor is no message about the customer."""
    driver = await read.driver()
    someone = await about.person(driver, workspace, customer_id)
    aliases, more_aliases = await _aliases(driver, workspace, someone)
    touches, more_touches = await _touches(driver, workspace, someone)
    bought, more_bought = await _conversions(driver, workspace, someone)
    events = await about.decided(driver, workspace, someone)
    events |= await about.undecided(driver, workspace, someone)
    events |= await about.contradictions(driver, workspace, someone, events)
    received, has_more = await _events(driver, workspace, events, wanted)
    return CustomerExport(
        customer=await _identity(driver, workspace, someone),
        aliases=[KnownAsOut(**row) for row in aliases],
        touches=[TouchedOut(**row) for row in touches],
        conversions=[BoughtOut(**row) for row in bought],
        left_out=LeftOut(aliases=more_aliases, touches=more_touches, conversions=more_bought),
        deals=await deals_about(driver, workspace, someone),
        claims=await claims_about(driver, workspace, someone),
        rewards=await rewards_about(driver, workspace, someone),
        events=[ReceivedOut.of(row) for row in received],
        has_more=has_more,
    )


async def _identity(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> PersonOut:
    row = await driver.fetchrow(
        "SELECT id, email, name, heard_from, created_at, erased_at FROM customers"
        " WHERE workspace_id = $1 AND id = $2",
        workspace,
        someone.id,
    )
    assert row is not None
    return PersonOut(**row, former_ids=[one for one in someone.ids if one != someone.id])


async def _aliases(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> tuple[Rows, int]:
    rows = await driver.fetch(
        "SELECT namespace, external_id, name AS digest FROM customer_names"
        " WHERE workspace_id = $1 AND customer_id = ANY($2) AND starts_with(name, 'a:')"
        " ORDER BY namespace, external_id, name",
        workspace,
        someone.ids,
    )
    return rows[:MOST], len(rows[MOST:])


async def _touches(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> tuple[Rows, int]:
    rows = await driver.fetch(
        """
        WITH claimed AS (
          SELECT DISTINCT ON (t.at, t.click_id) t.click_id, t.at, t.link_id, t.traffic_class
          FROM events e
          JOIN touches t ON t.workspace_id = e.workspace_id AND t.event_id = e.id
          WHERE e.workspace_id = $1 AND e.customer_id = ANY($2)
          ORDER BY t.at DESC, t.click_id
        )
        SELECT t.click_id, t.at, t.link_id, l.code AS link_code, t.traffic_class,
          a.text AS user_agent, r.text AS referrer, c.country, text(c.network) AS network,
          to_hex(c.visitor) AS visitor, c.subs AS sub_ids
        FROM claimed t
        LEFT JOIN links l ON l.workspace_id = $1 AND l.id = t.link_id
        LEFT JOIN clicks c ON c.id = t.click_id AND c.link_id = l.id
        LEFT JOIN agents a ON a.id = c.agent_id
        LEFT JOIN referrers r ON r.id = c.referrer_id
        ORDER BY t.at DESC, t.click_id
        """,
        workspace,
        someone.ids,
    )
    return rows[:MOST], len(rows[MOST:])


async def _conversions(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> tuple[Rows, int]:
    rows = await driver.fetch(
        "SELECT id, kind, key, occurred_at, is_new AS new, gross, base AS amount, currency,"
        " refunded, subscription, recorded_at FROM conversions"
        " WHERE workspace_id = $1 AND customer_id = ANY($2) AND superseded_by IS NULL"
        " ORDER BY occurred_at DESC, id DESC",
        workspace,
        someone.ids,
    )
    return rows[:MOST], len(rows[MOST:])


async def _events(
    driver: "asyncpg.Connection[Any]", workspace: UUID, events: Collection[UUID], wanted: Page
) -> tuple[Rows, bool]:
    """One page, by as many as are wanted and fit; and whether more follow."""
    rows = await driver.fetch(
        f"""
        SELECT e.id, coalesce(octet_length(b.body), 0) AS bytes FROM ({_MESSAGES}) e
        LEFT JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
        WHERE e.workspace_id = $1 AND e.id = ANY($2) ORDER BY e.received_at DESC, e.id DESC
        """,
        workspace,
        events,
    )
    left = rows[_first(rows, wanted) :]
    size, taken = 0, list[UUID]()
    for row in left[: wanted.limit]:
        size += row["bytes"]
        if taken and size > MAX_BODY_BYTES:
            break
        taken.append(row["id"])
    whole = await driver.fetch(
        f"""
        SELECT e.id, e.source, e.type, e.external_id, e.state, e.occurred_at, e.received_at,
          e.mapped, b.body
        FROM ({_MESSAGES}) e
        LEFT JOIN event_bodies b ON b.workspace_id = e.workspace_id AND b.event_id = e.id
        WHERE e.workspace_id = $1 AND e.id = ANY($2) ORDER BY e.received_at DESC, e.id DESC
        """,
        workspace,
        taken,
    )
    return whole, len(left) > len(taken)


def _first(rows: Rows, wanted: Page) -> int:
    """Where the page begins: behind its anchor, which must be one of the rows."""
    if wanted.starting_after is None:
        return 0
    ids = [row["id"] for row in rows]
    try:
        return ids.index(decode("evt", wanted.starting_after)) + 1
    except (MalformedIdError, ValueError) as error:
        remedy = "Send the last event's id of the page before."
        place = FieldError("query/starting_after", "Not a message about this customer", remedy)
        raise InvalidRequest(errors=[place]) from error
