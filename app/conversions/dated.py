"""What has dates besides terms: partners' places and countries, what goes before what; and who
partners are as customers.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions.qualified import Pair
from app.core.world import Dated


@dataclass(slots=True)
class DatedFacts:
    """States in the order of their dates. owners: by partner, the customer who it is."""

    places: defaultdict[Pair, list[Dated]] = field(default_factory=lambda: defaultdict(list))
    countries: defaultdict[UUID, list[Dated]] = field(default_factory=lambda: defaultdict(list))
    precedence: list[Dated] = field(default_factory=list)
    owners: dict[UUID, UUID] = field(default_factory=dict)


async def dated_facts(
    driver: "asyncpg.Connection[Any]", workspace: UUID, pairs: Iterable[Pair]
) -> DatedFacts:
    """Of these partners in these programs, and of the workspace."""
    programs, partners = zip(*pairs, strict=True)
    facts = DatedFacts()
    # One statement, since every batch asks for all of it: each one more takes its time twice.
    for row in await driver.fetch(
        """
        SELECT 'place' AS of, program_id, partner_id, since, state, NULL::uuid AS customer_id
        FROM enrollment_states
        WHERE workspace_id = $1 AND program_id = ANY($2) AND partner_id = ANY($3)
        UNION ALL
        SELECT 'country', NULL, partner_id, since, country, NULL FROM partner_countries
        WHERE workspace_id = $1 AND partner_id = ANY($3)
        UNION ALL
        SELECT 'precedence', NULL, NULL, since, array_to_string(ranks, ','), NULL
        FROM workspace_precedences WHERE workspace_id = $1
        UNION ALL
        SELECT 'owner', NULL, partner_id, NULL, NULL, customer_id FROM partner_customers
        WHERE workspace_id = $1 AND partner_id = ANY($3)
        ORDER BY since
        """,
        workspace,
        sorted(set(programs)),
        sorted(set(partners)),
    ):
        of, program, partner, since, state, customer = row
        match of:
            case "place":
                facts.places[program, partner].append(Dated(since, state))
            case "country":
                facts.countries[partner].append(Dated(since, state))
            case "precedence":
                facts.precedence.append(Dated(since, state))
            case _:
                facts.owners[partner] = customer
    return facts
