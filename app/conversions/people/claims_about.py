"""What partners' claims hold about a customer: shown to it, and erased with it."""

from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from app.conversions.people.about import Person
from app.wire import Instant, Out

MOST: Final = 1_000

_ABOUT: Final = """
SELECT c.id, c.status, c.filed_at, w.namespace, w.external_id, w.statement, w.evidence, w.answer
FROM claims c JOIN claim_words w ON w.workspace_id = c.workspace_id AND w.claim_id = c.id
WHERE c.workspace_id = $1 AND (c.customer_id = ANY($2) OR c.name = ANY($3))
ORDER BY c.filed_at DESC, c.id DESC LIMIT $4
"""


class WrittenEvidenceOut(Out):
    """Something written, or an address. url: empty if it is none."""

    kind: Literal["url", "text"]
    url: str
    text: str


class ClaimedOut(Out):
    """A claim to have referred the customer, without who claimed it.

    namespace, external_id: the name by which the customer was told; empty if by none.
    """

    namespace: str
    external_id: str
    statement: str
    evidence: list[WrittenEvidenceOut]
    answer: str
    status: str
    filed_at: Instant


async def claims_about(
    driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person
) -> list[ClaimedOut]:
    """The latest 1,000."""
    rows = await driver.fetch(_ABOUT, workspace, someone.ids, sorted(someone.names), MOST)
    plain = [name for name in ClaimedOut.model_fields if name != "evidence"]
    return [
        ClaimedOut(
            **{name: row[name] for name in plain},
            evidence=[WrittenEvidenceOut(**one) for one in row["evidence"]],
        )
        for row in rows
    ]


async def forget_claims(driver: "asyncpg.Connection[Any]", workspace: UUID, someone: Person) -> int:
    """Erase what was written in claims on a customer; who claimed, answers' codes and dates stay.

    Before the customer's names go, by which they are found. How many.
    """
    rows = await driver.fetch(_ABOUT, workspace, someone.ids, sorted(someone.names), None)
    await driver.execute(
        "DELETE FROM claim_words WHERE workspace_id = $1 AND claim_id = ANY($2)",
        workspace,
        [row["id"] for row in rows],
    )
    return len(rows)
