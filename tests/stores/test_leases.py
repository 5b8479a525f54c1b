"""One process at a time works on a feed: what a lease gives, and what its loss takes away."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from parsers.records import ListingState
from service.core.ports import Catalog, Lease
from service.errors import LeaseLost, RetryLater
from service.stores import databases
from service.stores.catalog import SqlCatalog, open_catalog
from service.stores.tables import leases
from tests.stores.support import DAY, NOW, first_commit, next_commit, stored_photo

MINUTE = 60.0


def held(catalog: SqlCatalog, feed: str, who: str = "one", seconds: float = MINUTE) -> Lease:
    lease = catalog.take_lease(feed, who, seconds)
    assert lease is not None
    return lease


def shift(catalog: SqlCatalog, feed: str, by: timedelta) -> None:
    """As if the lease had been renewed at another time."""
    with catalog._engine.begin() as db:
        row = db.execute(leases.select().where(leases.c.feed == feed)).one()
        db.execute(update(leases).where(leases.c.feed == feed).values(renewed=row.renewed + by))


def test_a_feed_has_one_holder_until_it_is_given_back(catalog: SqlCatalog, feed: str) -> None:
    assert catalog.holder(feed) is None
    lease = held(catalog, feed, "process 1 on here")
    assert catalog.take_lease(feed, "two", MINUTE) is None
    holder = catalog.holder(feed)
    assert holder is not None
    assert (holder.who, holder.lapsed, holder.since) == ("process 1 on here", False, holder.heard)
    held(catalog, feed + "x", "two")  # another feed is another lease
    catalog.end_lease(lease)
    assert catalog.holder(feed) is None
    assert held(catalog, feed, "two").from_dead == ""


def test_a_lease_that_is_not_renewed_lapses_and_the_next_one_knows_whose_it_was(
    catalog: SqlCatalog, feed: str
) -> None:
    old = held(catalog, feed, "the dead one")
    shift(catalog, feed, timedelta(seconds=-59))
    assert catalog.take_lease(feed, "two", MINUTE) is None
    shift(catalog, feed, timedelta(seconds=-1))
    holder = catalog.holder(feed)
    assert holder is not None
    assert holder.lapsed
    new = held(catalog, feed, "two")
    assert new.from_dead == "the dead one"
    assert new.token != old.token
    assert not catalog.renew_lease(old)
    catalog.end_lease(old)
    assert catalog.renew_lease(new)


def test_a_renewal_begins_its_time_anew_by_the_databases_own_clock(catalog: SqlCatalog, feed: str) -> None:
    lease = held(catalog, feed, seconds=0.5)
    before = catalog.holder(feed)
    time.sleep(0.3)
    assert catalog.renew_lease(lease)
    after = catalog.holder(feed)
    assert before is not None
    assert after is not None
    assert after.since == before.since
    assert after.heard - before.heard >= timedelta(seconds=0.3)


def test_a_lease_that_lapsed_and_that_nobody_took_goes_on(catalog: SqlCatalog, feed: str) -> None:
    lease = held(catalog, feed)
    shift(catalog, feed, -DAY)
    assert catalog.renew_lease(lease)
    assert catalog.take_lease(feed, "two", MINUTE) is None


def test_a_clock_that_was_set_back_does_not_keep_a_dead_holders_lease(catalog: SqlCatalog, feed: str) -> None:
    """Seen from the clock now, the lease was renewed in the future."""
    held(catalog, feed)
    shift(catalog, feed, timedelta(seconds=30))  # a little: it may well be alive
    assert catalog.take_lease(feed, "two", MINUTE) is None
    shift(catalog, feed, DAY)
    held(catalog, feed, "two")


WRITES: dict[str, Callable[[Catalog, str], object]] = {
    "commit": lambda catalog, feed: catalog.commit(feed, first_commit("2", stored_photo(2)), NOW, NOW),
    "owe": lambda catalog, feed: catalog.owe(feed, [ListingState("2")], "cursor 2", NOW),
    "set_mark": lambda catalog, feed: catalog.set_mark(feed, "changes", "cursor 2"),
    "postpone": lambda catalog, feed: catalog.postpone(feed, "1", why="", due_at=NOW + DAY, parked=True),
    "unowe": lambda catalog, feed: catalog.unowe(feed, ["1"]),
    "deleted": lambda catalog, feed: catalog.deleted(feed, catalog.due_deletions(feed, NOW + DAY, 9)),
}


def everything(catalog: Catalog, feed: str) -> tuple[object, ...]:
    return (
        catalog.mark(feed, "changes"),
        catalog.stored_sets(feed, ["1", "2"]),
        catalog.owed(feed, NOW + 9 * DAY, 9),
        catalog.due_deletions(feed, NOW + 9 * DAY, 9),
    )


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_a_holder_writes_is_refused_whole_once_the_lease_is_anothers(
    catalog: SqlCatalog, feed: str, write: Callable[[Catalog, str], object]
) -> None:
    first = first_commit("1", stored_photo(1), stored_photo(2))
    catalog.commit(feed, first, NOW, NOW)
    catalog.commit(feed, next_commit(first.after, stored_photo(2)), NOW, NOW)
    catalog.owe(feed, [ListingState("1")], "cursor 1", NOW)
    before = everything(catalog, feed)
    mine = catalog.fenced(held(catalog, feed))
    shift(catalog, feed, -DAY)
    theirs = catalog.fenced(held(catalog, feed, "two"))
    with pytest.raises(LeaseLost, match=f"feed {feed}: another process"):
        write(mine, feed)
    assert everything(catalog, feed) == before
    write(theirs, feed)
    assert everything(catalog, feed) != before


def test_a_lease_that_was_given_back_is_no_leave_to_write(catalog: SqlCatalog, feed: str) -> None:
    lease = held(catalog, feed)
    mine = catalog.fenced(lease)
    mine.set_mark(feed, "changes", "1")
    catalog.end_lease(lease)
    with pytest.raises(LeaseLost):
        mine.set_mark(feed, "changes", "2")
    assert catalog.mark(feed, "changes") == "1"


def test_a_manifest_that_an_overtaken_holder_put_late_is_due_again(catalog: SqlCatalog, feed: str) -> None:
    mine = catalog.fenced(held(catalog, feed))
    first = first_commit("1", stored_photo(1))
    mine.commit(feed, first, NOW, NOW)  # ... and is paused before it puts the manifest
    shift(catalog, feed, -DAY)
    theirs = catalog.fenced(held(catalog, feed, "two"))
    second = next_commit(first.after, stored_photo(2))
    theirs.commit(feed, second, NOW, NOW)
    theirs.manifest_written(feed, "1", 2)
    assert theirs.manifests_due(feed, 9) == []
    mine.manifest_written(feed, "1", 1)
    assert theirs.manifests_due(feed, 9) == [second.after]


def test_the_journal_of_runs_is_written_without_a_lease_too(catalog: SqlCatalog, feed: str) -> None:
    lease = held(catalog, feed)
    mine = catalog.fenced(lease)
    run = mine.run_started(feed, NOW)
    catalog.end_lease(lease)
    mine.run_ended(run, NOW, {}, "another process has taken over")
    assert catalog.status(feed).last_error == "another process has taken over"


def test_of_many_who_come_at_once_one_gets_the_feed(catalog: SqlCatalog, feed: str) -> None:
    for _ in range(5):
        with ThreadPoolExecutor(8) as threads:
            taken = list(threads.map(lambda who: catalog.take_lease(feed, str(who), MINUTE), range(8)))
        won = [lease for lease in taken if lease]
        assert len(won) == 1
        assert catalog.renew_lease(won[0])
        shift(catalog, feed, -DAY)


@pytest.fixture
def postgres_catalog(migrated: str) -> SqlCatalog:
    return open_catalog(migrated, migrate=False)


def test_whoever_is_writing_is_not_overtaken_and_his_heart_beats_on(
    postgres_catalog: SqlCatalog, feed: str
) -> None:
    catalog = postgres_catalog
    lease = held(catalog, feed)
    shift(catalog, feed, -DAY)
    with catalog.fenced(lease)._writing():
        assert catalog.take_lease(feed, "two", MINUTE) is None
        assert catalog.renew_lease(lease)
    shift(catalog, feed, -DAY)
    held(catalog, feed, "two")
    catalog.close()


def test_a_process_that_is_paused_within_a_transaction_does_not_keep_the_feed(
    migrated: str, postgres_catalog: SqlCatalog, feed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "IDLE_SECONDS", 1)
    paused = open_catalog(migrated, migrate=False)
    lease = held(paused, feed)
    shift(paused, feed, -DAY)

    def write_slowly() -> None:
        with paused.fenced(lease)._writing() as db:
            time.sleep(1.5)  # the database ends it; nothing else shows when
            held(postgres_catalog, feed, "two")
            db.exec_driver_sql("SELECT 1")

    with pytest.raises(RetryLater, match="idle-in-transaction"):
        write_slowly()
    paused.close()
    postgres_catalog.close()


def test_on_one_machine_two_processes_share_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    one, two = (open_catalog(url, migrate=True) for _ in range(2))
    lease = held(one, "feed")
    assert two.take_lease("feed", "two", MINUTE) is None
    one.end_lease(lease)
    held(two, "feed", "two")
    for catalog in (one, two):
        catalog.close()
