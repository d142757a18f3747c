"""Who is meant by a rule's recipient at one sale: the recruiter, the company, the customer."""

from uuid import UUID

from app.core.conversions import Conversion
from app.core.reasons import Reason, because
from app.core.rewards import Reward
from app.core.world import World, state_at


def beneficiary(
    reward: Reward, conversion: Conversion, partner: UUID, customer: UUID, world: World
) -> UUID | Reason:
    """Who has a reward for a conversion that a partner is credited for; a Reason: nobody.

    Whoever came into the program after it was recorded has none, or each further word about the
    customer would be a chance to have one.
    """
    program, at = conversion.program_id, conversion.read_at
    assert program is not None
    match reward.to:
        case "customer":
            return customer
        case "company":
            states = world.companies.get(partner, ())
            company = state_at(states, at) if states else ""
            found = UUID(company) if company else None
        case _:
            found = recruiter(world, program, partner, reward.level or 1)
    level = {} if reward.level is None else {"level": reward.level}
    if found is None:
        return because(f"{reward.to}_missing", partner_id=partner, **level)
    place = world.enrollments.get((program, found))
    if place is None or place.states[0].since > conversion.recorded_at:
        return because(f"{reward.to}_missing", partner_id=partner, **level)
    if state_at(place.states, at) != "active":
        return because(f"{reward.to}_suspended", partner_id=found, **level)
    if found in world.selves:
        return because(f"{reward.to}_is_customer", partner_id=found, **level)
    return found


def recruiter(world: World, program: UUID, partner: UUID, level: int) -> UUID | None:
    """Who recruited a partner for a program, or who recruited that one.

    Nobody earns as the recruiter of oneself: a ring, which the edge refuses, ends where it closes.
    """
    found = partner
    for _ in range(level):
        above = world.recruiters.get((program, found))
        if above is None or above == partner:
            return None
        found = above
    return found
