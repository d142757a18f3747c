"""Which customers take so long to decide that the event loop must not wait for it.

All open sales of a customer are decided again with each event, and a condition may cost
milliseconds for each.
"""

from typing import Final
from uuid import UUID

from app.core.plans import Plan
from app.core.world import World

LONG: Final = 10_000
"""Characters of conditions that are worked out: a millisecond to fifteen, by what they say."""
_OF_A_SALE: Final = 50
"""What else is done for one sale, in characters of conditions."""


def cost_of_sale(world: World) -> int:
    """What deciding one sale costs at most, in characters, if each program has a say in it."""
    own: dict[UUID, int] = {}
    for (program, _), place in world.enrollments.items():
        for terms in place.agreements:
            own[program] = max(own.get(program, 0), _conditions(terms.plan))
    return _OF_A_SALE + sum(
        max(own.get(program.id, 0), *(_conditions(terms.plan) for terms in program.plans))
        for program in world.programs.values()
    )


def _conditions(plan: Plan) -> int:
    return sum(len(rule.when.source) for rule in plan.rules if rule.when is not None)
