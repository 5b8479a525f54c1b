"""Links to media that others host (R3): kept beside a listing's photos, never fetched."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from parsers.records import Image, ListingState, PhotoRef
from service.core.audit import distrust, said_before
from service.core.guards import Guard
from service.core.manifest import read_manifest, render_manifest
from service.core.photos import StoredPhoto, StoredSet, default_ref
from service.core.plan import Commit, FeedRules, Gate, plan_listing, settle

RULES = FeedRules(gate=Gate.URL)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def link(id_: str, url: str = "https://v/1", **more: object) -> PhotoRef:
    return PhotoRef(id_, 0, url=url, category="Video", **more)  # type: ignore[arg-type]


def photo(id_: str) -> StoredPhoto:
    ref = PhotoRef(id_, int(id_), url=f"https://m/{id_}")
    return StoredPhoto(ref, Image(f"{int(id_):064x}", 9, "image/jpeg", 1, 1))


def settled(said: ListingState, stored: StoredSet) -> Commit:
    plan = plan_listing(said, stored, RULES)
    assert plan.ask == ()
    commit = settle(plan, {}, stored)
    assert isinstance(commit, Commit)
    return commit


links = st.lists(
    st.builds(
        PhotoRef,
        id=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=3),
        order=st.integers(0, 99),
        stamp=st.none(),
        preferred=st.just(False),
        url=st.sampled_from(["https://v/1", "http://t/2?a=b"]),
        caption=st.none()
        | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
        category=st.sampled_from(["Video", "Virtual Tour"]),
    ),
    max_size=4,
    unique_by=lambda ref: ref.id,
).map(tuple)
STORED = StoredSet("A", 3, "s", (photo("1"),))


@given(links, links)
def test_a_complete_record_says_which_links_there_are(
    had: tuple[PhotoRef, ...], said: tuple[PhotoRef, ...]
) -> None:
    stored = replace(STORED, links=had)
    state = ListingState("A", "s", photos=(photo("1").ref,), expected_count=1, links=said)
    commit = settled(state, stored)
    assert commit.after.links == said
    assert commit.changed is (had != said)
    assert (commit.dropped, commit.owed, commit.loses) == (frozenset(), "", 0)


@given(links, links)
def test_an_incomplete_record_takes_no_link_away(
    had: tuple[PhotoRef, ...], said: tuple[PhotoRef, ...]
) -> None:
    stored = replace(STORED, links=had)
    state = ListingState("A", "s", photos=(photo("1").ref,), expected_count=2, complete=False, links=said)
    commit = settled(state, stored)
    assert {ref.id for ref in commit.after.links} == {ref.id for ref in (*had, *said)}
    assert commit.after.links[: len(said)] == said
    assert commit.guard is Guard.COUNT


@given(links)
def test_a_manifest_gives_its_links_back(had: tuple[PhotoRef, ...]) -> None:
    stored = replace(STORED, links=had, updated=NOW)
    document = render_manifest("f", stored)
    assert read_manifest("f", document) == stored
    assert (b'"links"' in document) is bool(had)


def test_a_record_that_counts_nothing_and_takes_nothing_away_is_settled() -> None:
    empty = ListingState("A", "s", photos=(), complete=False, links=(link("v"),))
    assert settled(empty, StoredSet("A")).settled
    assert settled(empty, StoredSet("A", 1, "s", (), (link("v"),))).settled
    assert settled(empty, STORED).guard is Guard.COUNT
    assert settled(empty._replace(links=()), StoredSet("A", 1, "s", (), (link("v"),))).guard is Guard.COUNT


def test_a_repair_keeps_the_links() -> None:
    stored = replace(STORED, links=(link("v"),))
    commit = distrust(stored, frozenset({photo("1").name}))
    assert commit.after.links == stored.links
    assert said_before(stored, by_sequence=True).links == stored.links


def test_a_document_is_never_the_default() -> None:
    pdf = PhotoRef("0", 0, preferred=True, category="Document")
    assert default_ref((pdf, PhotoRef("7", 1))) == PhotoRef("7", 1)
    assert default_ref((pdf,)) is None


def test_with_the_key_as_its_gate_a_photo_is_fetched_once() -> None:
    said = ListingState("A", "t", photos=(PhotoRef("1", 5, "new", "https://other"), PhotoRef("2", 6)))
    assert plan_listing(said, STORED, FeedRules(gate=Gate.KEY)).ask == ("2",)
