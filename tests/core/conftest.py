"""How hard the properties are tried: quickly by default, HYPOTHESIS_PROFILE=long for a night."""

import os

from hypothesis import HealthCheck, settings

# The shared machine's pace is no finding; drawing a whole history is slow by intent.
_unhurried = settings(deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.register_profile("fast", _unhurried, max_examples=250)
settings.register_profile("long", _unhurried, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
