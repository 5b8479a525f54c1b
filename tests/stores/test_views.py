"""What people look at in a catalog, on every database."""

from datetime import timedelta

import pytest
from sqlalchemy import create_engine

from service.core.ports import ListingEntry, Run
from service.errors import ConfigError
from service.stores import migrations
from service.stores.catalog import SqlCatalog, migrate, open_catalog
from tests.stores.support import DAY, NOW, first_commit, next_commit, stored_photo

HOUR = timedelta(hours=1)


def keep(catalog: SqlCatalog, feed: str, *keys: str) -> None:
    for key in keys:
        catalog.commit(feed, first_commit(key, stored_photo(1), stored_photo(2)), NOW, NOW + DAY)


def keys(entries: list[ListingEntry]) -> list[str]:
    return [entry.key for entry in entries]


def test_runs_come_newest_first_with_their_counts_and_end(catalog: SqlCatalog, feed: str) -> None:
    assert catalog.recent_runs(feed, 10) == []
    first = catalog.run_started(feed, NOW)
    catalog.run_ended(first, NOW + HOUR, {"uploaded": 3}, None)
    second = catalog.run_started(feed, NOW + DAY)
    catalog.run_ended(second, NOW + DAY + HOUR, {}, "login refused")
    catalog.run_started(feed, NOW + 2 * DAY)
    runs = [
        Run(NOW + 2 * DAY, None, {}, None),
        Run(NOW + DAY, NOW + DAY + HOUR, {}, "login refused"),
        Run(NOW, NOW + HOUR, {"uploaded": 3}, None),
    ]
    assert catalog.recent_runs(feed, 10) == runs
    assert catalog.recent_runs(feed, 2) == runs[:2]
    assert catalog.recent_runs(feed + "x", 10) == []


def test_lag_is_since_the_last_success_or_else_since_the_first_start(catalog: SqlCatalog, feed: str) -> None:
    assert catalog.status(feed).lag(NOW) is None
    first = catalog.run_started(feed, NOW)
    catalog.run_ended(first, NOW + HOUR, {}, "away")
    catalog.run_started(feed, NOW + DAY)
    assert catalog.status(feed).lag(NOW + 2 * DAY) == 2 * DAY
    third = catalog.run_started(feed, NOW + 2 * DAY)
    catalog.run_ended(third, NOW + 2 * DAY + HOUR, {}, None)
    assert catalog.status(feed).lag(NOW + 3 * DAY) == DAY - HOUR


def test_listings_come_by_key_in_pages_without_those_that_are_gone(catalog: SqlCatalog, feed: str) -> None:
    keep(catalog, feed, "3", "1", "2", "5", "4")
    keep(catalog, feed + "x", "0")
    gone = catalog.stored_sets(feed, ["2"])["2"]
    catalog.commit(feed, next_commit(gone, gone=True), NOW, NOW + DAY)
    page = catalog.listings(feed, limit=2)
    assert page == [ListingEntry("1", 2, NOW), ListingEntry("3", 2, NOW)]
    assert keys(catalog.listings(feed, after="3", limit=9)) == ["4", "5"]
    assert catalog.listings(feed, after="5", limit=9) == []


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ("ab", ["xAB%_1"]),
        ("AB%_", ["xAB%_1"]),
        ("%", ["xAB%_1"]),
        ("_", ["xAB%_1"]),
        ("/", ["C/2"]),
        ("c", ["C/2", "abc'd"]),
        ("'", ["abc'd"]),
        ("\\", []),
        ("\0", []),
        ("\ud800", []),
        ("", ["C/2", "abc'd", "xAB%_1"]),
    ],
)
def test_a_part_of_a_key_is_found_as_it_stands_in_any_case(
    catalog: SqlCatalog, feed: str, part: str, found: list[str]
) -> None:
    keep(catalog, feed, "xAB%_1", "C/2", "abc'd")
    if part == "ab":
        found = [*found, "abc'd"]
    assert sorted(keys(catalog.listings(feed, part=part, limit=9))) == sorted(found)


def test_a_catalog_whose_migration_is_pending_does_not_pass_its_check(empty_url: str) -> None:
    migrate(empty_url)
    catalog = open_catalog(empty_url, migrate=False)
    try:
        catalog.check()
        engine = create_engine(empty_url)
        migrations.downgrade(engine, "base")
        engine.dispose()
        with pytest.raises(ConfigError, match="a migration is pending"):
            catalog.check()
    finally:
        catalog.close()
