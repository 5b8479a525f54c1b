from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.core.schedule import FIRST_WAIT, LONGEST_WAIT, PARK_AFTER, PARKED_WAIT, is_parked, next_attempt

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_the_wait_doubles() -> None:
    waits = [next_attempt(attempts, NOW, 1.0) - NOW for attempts in (1, 2, 3)]
    assert waits == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]


def test_the_peers_own_wait_is_never_undercut() -> None:
    assert next_attempt(1, NOW, 0.0, after=900) == NOW + timedelta(seconds=900)


def test_what_keeps_failing_is_parked_and_looked_at_daily() -> None:
    assert not is_parked(PARK_AFTER - 1, retry=True)
    assert is_parked(PARK_AFTER, retry=True)
    assert next_attempt(PARK_AFTER, NOW, 0.5) == NOW + PARKED_WAIT


def test_what_asking_again_cannot_mend_is_parked_at_once() -> None:
    assert is_parked(1, retry=False)


@given(st.integers(1, PARK_AFTER - 1), st.floats(0, 1))
def test_the_jitter_spreads_over_half_the_wait(attempts: int, jitter: float) -> None:
    wait = next_attempt(attempts, NOW, jitter) - NOW
    full = min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)
    assert full / 2 <= wait <= full
