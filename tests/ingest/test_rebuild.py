"""A lost catalog comes back from the manifests, and the next cycle downloads nothing that is still right."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.ingest.rebuild import RebuildReport, rebuild_feed
from service.stores.embedded import EmbeddedStore
from tests.ingest.damage import BY_SEQUENCE, BY_WHOLE_SET, KEYS, Ward, ward_of
from tests.ingest.support import listing, photo

FORMS = [BY_SEQUENCE, BY_WHOLE_SET]

TABLES = ("photos", "listings", "owed", "deletions", "marks", "runs", "events", "kept_sets")


@pytest.fixture
def ward(s3: EmbeddedStore, tmp_path: Path) -> Iterator[Ward]:
    with ward_of(s3, tmp_path, BY_SEQUENCE) as made:
        yield made


def lose_the_catalog(ward: Ward) -> None:
    for table in TABLES:
        ward.sql(f"DELETE FROM {table}")  # noqa: S608 - our own names


def sets(ward: Ward) -> Any:
    return ward.feed().catalog.stored_sets(ward.world.feed, [*KEYS, "1004"])


@pytest.mark.parametrize("form", FORMS)
def test_after_a_rebuild_everything_is_as_it_was_and_nothing_is_downloaded(
    s3: EmbeddedStore, tmp_path: Path, form: str
) -> None:
    with ward_of(s3, tmp_path, form) as ward:
        # The default photo as SequenceID 0 too (Q34), captions, a preferred photo, a later generation.
        house = (photo(0, 2), photo(1, caption="K\u00fcche"), photo(2, caption="", preferred=True))
        ward.world.mls.put(listing("1004", *house, day=5))
        ward.world.mls.put(listing(KEYS[0], photo(1, 77, day=5), photo(3, 3), day=5))
        assert ward.world.cycle().ok
        bucket, known = ward.bucket(), sets(ward)
        lose_the_catalog(ward)
        report = ward.rebuild()
        assert report.ok
        assert (report.counts["restored"], report.counts["photos"]) == (4, 11)
        assert sets(ward) == known
        # What the deletion queue held is an orphan now.
        assert {found.why for found in ward.audit().differences} <= {"no set needs it"}
        asked = len(ward.world.asked())
        cycle = ward.world.cycle()
        assert cycle.ok
        assert ward.world.asked()[asked:] == []
        counts = cycle.snapshot()
        assert (counts["listings"], counts["downloaded"], counts["uploaded"], counts["manifests"]) == (
            4,
            0,
            0,
            0,
        )
        assert ward.bucket() == bucket


@pytest.mark.parametrize("form", FORMS)
def test_what_the_feed_has_changed_meanwhile_is_downloaded_and_no_more(
    s3: EmbeddedStore, tmp_path: Path, form: str
) -> None:
    with ward_of(s3, tmp_path, form) as ward:
        lose_the_catalog(ward)
        ward.world.mls.put(
            listing(KEYS[1], photo(1, 11, day=2), photo(2, 99, day=5), photo(3, 13, day=2), day=5)
        )
        ward.world.mls.remove(KEYS[2])
        ward.rebuild()
        asked = len(ward.world.asked())
        assert ward.world.cycle().ok
        assert ward.world.asked()[asked:] == ["1002:2" if ward.by_sequence else "1002:*"]
        assert ward.world.manifest(KEYS[2]) is None


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_whose_object_is_missing_is_downloaded_again(
    s3: EmbeddedStore, tmp_path: Path, form: str
) -> None:
    with ward_of(s3, tmp_path, form) as ward:
        pictures = ward.pictures()
        ward.delete(ward.photo_key(1))
        ward.put(ward.photo_key(0, KEYS[2]), b"cut")
        lose_the_catalog(ward)
        report = ward.rebuild()
        assert (report.ok, report.counts["restored"], report.counts["incomplete"]) == (True, 3, 2)
        asked = len(ward.world.asked())
        assert ward.world.cycle().ok
        fetched = ["1001:2", "A/3 ..:1"] if ward.by_sequence else ["1001:*", "A/3 ..:*"]
        assert sorted(ward.world.asked()[asked:]) == fetched
        assert ward.pictures() == pictures
        assert ward.audit().ok


def test_a_catalog_that_knows_as_much_stays_as_it_is(ward: Ward) -> None:
    known = sets(ward)
    ward.edit_manifest(lambda document: document["media"].pop())
    report = ward.rebuild()
    assert (report.counts["restored"], report.counts["kept"]) == (0, 3)
    assert sets(ward) == known


def test_a_catalog_of_yesterday_is_brought_forward(ward: Ward) -> None:
    yesterday = sets(ward)
    ward.world.mls.put(listing(KEYS[0], photo(1, 77, day=5), day=5))
    assert ward.world.cycle().ok
    today = sets(ward)
    lose_the_catalog(ward)
    ward.feed().catalog.restore(ward.world.feed, yesterday.values(), frozenset())
    report = ward.rebuild()
    assert (report.counts["restored"], report.counts["kept"]) == (1, 2)
    assert sets(ward) == today


def test_what_is_missing_is_searched_for_from_the_start(ward: Ward) -> None:
    catalog, feed, yesterday = ward.feed().catalog, ward.world.feed, sets(ward)
    for day, key in ((5, KEYS[0]), (6, KEYS[1])):
        ward.world.mls.put(listing(key, photo(1, 70 + day, day=day), day=day))
        assert ward.world.cycle().ok
    cursor, pictures = catalog.mark(feed, "changes"), ward.pictures()
    lose_the_catalog(ward)
    catalog.restore(feed, yesterday.values(), frozenset())
    catalog.set_mark(feed, "changes", cursor)
    ward.delete(ward.photo_key(0, KEYS[0]))
    assert ward.rebuild().counts["incomplete"] == 1
    assert ward.world.cycle().ok
    assert ward.pictures() == pictures


def test_a_gone_listing_does_not_come_back_by_its_old_manifest(ward: Ward) -> None:
    document = ward.get(ward.manifest_key())
    ward.world.mls.remove(KEYS[0])
    assert ward.world.cycle().ok
    ward.put_manifest(document)
    assert ward.rebuild().counts["kept"] == 3
    assert sets(ward)[KEYS[0]].gone


def test_manifests_that_are_none_are_told_and_skipped(ward: Ward) -> None:
    sound = ward.get(ward.manifest_key())
    hostile = {
        "broken": b'{"feed":',
        "deep": b"[" * 100_000,
        "page": b"<html>404</html>",
        "another's": sound,
        "of-another-feed": sound.replace(ward.world.feed.encode(), b"other"),
        "climbs": sound.replace(b'"listing":"1001"', b'"listing":"../../other/1"'),
        "types": sound.replace(b'"image/jpeg"', b'"text/html"'),
        "numbers": sound.replace(b'"Order":1', b'"Order":1e99'),
        "large": sound[:-1] + b" " * (5 * 2**20) + b"}",
    }
    for key, document in hostile.items():
        ward.put_manifest(document, key)
    feed = ward.manifest_key().split("/")[0]
    for stray in (
        f"{feed}/manifest.json",
        f"{feed}/k\u00fcche/manifest.json",
        f"{feed}/1001/deep/manifest.json",
    ):
        ward.put(stray, sound)
    known = sets(ward)
    lose_the_catalog(ward)
    report = ward.rebuild()
    assert not report.ok
    assert report.skipped.keys() == {
        *(ward.manifest_key(key) for key in hostile),
        f"{feed}/k\u00fcche/manifest.json",
    }
    assert report.counts["skipped"] == len(hostile) + 1
    assert sets(ward) == known


def test_among_more_objects_than_any_listing_has_no_manifest_is_looked_for(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ingest.shelves.MOST_OBJECTS", 2)
    lose_the_catalog(ward)
    report = ward.rebuild()
    assert (report.counts["restored"], report.counts["skipped"]) == (0, 3)


def test_a_manifest_can_name_no_object_of_another_listing(ward: Ward) -> None:
    """Keys are made of the listing and the hash; what the document says of them is not looked at."""
    other = ward.photo_key(0, KEYS[1])

    def point_elsewhere(document: dict[str, Any]) -> None:
        document["media"][0].update(Key=other, MediaURL=other, Sha256=other.split("/")[-1].split(".")[0])

    ward.edit_manifest(point_elsewhere)
    lose_the_catalog(ward)
    report = ward.rebuild()
    assert report.counts["incomplete"] == 1
    assert len(sets(ward)[KEYS[0]].photos) == 2


def test_it_can_be_run_again(ward: Ward) -> None:
    lose_the_catalog(ward)
    assert ward.rebuild().counts["restored"] == 3
    again = ward.rebuild()
    assert (again.counts["restored"], again.counts["kept"], again.ok) == (0, 3, True)


def test_it_is_not_begun_while_another_process_works_on_the_feed(ward: Ward) -> None:
    lease = ward.world.house.catalog.take_lease(ward.world.feed, "process 1 on another machine", 60)
    assert lease
    report = RebuildReport(ward.world.feed)
    rebuild_feed(ward.feed(), report, threading.Event())
    assert "process 1 on another machine" in (report.error or "")
    ward.world.house.catalog.end_lease(lease)


def test_a_stopped_rebuild_says_that_it_is_to_be_run_again(ward: Ward) -> None:
    lose_the_catalog(ward)
    stop = threading.Event()

    class Stopping:
        """Stops when the first listings are restored."""

        def __getattr__(self, name: str) -> Any:
            return getattr(ward.feed().catalog, name)

        def fenced(self, _: object) -> "Stopping":
            return self

        def restore(self, *words: Any, **more: Any) -> Any:
            stop.set()
            return ward.feed().catalog.restore(*words, **more)

    report = RebuildReport(ward.world.feed)
    rebuild_feed(replace(ward.feed(), catalog=Stopping()), report, stop)
    assert "run it again" in (report.error or "")
    assert ward.rebuild().ok
    assert len(sets(ward)) == 3
