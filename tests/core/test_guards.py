from hypothesis import given
from hypothesis import strategies as st

from service.core.guards import plan_removals

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
