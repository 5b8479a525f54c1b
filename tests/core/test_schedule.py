from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.core.schedule import (
    FAILED_SHARE,
    FAILURES_FREE,
    FIRST_WAIT,
    LONGEST_WAIT,
    OPEN_AFTER,
    PARK_AFTER,
    PARKED_WAIT,
    Breaker,
    Budget,
    is_parked,
    next_attempt,
)

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


def opened(failures: int) -> Breaker:
    breaker = Breaker()
    for _ in range(failures):
        breaker = breaker.failed("HTTP 503", NOW, 1.0)
    return breaker


def test_a_feed_that_failed_is_tried_again_sooner_than_usual() -> None:
    assert opened(1).wait(NOW, timedelta(minutes=15)) == FIRST_WAIT
    assert opened(1).wait(NOW, timedelta(seconds=1)) == timedelta(seconds=1)
    assert Breaker().wait(NOW, timedelta(minutes=15)) == timedelta(minutes=15)


def test_a_breaker_opens_and_then_even_a_short_interval_waits() -> None:
    assert not opened(OPEN_AFTER - 1).on_trial
    breaker = opened(OPEN_AFTER)
    assert breaker.on_trial
    assert breaker.wait(NOW, timedelta(seconds=1)) == 16 * FIRST_WAIT
    assert breaker.wait(NOW + 16 * FIRST_WAIT, timedelta(seconds=1)) == timedelta()


def test_a_servers_own_wait_holds_for_its_feed() -> None:
    assert Breaker().failed("HTTP 429", NOW, 0.0, after=900).until == NOW + timedelta(seconds=900)


def test_a_stopped_feed_waits_for_no_time() -> None:
    stopped = opened(2).stop("login refused")
    assert (stopped.stopped, stopped.until, stopped.why) == (True, None, "login refused")


@given(st.integers(OPEN_AFTER, 60), st.floats(0, 1), st.timedeltas(timedelta(), timedelta(days=400)))
def test_no_wait_is_longer_than_a_day_whatever_the_clock_does(
    failures: int, jitter: float, back: timedelta
) -> None:
    breaker = Breaker(failures).failed("x", NOW, jitter)
    assert timedelta() <= breaker.wait(NOW - back, timedelta(minutes=15)) <= PARKED_WAIT
    assert breaker.wait(NOW, timedelta(minutes=15)) <= LONGEST_WAIT


def spend(budget: Budget, results: str) -> Budget:
    for result in results:
        budget = budget.spent(failed=result == "x")
    return budget


def test_failures_in_a_row_end_a_cycle_and_a_success_begins_a_new_row() -> None:
    assert "3 requests failed in a row" in spend(Budget(), ".xxx").why
    assert spend(Budget(), "xx.xx.xx.").why == ""


def test_a_trial_is_ended_by_its_first_failure() -> None:
    assert spend(Budget(in_a_row=1), ".").why == ""
    assert spend(Budget(in_a_row=1), ".x").why


@given(st.text("x.", max_size=400))
def test_a_tenth_of_many_may_fail_and_no_budget_is_used_up_by_successes(results: str) -> None:
    budget = spend(Budget(in_a_row=10**6), results)
    failed = results.count("x")
    assert bool(budget.why) == (failed > FAILURES_FREE + FAILED_SHARE * len(results))
