from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.guards import (
    JUMP,
    Losses,
    clock_is_steady,
    is_purge,
    plan_removals,
    why_clock,
    why_purge,
)

KNOWN = frozenset(str(number) for number in range(10))


def test_a_usual_loss_is_removed() -> None:
    assert plan_removals(KNOWN, KNOWN - {"3", "4"}, share=0.2).keys == {"3", "4"}


def test_a_sudden_loss_is_held_and_says_why() -> None:
    removals = plan_removals(KNOWN, KNOWN - {"1", "2", "3"}, share=0.2)
    assert (removals.keys, removals.held) == (frozenset(), 3)
    assert "3 of 10 listings" in removals.why


def test_an_empty_feed_purges_nothing() -> None:
    assert plan_removals(KNOWN, frozenset(), share=0.2).keys == frozenset()


def test_the_operators_word_lifts_the_guard() -> None:
    assert plan_removals(KNOWN, frozenset(), share=0.2, allowed=True).keys == KNOWN


@given(st.frozensets(st.integers()), st.frozensets(st.integers()), st.floats(0, 1))
def test_what_is_present_is_never_removed(
    known: frozenset[int], present: frozenset[int], share: float
) -> None:
    before = frozenset(map(str, known))
    now = frozenset(map(str, present))
    removals = plan_removals(before, now, share=share)
    assert not removals.keys & now
    assert len(removals.keys) <= share * len(before)


def test_losses_of_the_same_day_count_together() -> None:
    assert plan_removals(KNOWN, KNOWN - {"3"}, share=0.2, lost=1).keys == {"3"}
    held = plan_removals(KNOWN, KNOWN - {"3", "4"}, share=0.2, lost=1)
    assert held.keys == frozenset()
    assert "1 more went" in held.why


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.floats(0, 1))
def test_what_a_guard_lets_go_in_steps_is_never_more_than_it_lets_go_at_once(
    left: int, one: int, other: int, share: float
) -> None:
    one = min(one, left)
    other = min(other, left - one)
    if not is_purge(0, one, left, share) and not is_purge(one, other, left - one, share):
        assert one + other <= share * left or other == 0


def test_one_set_alone_is_no_purge_and_two_may_be() -> None:
    assert why_purge(Losses(photos=20), sets=1, photos=19, share=0.2) == ""
    assert "8 of 20 photos" in why_purge(Losses(photos=20), sets=2, photos=8, share=0.2)
    assert why_purge(Losses(photos=20), sets=2, photos=4, share=0.2) == ""
    before = Losses(photos=16, photos_lost=4, sets_shrunk=1)
    assert "5 of 20 photos" in why_purge(before, sets=1, photos=1, share=0.2)


NOW, DAY = datetime(2026, 5, 1, tzinfo=UTC), timedelta(days=1)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, ""),
        (NOW, ""),
        (NOW - DAY, ""),
        (NOW - 2 * DAY, "no cycle for 2 d 0 h"),
        (NOW + timedelta(minutes=4), ""),
        (NOW + timedelta(minutes=90), "set back by 1 h 30 min"),
    ],
)
def test_a_clock_that_jumps_is_doubted_and_a_slow_one_is_not(seen: datetime | None, why: str) -> None:
    assert why in why_clock(seen, NOW, DAY)
    assert bool(why) == bool(why_clock(seen, NOW, DAY))


def test_a_long_retention_lets_longer_gaps_pass() -> None:
    assert why_clock(NOW - 6 * DAY, NOW, 7 * DAY) == ""
    assert why_clock(NOW - 8 * DAY, NOW, 7 * DAY)


@given(st.timedeltas(timedelta(), 90 * DAY), st.timedeltas(timedelta(), 60 * DAY))
def test_no_time_of_grace_passes_unseen(gap: timedelta, retention: timedelta) -> None:
    """What was dropped at the last cycle is not yet due, or the clock is doubted."""
    due = NOW - gap + retention
    if retention >= JUMP and due < NOW:
        assert why_clock(NOW - gap, NOW, retention)


def test_a_doubted_clock_is_believed_after_a_time_of_grace() -> None:
    assert not clock_is_steady(NOW, NOW + DAY - timedelta(seconds=1), DAY)
    assert clock_is_steady(NOW, NOW + DAY, DAY)
