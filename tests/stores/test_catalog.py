"""How much SqlCatalog writes and asks, what it records of changes, and what it keeps of them."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from service.stores import runs as runs_module
from service.stores.catalog import SqlCatalog, open_catalog
from service.stores.tables import events, photos, runs
from tests.stores.support import DAY, NOW, first_commit, next_commit, stored_photo


class Journal:
    """Every statement that reached the database, with how many rows it was given."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, int]] = []

    def note(self, _c: Any, _cursor: Any, sql: str, given: Any, _context: Any, many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
        self.statements.append((sql, len(given) if many else 1))

    def rows_into(self, table: str) -> int:
        return sum(rows for sql, rows in self.statements if sql.startswith(f"INSERT INTO {table}"))

    def count(self, verb: str) -> int:
        return sum(sql.startswith(verb) for sql, _ in self.statements)


@pytest.fixture
def journal(catalog: SqlCatalog) -> Iterator[Journal]:
    made = Journal()
    event.listen(catalog._engine, "before_cursor_execute", made.note)
    yield made
    event.remove(catalog._engine, "before_cursor_execute", made.note)


def recorded(catalog: SqlCatalog, feed: str) -> list[tuple[str, str, dict[str, int]]]:
    query = select(events).where(events.c.feed == feed).order_by(events.c.id)
    with catalog._engine.connect() as db:
        return [(row.listing, row.kind, json.loads(row.detail)) for row in db.execute(query)]


def test_only_photo_rows_that_changed_are_written(catalog: SqlCatalog, feed: str, journal: Journal) -> None:
    first = first_commit("1", *map(stored_photo, range(25)))
    catalog.commit(feed, first, NOW, NOW)
    assert journal.rows_into("photos") == 25
    journal.statements.clear()
    changed = list(first.after.photos)
    changed[7] = stored_photo(7, 99)
    catalog.commit(feed, next_commit(first.after, *changed), NOW, NOW)
    assert journal.rows_into("photos") == 1


def test_a_thousand_sets_cost_four_queries(catalog: SqlCatalog, feed: str, journal: Journal) -> None:
    for number in range(0, 1000, 50):
        catalog.commit(feed, first_commit(f"L{number}", stored_photo(1), stored_photo(2)), NOW, NOW)
    journal.statements.clear()
    assert len(catalog.stored_sets(feed, [f"L{number}" for number in range(1000)])) == 20
    assert journal.count("SELECT") == 4


def test_one_commit_is_one_event_in_counts(catalog: SqlCatalog, feed: str) -> None:
    first = first_commit("1", stored_photo(1), stored_photo(2), stored_photo(3))
    catalog.commit(feed, first, NOW, NOW)
    moved = stored_photo(3)
    ref = type(moved.ref)("3", 1, moved.ref.stamp)
    second = next_commit(first.after, type(moved)(ref, moved.image), stored_photo(2, 22), stored_photo(4))
    catalog.commit(feed, second, NOW, NOW)
    gone = next_commit(second.after, gone=True)
    catalog.commit(feed, gone, NOW, NOW)
    back = next_commit(gone.after, stored_photo(1))
    catalog.commit(feed, back, NOW, NOW)
    none = {"added": 0, "removed": 0, "replaced": 0, "moved": 0}
    assert recorded(catalog, feed) == [
        ("1", "listing.added", {**none, "generation": 1, "added": 3}),
        ("1", "listing.changed", {"generation": 2, "added": 1, "removed": 1, "replaced": 1, "moved": 1}),
        ("1", "listing.removed", {**none, "generation": 3, "removed": 3}),
        ("1", "listing.added", {**none, "generation": 4, "added": 1}),
    ]


def test_the_end_of_a_run_keeps_the_newest_events_and_runs_of_its_feed(
    catalog: SqlCatalog, feed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "EVENTS_KEPT", 3)
    monkeypatch.setattr(runs_module, "RUNS_KEPT", 2)
    for other in (feed + "x", feed):
        for number in range(5):
            catalog.commit(other, first_commit(str(number)), NOW, NOW)
    numbers = [catalog.run_started(feed, NOW) for _ in range(4)]
    catalog.run_ended(numbers[-1], NOW, {"uploaded": 5}, None)
    assert [listing for listing, _, _ in recorded(catalog, feed)] == ["2", "3", "4"]
    assert len(recorded(catalog, feed + "x")) == 5
    with catalog._engine.connect() as db:
        kept = db.execute(select(runs).where(runs.c.feed == feed).order_by(runs.c.id)).all()
    assert [run.id for run in kept] == numbers[-2:]
    assert json.loads(kept[-1].counts) == {"uploaded": 5}


def test_a_listing_that_is_gone_leaves_no_photo_rows(catalog: SqlCatalog, feed: str) -> None:
    first = first_commit("1", stored_photo(1, 4711), stored_photo(2, 4712))
    catalog.commit(feed, first, NOW, NOW)
    catalog.commit(feed, next_commit(first.after, gone=True), NOW, NOW + DAY)
    shas = [photo.image.sha256 for photo in first.after.photos]
    with catalog._engine.connect() as db:
        # Other tests of a shared database store other pictures.
        rows = db.execute(select(photos.c.listing_id).where(photos.c.sha256.in_(shas))).all()
    assert rows == []


def test_two_processes_write_to_one_file_without_hearing_of_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    # Two catalogs share nothing but the file, like two processes.
    both = [open_catalog(url, migrate=True) for _ in range(2)]

    def commits(number: int) -> None:
        for key in range(40):
            both[number].commit("feed", first_commit(f"{number}-{key}", stored_photo(1)), NOW, NOW)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(commits, range(2)))
    assert both[0].status("feed").listings == 80
    for one in both:
        one.close()
