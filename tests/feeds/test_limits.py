"""Sliding windows against a clock that the test moves."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.feeds.limits import SLOTS, Limit, Quota


@dataclass
class Watch:
    at: datetime = field(default_factory=lambda: datetime(2026, 3, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


PER_SECOND, PER_HOUR = Limit("requests", 4, 1), Limit("requests", 100, 3600)


def test_x10_a_window_that_is_full_names_the_time_until_there_is_room() -> None:
    watch = Watch()
    quota = Quota([PER_SECOND], {}, watch)
    assert [quota.wait() for _ in range(4)] == [0.0] * 4
    wait = quota.wait()
    assert 1.0 <= wait <= 1.0 + 1 / SLOTS
    watch.move(wait + 0.001)
    assert quota.wait() == 0.0


@given(
    st.lists(st.floats(0, 1.5, allow_nan=False), min_size=1, max_size=80),
    st.integers(1, 6),
    st.integers(1, 3),
)
def test_no_window_ever_sees_more_than_its_limit(pauses: list[float], most: int, seconds: int) -> None:
    watch, went = Watch(), list[float]()
    quota = Quota([Limit("requests", most, seconds), Limit("requests", 9, 5)], {}, watch)
    for pause in pauses:
        watch.move(pause)
        if quota.wait() == 0.0:
            went.append(watch().timestamp())
    for limit, window in ((most, seconds), (9, 5)):
        for time in went:
            assert sum(time <= other < time + window for other in went) <= limit


def test_all_windows_hold_at_once() -> None:
    watch = Watch()
    quota = Quota([PER_SECOND, PER_HOUR], {}, watch)
    sent = 0
    for _ in range(200):
        wait = quota.wait()
        if wait == 0.0:
            sent += 1
        elif wait > 60:
            break
        watch.move(wait)
    assert sent == 100


def test_x10_bytes_are_counted_beside_requests() -> None:
    watch = Watch()
    quota = Quota([Limit("bytes", 1000, 3600)], {}, watch)
    assert quota.wait() == 0.0
    quota.came(999)
    assert quota.wait() == 0.0
    quota.came(1)
    assert 3600 <= quota.wait() <= 3600 + 3600 / SLOTS
    assert [(use.limit.name, use.used) for use in quota.uses()] == [("bytes per 3600 s", 1000)]


def test_counts_survive_a_restart() -> None:
    watch, facts = Watch(), dict[str, str]()
    before = Quota([PER_HOUR], facts, watch)
    assert [before.wait() for _ in range(100)] == [0.0] * 100
    before.save()
    watch.move(60)
    after = Quota([PER_HOUR, PER_SECOND], facts, watch)
    assert after.wait() > 3000
    watch.move(3600 + 3600 / SLOTS)
    assert after.wait() == 0.0


def test_a_crash_forgets_no_more_than_the_last_second() -> None:
    watch, facts = Watch(), dict[str, str]()
    quota = Quota([PER_HOUR], facts, watch)
    for _ in range(50):
        quota.wait()
        watch.move(0.5)
    (use,) = Quota([PER_HOUR], facts, watch).uses()
    assert use.used >= 48


def test_x10_a_rest_is_kept_over_a_restart() -> None:
    watch, facts = Watch(), dict[str, str]()
    Quota([], facts, watch).rest(600)
    watch.move(60)
    after = Quota([], facts, watch)
    assert after.wait() == 540
    watch.move(540)
    assert after.wait() == 0.0


def test_a_clock_that_is_set_back_locks_nobody_out_for_longer_than_a_window() -> None:
    watch = Watch()
    quota = Quota([PER_SECOND], {}, watch)
    for _ in range(4):
        quota.wait()
    watch.move(-7200)
    wait = quota.wait()
    assert 0.0 < wait <= 1.0 + 1 / SLOTS
    watch.move(wait + 0.001)
    assert quota.wait() == 0.0
