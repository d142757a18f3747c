"""Whom a cell `partner` means: a partner of the program, by whatever name the file has for it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.core import codes
from app.db.tx import Tx
from app.errors import InvalidRequest
from app.ids import MalformedIdError, decode
from app.imports.kinds import Ground
from app.imports.values import wrong

# The lowest rank that finds somebody counts: an id, our own or theirs, an address, a code, a link.
_FIND: Final = """
WITH named AS (
  SELECT 0 AS rank, id::text AS name, id FROM partners
  WHERE workspace_id = $1 AND id = ANY($3::uuid[])
  UNION ALL
  SELECT 1, external_id, id FROM partners WHERE workspace_id = $1 AND external_id = ANY($4)
  UNION ALL
  SELECT 2, lower(email), partner_id FROM partner_members
  WHERE workspace_id = $1 AND lower(email) = ANY($5)
  UNION ALL
  SELECT 3, code, partner_id FROM codes
  WHERE workspace_id = $1 AND program_id = $2 AND code = ANY($6)
  UNION ALL
  SELECT 4, code, partner_id FROM links
  WHERE workspace_id = $1 AND program_id = $2 AND code = ANY($4)
)
SELECT DISTINCT n.rank, n.name, n.id FROM named n
JOIN enrollments e ON e.workspace_id = $1 AND e.program_id = $2 AND e.partner_id = n.id
"""


@dataclass(frozen=True, slots=True)
class Partners:
    """By rank and name: the partners that have it."""

    _found: Mapping[tuple[int, str], frozenset[UUID]]

    def named(self, text: str | None) -> UUID | None:
        """InvalidRequest if nobody, or more than one, has this name; None for no name."""
        if text is None:
            return None
        for name in _names(text):
            partners = self._found.get(name, frozenset())
            if len(partners) > 1:
                raise _unclear("More than one partner of the program has this name")
            if partners:
                return next(iter(partners))
        raise _unclear("No partner of the program has this external_id, e-mail address or code")


async def find(tx: Tx, ground: Ground, texts: Iterable[str]) -> Partners:
    """All that the rows of a chunk may name."""
    ranked: dict[int, set[str]] = defaultdict(set)
    for text in texts:
        for rank, name in _names(text):
            ranked[rank].add(name)
    driver = await tx.driver()
    rows = await driver.fetch(
        _FIND,
        ground.workspace,
        ground.program,
        list(map(UUID, ranked[0])),
        list(ranked[1]),
        list(ranked[2]),
        list(ranked[3]),
    )
    found: dict[tuple[int, str], set[UUID]] = defaultdict(set)
    for row in rows:
        found[row["rank"], row["name"]].add(UUID(bytes=row["id"].bytes))
    return Partners({name: frozenset(partners) for name, partners in found.items()})


def _names(text: str) -> list[tuple[int, str]]:
    """What the text may be, by rank."""
    names = [(1, text), (2, text.lower()), (3, codes.normal(text)), (4, text)]
    try:
        names.insert(0, (0, str(decode("part", text))))
    except MalformedIdError:
        return names
    return names


def _unclear(problem: str) -> InvalidRequest:
    remedy = "Import the partners first; name each by its external_id, e-mail address or code."
    return wrong("partner", problem, remedy)
