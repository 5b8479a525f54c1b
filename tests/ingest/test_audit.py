"""What an audit tells, what it leaves alone, and what a repair may do."""

import json
import threading
from dataclasses import replace

import pytest

from parsers.records import ListingState
from service.core.audit import Kind, Mend
from service.ingest.audit import AuditReport, audit_feed
from service.ingest.mending import Mending
from tests.ingest import damage
from tests.ingest.damage import KEYS, Ward
from tests.ingest.support import listing, photo


def test_readers_do_not_see_a_damaged_photo_from_the_repair_on(ward: Ward) -> None:
    shas = ward.world.shas(KEYS[0])
    damage.truncate_a_photo(ward)
    ward.audit(repair=True)
    assert ward.world.shas(KEYS[0]) == shas[1:]
    assert ward.world.cycle().ok
    assert ward.world.shas(KEYS[0]) == shas


def test_without_repair_nothing_is_changed(ward: Ward) -> None:
    damage.truncate_a_photo(ward)
    damage.leave_an_orphan(ward)
    damage.lose_a_manifest(ward)
    bucket, rows = ward.bucket(), ward.dump()
    assert not ward.audit().ok
    assert (ward.bucket(), ward.dump()) == (bucket, rows)
    ward.heal()


def test_an_audit_that_is_not_deep_compares_names_sizes_and_manifests(ward: Ward) -> None:
    damage.exchange_bytes_of_a_photo(ward)
    damage.mistype_a_photo(ward)
    assert ward.differences(deep=False) == []
    damage.truncate_a_photo(ward)
    damage.alter_a_manifest_in_place(ward)
    keys = {found.key for found in ward.differences(deep=False)}
    assert keys == {ward.photo_key(0), ward.manifest_key()}
    ward.heal()


def test_what_is_not_named_as_ours_is_told_and_left(ward: Ward) -> None:
    feed = ward.manifest_key().split("/")[0]
    strangers = [
        ward.key("holiday.jpg"),
        ward.key("sub/" + "ab" * 32 + ".jpg"),
        ward.key("ab" * 32 + ".exe"),
        ward.key("AB" * 32 + ".jpg"),
        ward.key("manifest.json.bak"),
        f"{feed}/readme.txt",
        f"{feed}/küche/" + "ab" * 32 + ".jpg",
        f"{feed}/%41/" + "ab" * 32 + ".jpg",
        f"{feed}/%FF%ZZ/manifest.json",
    ]
    for stranger in strangers:
        ward.put(stranger, b"not ours")
    for repair in (False, True):
        report = ward.audit(repair=repair)
        assert {found.key for found in report.differences} == set(strangers)
        assert {found.kind for found in report.differences} == {Kind.FOREIGN}
        assert not report.ok
    ward.world.cycle()
    ward.world.cycle()
    assert all(ward.get(stranger) == b"not ours" for stranger in strangers)
    ward.delete(*strangers)


def test_a_neighbour_whose_name_begins_alike_is_another_feed(ward: Ward) -> None:
    stranger = ward.manifest_key().replace("/", "-2/", 1)
    ward.put(stranger, b"{}")
    assert ward.audit().ok
    ward.delete(stranger)


def test_the_manifest_of_a_gone_listing_is_removed(ward: Ward) -> None:
    ward.world.mls.put(listing("gone", photo(1), day=5))
    assert ward.world.cycle().ok
    document = ward.get(ward.manifest_key("gone"))
    ward.world.mls.remove("gone")
    assert ward.world.cycle().ok
    ward.put_manifest(document, "gone")
    (found,) = ward.audit(repair=True).differences
    assert (found.kind, found.key, found.why) == (
        Kind.DIFFERING,
        ward.manifest_key("gone"),
        "the listing is gone",
    )
    assert ward.audit().ok
    assert ward.world.manifest("gone") is None


def test_a_gone_listings_objects_are_in_their_grace_period_and_no_difference(ward: Ward) -> None:
    ward.world.mls.put(listing("gone-2", photo(1), day=5))
    assert ward.world.cycle().ok
    ward.world.mls.remove("gone-2")
    assert ward.world.cycle().ok
    assert ward.audit().ok
    ward.sql("DELETE FROM deletions")
    (found,) = ward.audit(repair=True).differences
    assert found.kind is Kind.ORPHANED
    ward.world.cycle()
    ward.world.cycle()
    assert ward.world.named() == ward.world.objects()


def test_a_manifest_that_is_newer_than_the_catalog_is_left_for_a_rebuild(ward: Ward) -> None:
    ward.edit_manifest(lambda document: document.update(generation=10_000))
    for repair in (False, True):
        (found,) = ward.audit(repair=repair).differences
        assert found.mend is Mend.LEAVE
        assert "10000 is newer" in found.why
    ward.sql("UPDATE listings SET manifest_generation = 0 WHERE key = '1001'")
    assert ward.world.cycle().ok


def test_a_manifest_that_is_due_is_not_damaged(ward: Ward) -> None:
    """A crash between the catalog's commit and the manifest: the next cycle writes it before all else."""
    ward.delete(ward.manifest_key())
    ward.sql("UPDATE listings SET manifest_generation = 0 WHERE key = '1001'")
    assert ward.audit().ok
    ward.world.cycle()
    assert ward.world.manifest(KEYS[0])


def test_objects_of_a_listing_that_is_owed_are_on_their_way(ward: Ward) -> None:
    damage.leave_an_orphan(ward)
    ward.owe(ListingState(KEYS[0]))
    assert ward.audit().ok
    ward.sql("DELETE FROM owed")
    assert not ward.audit().ok
    ward.heal()


def test_a_listing_that_is_owed_already_keeps_what_is_owed(ward: Ward) -> None:
    ward.owe(ListingState(KEYS[0], "newer"))
    damage.lose_a_photo(ward)
    ward.audit(repair=True)
    ((said, attempts, due_at),) = ward.sql("SELECT said, attempts, due_at FROM owed")
    assert (json.loads(said)["stamp"], attempts) == ("newer", 1)
    assert due_at < "2200"
    ward.sql("DELETE FROM owed")
    ward.sql("UPDATE marks SET value = '' WHERE clock = 'changes'")
    assert ward.world.cycle().ok


def test_an_empty_bucket_is_rather_the_wrong_one(ward: Ward) -> None:
    kept = ward.bucket()
    ward.delete(*kept)
    assert ward.audit().counts["missing"] == len(kept)
    report = AuditReport(ward.world.feed)
    audit_feed(ward.feed(), report, ward.world.stop, repair=Mending(by_sequence=True))
    assert "store.url" in (report.error or "")
    for key, (content, media_type, cache_control) in kept.items():
        ward.put(key, content, media_type or "", cache_control or "")
    assert ward.audit().ok


def test_a_photo_whose_address_no_key_can_spell_is_found_by_its_hash(ward: Ward) -> None:
    long = "L" * 300
    ward.world.mls.put(listing(long, photo(1), photo(2), day=5))
    assert ward.world.cycle().ok
    assert ward.audit().ok
    ward.delete(ward.photo_key(1, long))
    (found,) = ward.audit(repair=True).differences
    assert (found.kind, found.listing) == (Kind.MISSING, long)
    assert ward.world.cycle().ok
    ward.world.mls.remove(long)
    assert ward.world.cycle().ok
    assert ward.audit().ok
    ward.world.cycle()


def test_a_changed_public_address_is_written_into_every_manifest(ward: Ward) -> None:
    moved = replace(ward.feed(), public_url="https://cdn.example")
    for number in (3, 0):
        report = AuditReport(ward.world.feed)
        audit_feed(moved, report, ward.world.stop, repair=Mending(by_sequence=True))
        assert (report.counts["differing"], report.ok) == (number, True)
    assert ward.audit(repair=True).counts["differing"] == 3


def test_more_objects_than_any_listing_has_are_not_looked_at(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ingest.shelves.MOST_OBJECTS", 3)
    found = ward.audit(repair=True).differences
    assert [one.mend for one in found] == [Mend.LEAVE] * 3


def test_a_stopped_audit_says_so_and_mends_nothing(ward: Ward) -> None:
    damage.lose_a_photo(ward)
    rows = ward.dump()
    stop = threading.Event()
    stop.set()
    report = AuditReport(ward.world.feed)
    audit_feed(ward.feed(), report, stop, repair=Mending(by_sequence=True))
    assert report.error == "it was stopped before its end"
    assert ward.dump() == rows
    ward.heal()


def test_a_repair_waits_for_the_feed_to_be_free(ward: Ward) -> None:
    damage.lose_a_photo(ward)
    lease = ward.world.house.catalog.take_lease(ward.world.feed, "process 1 on another machine", 60)
    assert lease
    report = AuditReport(ward.world.feed)
    audit_feed(ward.feed(), report, ward.world.stop, repair=Mending(by_sequence=True))
    assert "process 1 on another machine" in (report.error or "")
    ward.world.house.catalog.end_lease(lease)
    ward.heal()
