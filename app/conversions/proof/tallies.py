"""Partners' totals: each decision went on from where the last one had left them, and they are the
sums of what stands.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from app.conversions import summing
from app.conversions.proof.finding import Finding
from app.conversions.tally_canon import moves_of
from app.core.tallies import Kept, TallyKey
from app.ids import encode


@dataclass(slots=True)
class TallyChain:
    """Where decisions left each total; follow them in the order of their numbers."""

    left: dict[TallyKey, int] = field(default_factory=dict)

    def follow(self, number: int, facts: Mapping[str, Any]) -> Iterator[Finding]:
        """What a decision found that the one before it had not left. facts: that can be read."""
        for key, (before, after) in moves_of(facts.get("tallies", ())).items():
            expected = self.left.get(key, before)
            if before != expected:
                problem = f"found {before} of {_name(key)}, the one before left {expected}"
                yield Finding(f"decision {number}", problem)
            self.left[key] = after


async def findings(
    driver: "asyncpg.Connection[Any]", workspace: UUID, chain: TallyChain
) -> list[Finding]:
    """Stored totals against those of the conversions that stand, and against the decisions'."""
    kept: dict[UUID, list[Kept]] = defaultdict(list)
    for row in await driver.fetch(
        "SELECT program_id, name, period FROM tally_periods WHERE workspace_id = $1", workspace
    ):
        kept[row["program_id"]].append((row["program_id"], row["name"], row["period"]))
    stored = {
        TallyKey(*(row[name] for name in TallyKey._fields)): row["total"]
        for row in await driver.fetch("SELECT * FROM tallies WHERE workspace_id = $1", workspace)
    }
    summed: dict[TallyKey, int] = {}
    found: list[Finding] = []
    for program, wanted in sorted(kept.items()):
        try:
            summed |= await summing.summed(driver, workspace, program, wanted)
        except ValueError as error:
            place = f"tallies of {encode('prog', program)}"
            found.append(Finding(place, f"a period of theirs can't be read: {error}"))
    for key in sorted({*stored, *summed, *chain.left}):
        total = stored.get(key, 0)
        if total != summed.get(key, 0):
            problem = f"is {total}, the conversions that stand give {summed.get(key, 0)}"
            found.append(Finding(f"tally {_name(key)}", problem))
        if total != chain.left.get(key, total):
            problem = f"is {total}, its last decision left {chain.left[key]}"
            found.append(Finding(f"tally {_name(key)}", problem))
    return found


def _name(key: TallyKey) -> str:
    unit = key.currency or "count"
    return f"{encode('part', key.partner_id)} {key.name} {key.period} ({unit})"
