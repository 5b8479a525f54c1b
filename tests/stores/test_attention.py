"""What every catalog keeps for its operator: retries, holds, breakers, and sets that can be brought back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from parsers.records import ListingState, PhotoRef
from service.core.guards import Held, Losses
from service.core.photos import Pin, StoredPhoto, StoredSet, listing_prefix
from service.core.plan import Commit
from service.core.ports import PURGE_ALLOWED, WAKE, Hold, KeptSet, Owed
from service.core.schedule import Breaker
from service.errors import SkipItem
from service.stores.catalog import SqlCatalog
from tests.stores.support import DAY, NOW, first_commit, next_commit, stored_photo

Do = Callable[..., StoredSet]

HOUR = timedelta(hours=1)


@pytest.fixture
def do(catalog: SqlCatalog, feed: str) -> Do:
    """Commits; returns the set as it then is."""

    def do(commit: Commit, now: datetime = NOW) -> StoredSet:
        catalog.commit(feed, commit, now, now + DAY)
        return catalog.stored_sets(feed, [commit.after.key])[commit.after.key]

    return do


def keys_of(stored: StoredSet, feed: str) -> set[str]:
    return {listing_prefix(feed, stored.key) + name for name in stored.names}


# What is owed.


def park(catalog: SqlCatalog, feed: str, *keys: str) -> None:
    catalog.owe(feed, [ListingState(key, "s1") for key in keys], None, NOW)
    for key in keys:
        catalog.postpone(
            feed,
            key,
            why="denied",
            due_at=NOW + DAY,
            parked=True,
            evidence="<html>\0 Sorry",
            guard="count",
            loses=2,
        )


def test_a_parked_listing_keeps_its_evidence_and_the_guard_that_stopped_it(
    catalog: SqlCatalog, feed: str
) -> None:
    park(catalog, feed, "1")
    said = ListingState("1", "s1")
    assert catalog.parked(feed) == [
        Owed(said, 1, NOW + DAY, parked=True, why="denied", evidence="<html>? Sorry", guard="count")
    ]
    catalog.owe(feed, [ListingState("1", "s2")], None, NOW)
    (fresh,) = catalog.owed(feed, NOW, 9)
    assert (fresh.why, fresh.evidence, fresh.guard) == ("", "", "")


def test_a_retry_makes_one_listing_due_as_if_it_had_never_failed(catalog: SqlCatalog, feed: str) -> None:
    park(catalog, feed, "1", "2")
    assert catalog.retry(feed, "1", NOW) == 1
    assert [(owed.said.key, owed.attempts, owed.parked) for owed in catalog.owed(feed, NOW, 9)] == [
        ("1", 0, False)
    ]
    assert catalog.retry(feed, "none", NOW) == 0
    assert catalog.retry(feed + "x", "1", NOW) == 0


def test_a_retry_of_a_feed_makes_all_due_and_closes_its_breaker(catalog: SqlCatalog, feed: str) -> None:
    park(catalog, feed, "1", "2")
    catalog.set_breaker(feed, Breaker(7, NOW + HOUR, stopped=True, why="login refused"))
    assert catalog.retry(feed, "1", NOW) == 1
    assert catalog.breaker(feed).stopped
    assert catalog.retry(feed, None, NOW) == 2
    assert len(catalog.owed(feed, NOW, 9)) == 2
    assert catalog.breaker(feed) == Breaker()


def test_an_operators_word_wakes_whoever_waits_for_the_feed(catalog: SqlCatalog, feed: str) -> None:
    catalog.retry(feed, None, NOW)
    first = catalog.mark(feed, WAKE)
    catalog.allow_purge(feed, NOW + timedelta(seconds=1))
    second = catalog.mark(feed, WAKE)
    assert first
    assert second
    assert first != second
    assert datetime.fromisoformat(catalog.mark(feed, PURGE_ALLOWED) or "") == NOW + timedelta(seconds=1)


def test_what_a_guard_keeps_is_counted_and_let_go(catalog: SqlCatalog, feed: str) -> None:
    park(catalog, feed, "1", "2")
    catalog.owe(feed, [ListingState("3")], None, NOW + DAY)
    assert catalog.held(feed) == {"count": Held(2, 4)}
    catalog.retry_held(feed, "photos", NOW)
    assert catalog.owed(feed, NOW, 9) == []
    catalog.retry_held(feed, "count", NOW)
    assert len(catalog.owed(feed, NOW, 9)) == 2


def test_a_commit_settles_the_state_that_it_worked_on_and_no_newer_one(
    catalog: SqlCatalog, feed: str
) -> None:
    old = ListingState("1", "old", photos=(PhotoRef("1", 1),))
    catalog.owe(feed, [old._replace(stamp="new")], None, NOW)
    first = first_commit("1", stored_photo(1))
    catalog.commit(feed, first, NOW, NOW, old)
    assert [owed.said.stamp for owed in catalog.owed(feed, NOW, 9)] == ["new"]
    catalog.commit(feed, next_commit(first.after, stored_photo(2)), NOW, NOW, old._replace(stamp="new"))
    assert catalog.owed(feed, NOW, 9) == []


def test_a_clock_that_is_set_back_leaves_nothing_due_for_later_than_usual(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    future = NOW + 9 * DAY
    catalog.owe(feed, [ListingState("1"), ListingState("2")], None, NOW)
    catalog.postpone(feed, "1", why="", due_at=future, parked=False)
    do(next_commit(do(first_commit("9", stored_photo(1)), future)), future)
    catalog.set_back(feed, NOW + HOUR, NOW + DAY)
    assert [owed.said.key for owed in catalog.owed(feed, NOW + HOUR, 9)] == ["2", "1"]
    assert [kept.until for kept in catalog.kept_sets(feed)] == [NOW + DAY]
    assert len(catalog.due_deletions(feed, NOW + DAY, 9)) == 1


def test_the_last_run_tells_when_the_clock_was_seen(catalog: SqlCatalog, feed: str) -> None:
    assert catalog.last_seen(feed) is None
    run = catalog.run_started(feed, NOW)
    assert catalog.last_seen(feed) == NOW
    catalog.run_ended(run, NOW + HOUR, {}, None)
    assert catalog.last_seen(feed) == NOW + HOUR
    catalog.run_started(feed, NOW - DAY)
    assert catalog.last_seen(feed) == NOW - DAY


# Holds and breakers.


def test_a_hold_keeps_the_time_since_when_and_says_the_newest_reason(catalog: SqlCatalog, feed: str) -> None:
    catalog.hold(feed, "listings", "3 of 10", NOW)
    catalog.hold(feed, "keys", "cut", NOW - HOUR)
    catalog.hold(feed, "listings", "4 of 10", NOW + HOUR)
    catalog.hold(feed + "x", "clock", "x", NOW)
    assert catalog.holds(feed) == [
        Hold(feed, "keys", "cut", NOW - HOUR),
        Hold(feed, "listings", "4 of 10", NOW),
    ]
    assert catalog.lift(feed, "keys")
    assert not catalog.lift(feed, "keys")
    assert [hold.guard for hold in catalog.holds(feed)] == ["listings"]


def test_a_breaker_is_closed_until_it_is_kept_otherwise(catalog: SqlCatalog, feed: str) -> None:
    assert catalog.breaker(feed) == Breaker()
    opened = Breaker(5, NOW, stopped=False, why="HTTP 503 \0")
    catalog.set_breaker(feed, opened)
    assert catalog.breaker(feed) == replace(opened, why="HTTP 503 ?")
    assert catalog.status(feed).breaker.failures == 5
    catalog.set_breaker(feed, Breaker())
    assert catalog.breaker(feed) == Breaker()


# Undelete.


def test_a_removed_listing_comes_back_as_it_was_and_loses_nothing(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    photos = (
        StoredPhoto(
            PhotoRef("MK-1", -3, " raw ", "https://x/ä", True, "Küche", "Plan"), stored_photo(1).image
        ),
        stored_photo(2),
    )
    before = do(first_commit("A/1", *photos))
    gone = do(next_commit(before, gone=True), NOW + HOUR)
    assert catalog.kept_sets(feed) == [KeptSet("A/1", 1, 2, NOW + HOUR + DAY)]
    back = catalog.undelete(feed, "A/1", None, NOW + 2 * HOUR, NOW + 2 * DAY)
    stored = catalog.stored_sets(feed, ["A/1"])["A/1"]
    assert stored == back == replace(before, generation=gone.generation + 1)
    assert (stored.pin, stored.updated) == (Pin.LISTING, NOW + 2 * HOUR)
    assert catalog.manifests_due(feed, 9) == [stored]
    assert catalog.due_deletions(feed, NOW + 99 * DAY, 99) == []
    assert catalog.kept_sets(feed) == []
    assert catalog.known_keys(feed) == {"A/1"}


def test_an_earlier_set_comes_back_and_what_it_replaces_can_be_brought_back_too(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    first = do(first_commit("1", stored_photo(1), stored_photo(2)))
    second = do(next_commit(first, stored_photo(1)))
    third = do(next_commit(second, stored_photo(9)))
    assert [(kept.generation, kept.photos) for kept in catalog.kept_sets(feed)] == [(2, 1), (1, 2)]
    back = catalog.undelete(feed, "1", 1, NOW, NOW + DAY)
    assert (back.photos, back.generation) == (first.photos, 4)
    assert catalog.pinned(feed) == {"1": Pin.PHOTOS}
    due = set(catalog.due_deletions(feed, NOW + DAY - HOUR, 99)) | set(
        catalog.due_deletions(feed, NOW + DAY, 99)
    )
    assert due == keys_of(third, feed)
    assert third.generation == 3


def test_a_set_that_only_grew_or_moved_keeps_no_earlier_one(catalog: SqlCatalog, feed: str, do: Do) -> None:
    first = do(first_commit("1", stored_photo(1)))
    second = do(next_commit(first, stored_photo(1), stored_photo(2)))
    do(next_commit(second, stored_photo(2), stored_photo(1)))
    assert catalog.kept_sets(feed) == []
    with pytest.raises(SkipItem, match="no earlier set"):
        catalog.undelete(feed, "1", None, NOW, NOW)
    with pytest.raises(SkipItem, match="no earlier set"):
        catalog.undelete(feed, "never stored", None, NOW, NOW)


@pytest.mark.parametrize("look", [DAY, 2 * DAY])
def test_what_is_about_to_be_swept_can_no_longer_be_brought_back(
    catalog: SqlCatalog, feed: str, do: Do, look: timedelta
) -> None:
    do(next_commit(do(first_commit("1", stored_photo(1))), gone=True))
    with pytest.raises(SkipItem, match="its bytes are gone"):
        catalog.undelete(feed, "1", None, NOW + look, NOW + 9 * DAY)
    assert len(catalog.due_deletions(feed, NOW + look, 9)) == 1
    with pytest.raises(SkipItem, match="its bytes are gone"):
        catalog.undelete(feed, "1", None, NOW, NOW + 9 * DAY)
    assert catalog.stored_sets(feed, ["1"])["1"].gone


def test_a_shorter_retention_leaves_no_set_without_its_objects(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    first = do(first_commit("1", stored_photo(1), stored_photo(2)))
    second = do(next_commit(first, stored_photo(1)))
    catalog.commit(feed, next_commit(second), NOW, NOW + HOUR)  # photo 1, which the first set needs too
    assert catalog.due_deletions(feed, NOW + HOUR, 9)
    assert catalog.kept_sets(feed) == []


def test_of_a_sweep_and_an_undelete_at_once_exactly_one_has_the_objects(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    keys = [f"L{number}" for number in range(24)]
    for key in keys:
        do(next_commit(do(first_commit(key, stored_photo(1))), gone=True))

    def undelete(key: str) -> str | None:
        try:
            catalog.undelete(feed, key, None, NOW, NOW + 9 * DAY)
        except SkipItem:
            return None
        return key

    with ThreadPoolExecutor(4) as threads:
        half = [threads.submit(undelete, key) for key in keys[:12]]
        swept = threads.submit(catalog.due_deletions, feed, NOW + DAY, 99)
        rest = [threads.submit(undelete, key) for key in keys[12:]]
        saved = {future.result() for future in (*half, *rest)} - {None}
        gone = set(swept.result())
    objects = {key: listing_prefix(feed, key) + stored_photo(1).name for key in keys}
    kept = {objects[key] for key in keys if key in saved}
    assert kept | gone == set(objects.values())
    assert not kept & gone


def test_a_pin_ends_by_a_settled_commit_by_release_and_by_the_feed(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    for key in "123":
        do(next_commit(do(first_commit(key, stored_photo(1))), gone=True))
        catalog.undelete(feed, key, None, NOW, NOW + DAY)
    stored = catalog.stored_sets(feed, ["1"])["1"]
    catalog.commit(feed, Commit(stored, stored, owed="the answer was cut"), NOW, NOW)
    assert set(catalog.pinned(feed)) == {"1", "2", "3"}
    catalog.commit(feed, Commit(stored, stored), NOW, NOW)
    assert catalog.release(feed, "2", NOW)
    assert not catalog.release(feed, "2", NOW)
    catalog.unpin(feed, ["3"])
    assert catalog.pinned(feed) == {}


def test_losses_are_what_sets_have_less_than_before_the_window(
    catalog: SqlCatalog, feed: str, do: Do
) -> None:
    sets = {key: do(first_commit(key, *map(stored_photo, range(1, 5))), NOW - 9 * DAY) for key in "abcd"}
    assert catalog.losses(feed, NOW - 9 * DAY) == Losses(photos=16)
    do(next_commit(sets["a"], stored_photo(1), stored_photo(2), stored_photo(3)), NOW - 2 * DAY)
    shrunk = do(next_commit(sets["b"], stored_photo(1)), NOW)
    do(next_commit(shrunk, stored_photo(1), stored_photo(2)), NOW)
    do(next_commit(sets["c"], *map(stored_photo, range(5, 9))), NOW)
    do(next_commit(sets["d"], gone=True), NOW)
    assert catalog.losses(feed, NOW - DAY) == Losses(photos=9, photos_lost=2, sets_shrunk=1, listings_gone=1)
    assert catalog.losses(feed, NOW - 3 * DAY).photos_lost == 3
    assert catalog.losses(feed, NOW).photos_lost == 0
    catalog.undelete(feed, "d", None, NOW, NOW + DAY)
    assert catalog.losses(feed, NOW - DAY) == Losses(photos=13, photos_lost=2, sets_shrunk=1)
