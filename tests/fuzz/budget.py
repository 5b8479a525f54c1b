"""How many examples a test tries.

The suite tries few, the same each time; the profile `fuzz` (conftest.py) tries many, new ones each
time.
"""

from hypothesis import HealthCheck, Phase, settings

LONG_RUN = "fuzz"
"""The name of the profile for `python -m tests.fuzz`."""

LONGER = 10
"""How many times the suite's examples a round of the long run tries: it takes about a minute."""


def is_long_run() -> bool:
    """Whether time does not matter."""
    return settings.get_current_profile_name() == LONG_RUN


def examples(count: int) -> settings:
    """So many examples in the suite."""
    return settings(
        max_examples=count * LONGER if is_long_run() else count,
        derandomize=not is_long_run(),
        deadline=None,  # by the clock; `bounded` has one by the processor
        print_blob=True,
        phases=set(Phase) - {Phase.explain},  # it traces every line, for minutes
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
