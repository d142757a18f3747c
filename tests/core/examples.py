"""How often a property is tried whose examples are dear: less than others, in each profile."""

from hypothesis import settings

_EVERY_DAY = 250
"""What the fast profile in conftest.py tries."""


def dear(examples: int) -> settings:
    """examples: by the fast profile. The long one tries as many times more as of all others."""
    return settings(max_examples=examples * settings().max_examples // _EVERY_DAY)
