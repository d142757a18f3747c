"""The SQL behind touches that are no clicks: whose code it was when, and which partner refers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from app.core.world import CodeFact, Dated

Codes = tuple[Mapping[UUID, CodeFact], Mapping[str, tuple[Dated, ...]]]
"""By id, and by the names that they go by: `World.codes` and `World.code_names`."""


async def codes_named(
    driver: "asyncpg.Connection[Any]", workspace: UUID, names: Iterable[str]
) -> Codes:
    """The codes that names meant at any time. names: in normal form, or `provider:id`."""
    wanted = sorted(names)
    if not wanted:
        return {}, {}
    meant: dict[str, list[Dated]] = defaultdict(list)
    ids: set[UUID] = set()
    for row in await driver.fetch(
        """
        SELECT code AS name, id, created_at AS since, NULL::timestamptz AS until FROM codes
        WHERE workspace_id = $1 AND code = ANY($2)
        UNION ALL
        SELECT provider_id, code_id, since, until FROM code_provider_ids
        WHERE workspace_id = $1 AND provider_id = ANY($2)
        ORDER BY since, name
        """,
        workspace,
        wanted,
    ):
        ids.add(row["id"])
        meant[row["name"]].append(Dated(row["since"], str(row["id"])))
        if row["until"] is not None:
            meant[row["name"]].append(Dated(row["until"], ""))
    facts = await _facts(driver, workspace, ids)
    return facts, {name: tuple(states) for name, states in meant.items()}


async def _facts(
    driver: "asyncpg.Connection[Any]", workspace: UUID, ids: set[UUID]
) -> dict[UUID, CodeFact]:
    if not ids:
        return {}
    rows = await driver.fetch(
        """
        SELECT c.id, c.code, c.program_id, c.partner_id,
          array_agg(s.since ORDER BY s.since) AS since, array_agg(s.state ORDER BY s.since) AS state
        FROM codes c JOIN code_states s ON s.workspace_id = c.workspace_id AND s.code_id = c.id
        WHERE c.workspace_id = $1 AND c.id = ANY($2) GROUP BY c.id
        """,
        workspace,
        sorted(ids),
    )
    return {
        row["id"]: CodeFact(
            id=row["id"],
            code=row["code"],
            program_id=row["program_id"],
            partner_id=row["partner_id"],
            states=tuple(map(Dated, row["since"], row["state"])),
        )
        for row in rows
    }


async def referrers(
    driver: "asyncpg.Connection[Any]", workspace: UUID, people: Iterable[str]
) -> dict[str, UUID]:
    """By the digest of a customer's alias: the first partner that this customer became."""
    wanted = sorted(people)
    if not wanted:
        return {}
    rows = await driver.fetch(
        """
        SELECT n.name, p.partner_id FROM customer_names n
        JOIN partner_customers p USING (workspace_id, customer_id)
        WHERE n.workspace_id = $1 AND n.name = ANY($2)
        ORDER BY p.created_at DESC, p.partner_id DESC
        """,
        workspace,
        wanted,
    )
    return {row["name"]: row["partner_id"] for row in rows}


async def places(
    driver: "asyncpg.Connection[Any]", workspace: UUID, partners: Iterable[UUID]
) -> set[tuple[UUID, UUID]]:
    """(program, partner): all programs that partners are in."""
    wanted = sorted(partners)
    if not wanted:
        return set()
    rows = await driver.fetch(
        "SELECT program_id, partner_id FROM enrollments"
        " WHERE workspace_id = $1 AND partner_id = ANY($2)",
        workspace,
        wanted,
    )
    return {(row["program_id"], row["partner_id"]) for row in rows}
