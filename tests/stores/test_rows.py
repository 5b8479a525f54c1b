"""Values to text and back."""

from hypothesis import given
from hypothesis import strategies as st

from parsers.records import ListingState, PhotoRef
from service.stores.rows import read_state, state_text

texts = st.none() | st.text(max_size=5)
refs = st.builds(
    PhotoRef,
    id=st.text(max_size=3),
    order=st.integers(),
    stamp=texts,
    url=texts,
    preferred=st.booleans(),
    caption=texts,
    category=st.sampled_from(["Photo", "Floor Plan", ""]),
)
states = st.builds(
    ListingState,
    key=st.text(max_size=3),
    stamp=texts,
    modified=texts,
    photos=st.none() | st.lists(refs, max_size=3).map(tuple),
    expected_count=st.none() | st.integers(0, 99),
    complete=st.booleans(),
    links=st.lists(refs, max_size=2).map(tuple),
)


@given(states)
def test_any_state_comes_back_from_its_text(said: ListingState) -> None:
    text = state_text(said)
    assert text.isascii()
    assert "\0" not in text
    assert read_state(text) == said


@given(states, states)
def test_texts_are_equal_exactly_when_states_are(one: ListingState, other: ListingState) -> None:
    assert (state_text(one) == state_text(other)) == (one == other)


def test_defaults_are_not_written() -> None:
    assert state_text(ListingState("1", photos=(PhotoRef("1", 1),))) == (
        '{"key":"1","photos":[{"id":"1","order":1}]}'
    )
