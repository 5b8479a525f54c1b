"""What every Catalog does, on every database. Feeds are fresh, so tests may share a database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from parsers.records import ListingState, PhotoRef
from service.core.photos import StoredPhoto, StoredSet, listing_prefix
from service.core.plan import Commit
from service.core.ports import FeedStatus, Owed
from service.errors import RetryLater, SkipItem
from service.stores.catalog import SqlCatalog
from tests.stores.support import DAY, NOW, first_commit, next_commit, picture, stored_photo

Do = Callable[[Commit], StoredSet]


@pytest.fixture
def do(catalog: SqlCatalog, feed: str) -> Do:
    """Commits; returns the set as it then is."""

    def do(commit: Commit) -> StoredSet:
        catalog.commit(feed, commit, NOW, NOW + DAY)
        return catalog.stored_sets(feed, [commit.after.key])[commit.after.key]

    return do


def state(key: str, stamp: str | None = "s1", **more: object) -> ListingState:
    return ListingState(key, stamp, **more)  # type: ignore[arg-type]


# Marks.


def test_a_mark_is_kept_per_feed_and_clock_as_it_was_given(catalog: SqlCatalog, feed: str) -> None:
    assert catalog.mark(feed, "changes") is None
    catalog.set_mark(feed, "changes", " 1/3/2017 11:03:56 AM ")
    catalog.set_mark(feed, "keys", "")
    catalog.set_mark(feed, "changes", "2019-02-21T23:40:21.1234567Z")
    assert catalog.mark(feed, "changes") == "2019-02-21T23:40:21.1234567Z"
    assert catalog.mark(feed, "keys") == ""
    assert catalog.mark(feed + "x", "changes") is None


# Sets.


def test_a_set_comes_back_exactly_as_it_was_committed(do: Do) -> None:
    full = PhotoRef(
        "MK-1", -3, " Tue, 22 Jan 2019 22:17:29 GMT", "https://x/ä?a=1&b=2", True, "Küche \U0001f3e0", "Floor"
    )
    bare = PhotoRef("0", 0)
    photos = (
        StoredPhoto(full, picture(1)),
        StoredPhoto(bare, picture(2)._replace(length=5 * 2**30, width=None, height=None)),
    )
    commit = first_commit("A/1 ..", *photos, stamp="raw stamp ")
    stored = do(commit)
    assert stored == commit.after
    assert stored.updated == NOW
    assert stored.updated is not None
    assert stored.updated.utcoffset() == timedelta(0)


def test_listings_that_were_never_stored_are_absent(catalog: SqlCatalog, feed: str, do: Do) -> None:
    do(first_commit("1"))
    assert set(catalog.stored_sets(feed, ["1", "2"])) == {"1"}
    assert catalog.stored_sets(feed, []) == {}
    assert catalog.stored_sets(feed + "x", ["1"]) == {}


def test_more_keys_than_one_query_takes_are_all_found(catalog: SqlCatalog, feed: str) -> None:
    stored = (0, 499, 500, 999, 1000, 1099)
    commits = [first_commit(f"L{number}", stored_photo(1, number)) for number in stored]
    for commit in commits:
        catalog.commit(feed, commit, NOW, NOW)
    found = catalog.stored_sets(feed, (f"L{number}" for number in range(1200)))
    assert found == {commit.after.key: commit.after for commit in commits}


def test_photos_keep_the_order_and_the_repeated_ids_of_their_set(do: Do) -> None:
    photos = [stored_photo(3), stored_photo(1), stored_photo(1, 99), stored_photo(27), stored_photo(2)]
    stored = do(first_commit("1", *photos))
    assert list(stored.photos) == photos


CHANGES = {
    "one more": (1, 2, 3, 4),
    "one less, at the end": (1, 2),
    "one less, at the start": (2, 3),
    "none at all": (),
    "another order": (3, 1, 2),
    "all others": (7, 8, 9, 10),
}


@pytest.mark.parametrize("ids", CHANGES.values(), ids=CHANGES)
def test_a_changed_set_replaces_the_one_before(do: Do, ids: tuple[int, ...]) -> None:
    before = do(first_commit("1", stored_photo(1), stored_photo(2), stored_photo(3)))
    commit = next_commit(before, *map(stored_photo, ids))
    assert do(commit) == commit.after


def test_any_field_of_a_photo_may_change_alone(do: Do) -> None:
    photo = stored_photo(1)
    stored = do(first_commit("1", photo, stored_photo(2)))
    for changed in (
        replace(photo, ref=photo.ref._replace(caption="Front")),
        replace(photo, ref=photo.ref._replace(stamp="later")),
        replace(photo, ref=photo.ref._replace(preferred=True)),
        replace(photo, ref=photo.ref._replace(category="Floor Plan")),
        replace(photo, image=picture(7)),
        replace(photo, image=photo.image._replace(media_type="image/png", width=None)),
    ):
        commit = next_commit(stored, changed, stored_photo(2))
        stored = do(commit)
        assert stored == commit.after


def test_neighbours_and_other_feeds_are_left_alone(catalog: SqlCatalog, feed: str, do: Do) -> None:
    do(first_commit("1", stored_photo(1)))
    other = do(first_commit("2", stored_photo(1)))
    catalog.commit(feed + "x", first_commit("1", stored_photo(9)), NOW, NOW)
    do(next_commit(catalog.stored_sets(feed, ["1"])["1"]))
    assert catalog.stored_sets(feed, ["1", "2"])["2"] == other
    assert catalog.stored_sets(feed + "x", ["1"])["1"].photos == (stored_photo(9),)


def test_a_commit_that_changes_nothing_writes_no_generation(catalog: SqlCatalog, feed: str, do: Do) -> None:
    stored = do(first_commit("1", stored_photo(1)))
    catalog.manifest_written(feed, "1", 1)
    assert do(Commit(stored, stored)).generation == 1
    assert catalog.manifests_due(feed, 10) == []


def test_a_commit_of_nothing_for_an_unknown_listing_stores_nothing(catalog: SqlCatalog, feed: str) -> None:
    nothing = StoredSet("1")
    catalog.commit(feed, Commit(nothing, nothing, owed="the answer was cut"), NOW, NOW)
    assert catalog.stored_sets(feed, ["1"]) == {}


def test_a_listing_that_is_gone_keeps_its_generation_and_may_come_back(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    before = do(first_commit("1", stored_photo(1)))
    do(first_commit("2"))
    gone = do(next_commit(before, gone=True))
    assert (gone.gone, gone.generation, gone.photos, gone.stamp) == (True, 2, (), None)
    assert catalog.known_keys(feed) == {"2"}
    back = do(next_commit(gone, stored_photo(1)))
    assert (back.gone, back.generation, back.photos) == (False, 3, (stored_photo(1),))
    assert catalog.known_keys(feed) == {"1", "2"}


def test_a_listing_that_is_only_owed_is_known(catalog: SqlCatalog, feed: str, do: Do) -> None:
    do(first_commit("1"))
    catalog.owe(feed, [ListingState("1"), ListingState("2")], None, NOW)
    assert catalog.known_keys(feed) == {"1", "2"}


@pytest.mark.parametrize("generations", [1, 2])
def test_a_commit_on_what_is_no_longer_stored_is_refused_whole(
    catalog: SqlCatalog, feed: str, do: Do, generations: int
) -> None:
    stale = StoredSet("1")
    stored = do(first_commit("1", stored_photo(1)))
    if generations == 2:
        stale, stored = stored, do(next_commit(stored, stored_photo(2)))
    catalog.owe(feed, [state("1")], None, NOW)
    with pytest.raises(RetryLater, match="changed in the meantime"):
        do(next_commit(stale, stored_photo(7)))
    assert catalog.stored_sets(feed, ["1"])["1"] == stored
    assert catalog.status(feed).owed == 1
    assert all(picture(7).sha256 not in key for key in catalog.due_deletions(feed, NOW + 9 * DAY, 99))


@pytest.mark.parametrize("said", [{"caption": "half a pair \ud83c"}, {"order": 2**70}])
def test_a_value_that_no_database_holds_skips_the_listing_and_leaves_no_trace(
    catalog: SqlCatalog, feed: str, said: dict[str, object]
) -> None:
    catalog.owe(feed, [state("1")], None, NOW)
    good = stored_photo(2)
    bad = replace(good, ref=good.ref._replace(**said))  # type: ignore[arg-type]
    with pytest.raises(SkipItem):
        catalog.commit(feed, first_commit("1", stored_photo(1), bad), NOW, NOW)
    assert catalog.stored_sets(feed, ["1"]) == {}
    assert catalog.manifests_due(feed, 10) == []
    assert catalog.status(feed).owed == 1


def test_numbers_may_be_as_large_as_object_ids_get(do: Do) -> None:
    photo = stored_photo(20_190_122_221_729)
    assert do(first_commit("1", photo)).photos == (photo,)


def test_a_time_without_a_zone_is_refused(catalog: SqlCatalog, feed: str) -> None:
    with pytest.raises(Exception, match="needs a zone"):
        catalog.owe(feed, [state("1")], None, NOW.replace(tzinfo=None))


# Manifests.


def test_a_manifest_is_due_until_it_is_written_at_its_generation(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    first = do(first_commit("1", stored_photo(1)))
    assert catalog.manifests_due(feed, 10) == [first]
    second = do(next_commit(first, stored_photo(2)))
    catalog.manifest_written(feed, "1", 1)
    assert catalog.manifests_due(feed, 10) == [second]
    catalog.manifest_written(feed, "1", 2)
    assert catalog.manifests_due(feed, 10) == []
    gone = do(next_commit(second, gone=True))
    assert catalog.manifests_due(feed, 10) == [gone]


def test_manifests_that_are_due_are_limited_and_per_feed(catalog: SqlCatalog, feed: str, do: Do) -> None:
    for key in "123":
        do(first_commit(key))
    catalog.commit(feed + "x", first_commit("9"), NOW, NOW)
    assert len(catalog.manifests_due(feed, 2)) == 2
    assert {stored.key for stored in catalog.manifests_due(feed, 10)} == {"1", "2", "3"}


# Deletions.


def test_dropped_objects_are_due_after_their_grace_period(catalog: SqlCatalog, feed: str, do: Do) -> None:
    before = do(first_commit("A/1", stored_photo(1), stored_photo(2)))
    do(next_commit(before, stored_photo(2)))
    key = listing_prefix(feed, "A/1") + stored_photo(1).name
    assert catalog.due_deletions(feed, NOW + DAY - timedelta(microseconds=1), 10) == []
    assert catalog.due_deletions(feed, NOW + DAY, 10) == [key]
    assert catalog.due_deletions(feed + "x", NOW + DAY, 10) == []
    catalog.deleted(feed, [key])
    assert catalog.due_deletions(feed, NOW + 9 * DAY, 10) == []


def test_an_object_that_is_needed_again_leaves_the_queue(catalog: SqlCatalog, feed: str, do: Do) -> None:
    stored = do(first_commit("1", stored_photo(1), stored_photo(2)))
    stored = do(next_commit(stored))
    assert len(catalog.due_deletions(feed, NOW + DAY, 10)) == 2
    # The same picture under another id: objects are named by their bytes.
    do(next_commit(stored, stored_photo(9, 1)))
    assert catalog.due_deletions(feed, NOW + DAY, 10) == [listing_prefix(feed, "1") + stored_photo(2).name]


def test_the_same_picture_of_two_listings_is_two_objects(catalog: SqlCatalog, feed: str, do: Do) -> None:
    one, _ = do(first_commit("1", stored_photo(1))), do(first_commit("2", stored_photo(1)))
    do(next_commit(one))
    assert catalog.due_deletions(feed, NOW + DAY, 10) == [listing_prefix(feed, "1") + stored_photo(1).name]


def test_deletions_come_oldest_due_first_and_limited(catalog: SqlCatalog, feed: str) -> None:
    for number, wait in enumerate([3, 1, 2]):
        commit = first_commit(str(number), stored_photo(number))
        catalog.commit(feed, commit, NOW, NOW)
        catalog.commit(feed, next_commit(commit.after), NOW, NOW + wait * DAY)
    order = [listing_prefix(feed, str(number)) + stored_photo(number).name for number in (1, 2, 0)]
    assert catalog.due_deletions(feed, NOW + 9 * DAY, 9) == order
    assert catalog.due_deletions(feed, NOW + 9 * DAY, 2) == order[:2]


def test_many_deletions_are_forgotten_at_once(catalog: SqlCatalog, feed: str) -> None:
    commit = first_commit("1", *map(stored_photo, range(1200)))
    catalog.commit(feed, commit, NOW, NOW)
    catalog.commit(feed, next_commit(commit.after), NOW, NOW)
    keys = catalog.due_deletions(feed, NOW, 9999)
    assert len(keys) == 1200
    catalog.deleted(feed, keys[1:])
    assert catalog.due_deletions(feed, NOW, 9999) == keys[:1]


# What is owed.


def test_what_is_owed_comes_back_as_it_was_said(catalog: SqlCatalog, feed: str) -> None:
    refs = (PhotoRef("1", 1, "stamp", "http://x/\u00e4", True, "Küche", "Floor Plan"), PhotoRef("2", 2))
    said = [
        state("1", "raw ", modified="m", photos=refs, expected_count=3, complete=False),
        state("2", None),
        state("3", photos=()),
    ]
    catalog.owe(feed, said, None, NOW)
    assert catalog.owed(feed, NOW, 10) == [Owed(one, due_at=NOW) for one in said]


def test_the_cursor_moves_with_the_page_that_it_makes_safe(catalog: SqlCatalog, feed: str) -> None:
    catalog.owe(feed, [state("1")], "cursor 1", NOW)
    assert catalog.mark(feed, "changes") == "cursor 1"
    catalog.owe(feed, [state("2")], None, NOW)
    assert catalog.mark(feed, "changes") == "cursor 1"
    catalog.owe(feed, [], "cursor 2", NOW)
    assert catalog.mark(feed, "changes") == "cursor 2"


def test_an_equal_state_keeps_its_attempts_and_another_one_starts_anew(
    catalog: SqlCatalog, feed: str
) -> None:
    photos = (PhotoRef("1", 1, "a"),)
    catalog.owe(feed, [state("1", photos=photos), state("2", photos=photos)], None, NOW)
    for key in "12":
        catalog.postpone(feed, key, why="20409 \0 \ud83c", due_at=NOW + DAY, parked=True)
    again = [state("1", photos=photos), state("2", photos=(PhotoRef("1", 1, "b"),))]
    catalog.owe(feed, again, None, NOW + timedelta(hours=1))
    same, new = sorted(catalog.owed(feed, NOW + DAY, 10), key=lambda owed: owed.said.key)
    assert same == Owed(again[0], 1, NOW + DAY, parked=True, why="20409 ? ?")
    assert new == Owed(again[1], 0, NOW + timedelta(hours=1))


def test_a_page_that_names_a_listing_twice_means_its_last_word(catalog: SqlCatalog, feed: str) -> None:
    catalog.owe(feed, [state("1", "old"), state("1", "new")], None, NOW)
    assert [owed.said.stamp for owed in catalog.owed(feed, NOW, 10)] == ["new"]


def test_a_thousand_listings_are_owed_and_unowed(catalog: SqlCatalog, feed: str) -> None:
    said = [state(f"L{number}") for number in range(1100)]
    catalog.owe(feed, said, None, NOW)
    catalog.owe(feed, said, None, NOW)
    assert len(catalog.owed(feed, NOW, 9999)) == 1100
    catalog.unowe(feed, [one.key for one in said[1:]])
    assert [owed.said for owed in catalog.owed(feed, NOW, 9999)] == said[:1]


def test_listings_are_due_in_their_order_and_not_before(catalog: SqlCatalog, feed: str) -> None:
    catalog.owe(feed, [state(key) for key in "123"], None, NOW)
    catalog.postpone(feed, "1", why="later", due_at=NOW + 2 * DAY, parked=False)
    catalog.postpone(feed, "2", why="parked", due_at=NOW + DAY, parked=True)
    assert [owed.said.key for owed in catalog.owed(feed, NOW, 9)] == ["3"]
    assert [owed.said.key for owed in catalog.owed(feed, NOW + 2 * DAY, 9)] == ["3", "2", "1"]
    assert [owed.said.key for owed in catalog.owed(feed, NOW + 2 * DAY, 1)] == ["3"]


def test_times_compare_as_moments_whatever_zone_they_are_given_in(catalog: SqlCatalog, feed: str) -> None:
    toronto = timezone(timedelta(hours=-5))
    catalog.owe(feed, [state("1")], None, NOW.astimezone(toronto))
    assert catalog.owed(feed, NOW - timedelta(microseconds=1), 9) == []
    (owed,) = catalog.owed(feed, NOW.astimezone(timezone(timedelta(hours=9))), 9)
    assert owed.due_at == NOW
    # A moment without a fraction of a second sorts like any other.
    whole = datetime(2026, 3, 2, tzinfo=UTC)
    catalog.postpone(feed, "1", why="", due_at=whole, parked=False)
    assert catalog.owed(feed, whole - timedelta(microseconds=1), 9) == []
    assert catalog.owed(feed, whole, 9)[0].due_at == whole


def test_each_failure_counts_and_parked_listings_give_their_reason(catalog: SqlCatalog, feed: str) -> None:
    catalog.owe(feed, [state("1"), state("2")], None, NOW)
    catalog.postpone(feed, "1", why="first", due_at=NOW, parked=False)
    catalog.postpone(feed, "1", why="second", due_at=NOW + DAY, parked=True)
    catalog.postpone(feed, "none", why="nobody", due_at=NOW, parked=True)
    assert catalog.parked(feed) == [Owed(state("1"), 2, NOW + DAY, parked=True, why="second")]


def test_a_settled_commit_clears_what_was_owed_and_another_does_not(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    catalog.owe(feed, [state("1"), state("2")], None, NOW)
    first = do(first_commit("1", stored_photo(1), owed="photo 2: retryable"))
    assert catalog.status(feed).owed == 2
    do(next_commit(first, stored_photo(1), stored_photo(2)))
    assert [owed.said.key for owed in catalog.owed(feed, NOW, 9)] == ["2"]


# Runs and status.


def test_a_feed_that_never_ran_has_zeros(catalog: SqlCatalog, feed: str) -> None:
    assert catalog.status(feed) == FeedStatus(feed, None, 0, 0, 0, 0, None, None, None)


def test_status_counts_what_is_stored_owed_and_parked(catalog: SqlCatalog, feed: str, do: Do) -> None:
    do(first_commit("1", stored_photo(1), stored_photo(2)))
    do(first_commit("2", stored_photo(1)))
    do(next_commit(do(first_commit("3", stored_photo(1))), gone=True))
    catalog.owe(feed, [state("4"), state("5")], "cursor", NOW)
    catalog.postpone(feed, "5", why="denied", due_at=NOW, parked=True)
    status = catalog.status(feed)
    assert (status.cursor, status.listings, status.photos) == ("cursor", 2, 3)
    assert (status.owed, status.parked) == (2, 1)


def test_status_tells_the_last_start_success_and_error(catalog: SqlCatalog, feed: str) -> None:
    hour = timedelta(hours=1)
    first = catalog.run_started(feed, NOW)
    catalog.run_ended(first, NOW + hour, {"uploaded": 3}, None)
    second = catalog.run_started(feed, NOW + DAY)
    assert second != first
    catalog.run_ended(second, NOW + DAY + hour, {}, "login refused")
    third = catalog.run_started(feed, NOW + 2 * DAY)
    status = catalog.status(feed)
    assert status.last_started == NOW + 2 * DAY
    assert status.last_success == NOW + hour
    assert status.last_error == "login refused"
    catalog.run_ended(third, NOW + 2 * DAY + hour, {}, None)
    status = catalog.status(feed)
    assert (status.last_success, status.last_error) == (NOW + 2 * DAY + hour, None)


# Many at once.


def test_sixteen_threads_commit_different_listings_at_once(catalog: SqlCatalog, feed: str) -> None:
    def three_generations(number: int) -> None:
        key, stored = f"L{number}", StoredSet(f"L{number}")
        catalog.owe(feed, [state(key)], f"cursor {number}", NOW)
        for turn in range(3):
            photos = [stored_photo(id_, 100 * turn + id_) for id_ in range(10)]
            commit = next_commit(stored, *photos)
            catalog.commit(feed, commit, NOW, NOW + DAY)
            catalog.manifest_written(feed, key, commit.after.generation)
            stored = catalog.stored_sets(feed, [key])[key]
            assert stored == commit.after

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(three_generations, range(48)))
    status = catalog.status(feed)
    assert (status.listings, status.photos, status.owed) == (48, 480, 0)
    assert catalog.manifests_due(feed, 99) == []
    assert len(catalog.due_deletions(feed, NOW + DAY, 9999)) == 48 * 20


def test_of_two_commits_on_the_same_set_exactly_one_is_kept(catalog: SqlCatalog, feed: str, do: Do) -> None:
    stored = do(first_commit("1", stored_photo(1)))

    def attempt(number: int) -> bool:
        try:
            catalog.commit(feed, next_commit(stored, stored_photo(number)), NOW, NOW)
        except RetryLater:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(attempt, range(2, 10)))
    assert sum(won) == 1
    assert catalog.stored_sets(feed, ["1"])["1"].photos == (stored_photo(2 + won.index(True)),)


# Links.


def test_links_come_back_change_and_go(catalog: SqlCatalog, feed: str, do: Do) -> None:
    tour = PhotoRef("v1", 0, url="https://v/1?a=b", caption="Küche \0", category="Video")
    first = first_commit("1", stored_photo(1))
    one = do(replace(first, after=replace(first.after, links=(tour,))))
    assert one.links == (tour,)
    assert catalog.manifests_due(feed, 9) == [one]
    assert catalog.holdings(feed, {"1": set()})["1"].stored == one
    walk = tour._replace(caption=None)
    two = do(Commit(one, replace(one, generation=2, links=(walk, tour._replace(id="v2")))))
    assert [link.id for link in two.links] == ["v1", "v2"]
    three = do(next_commit(two))
    assert three.links == ()
    back = catalog.undelete(feed, "1", None, NOW, NOW + DAY)
    assert back.links == two.links
    assert catalog.stored_sets(feed, ["1"])["1"].links == two.links
    catalog.restore(feed, [replace(back, generation=9, updated=NOW, links=(walk,))], due=frozenset())
    assert catalog.stored_sets(feed, ["1"])["1"].links == (walk,)
    catalog.restore(feed, [replace(back, generation=10, updated=NOW, links=())], due=frozenset())
    assert catalog.stored_sets(feed, ["1"])["1"].links == ()
