"""The comparison itself, on values: what is told, and what a repair may do."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import md5, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.records import ListingState, PhotoRef
from service.core.audit import (
    MANIFEST,
    Kind,
    Mend,
    Reading,
    Side,
    compare,
    distrust,
    listing_of,
    said_before,
    salvage,
)
from service.core.manifest import render_manifest
from service.core.photos import FRESH, IMMUTABLE, StoredPhoto, StoredSet, listing_prefix, segment
from service.core.plan import FeedRules, plan_listing
from service.core.ports import Holding, ObjectInfo
from tests.core.strategies import image, stored_sets

FEED, KEY = "crea", "1001"
PREFIX = listing_prefix(FEED, KEY)
UPDATED = datetime(2026, 5, 1, 12, tzinfo=UTC)
ORPHAN = "ab" * 32 + ".jpg"

Told = tuple[Kind, str, Mend]


def stored_set(*numbers: int, generation: int = 3) -> StoredSet:
    photos = tuple(StoredPhoto(PhotoRef(str(n), n, "2024-01-01"), image(n)) for n in numbers)
    return StoredSet(KEY, generation, "s1", photos, updated=UPDATED)


def info(name: str, length: int, etag: str | None = None) -> ObjectInfo:
    return ObjectInfo(PREFIX + name, length, etag)


def etag_of(document: bytes) -> str:
    return md5(document, usedforsecurity=False).hexdigest()


def sound(stored: StoredSet) -> Side:
    """Both sides as they should be."""
    document = render_manifest(FEED, stored)
    objects = {photo.name: info(photo.name, photo.image.length) for photo in stored.photos}
    objects[MANIFEST] = info(MANIFEST, len(document), etag_of(document))
    return Side(FEED, PREFIX, KEY, objects, holding=Holding(stored, photo_count=len(stored.photos)))


SET = stored_set(1, 2)
ONE, TWO = (photo.name for photo in SET.photos)
SIDE = sound(SET)


def told(side: Side) -> list[Told]:
    return [(found.kind, found.key.removeprefix(PREFIX), found.mend) for found in compare(side, None)]


def holding(**changes: object) -> Side:
    return replace(SIDE, holding=replace(SIDE.holding, **changes))  # type: ignore[arg-type]


def objects(changes: Mapping[str, ObjectInfo | None]) -> Side:
    """With objects exchanged, added or, for None, taken away."""
    mixed = {**SIDE.objects, **changes}
    return replace(SIDE, objects={name: found for name, found in mixed.items() if found})


def with_document(document: bytes, side: Side = SIDE) -> Side:
    found = {**side.objects, MANIFEST: info(MANIFEST, len(document), etag_of(document))}
    return replace(side, objects=found, document=document)


@given(stored_sets())
def test_what_was_synchronised_has_no_difference(stored: StoredSet) -> None:
    stored = replace(stored, generation=stored.generation + 1, updated=UPDATED)
    side = sound(stored)
    assert compare(side, None) == []
    assert compare(replace(side, document=render_manifest(FEED, stored)), None) == []


@given(stored_sets(), st.data())
def test_no_object_can_go_unnoticed(stored: StoredSet, data: st.DataObject) -> None:
    side = sound(replace(stored, generation=stored.generation + 1, updated=UPDATED))
    lost = data.draw(st.sets(st.sampled_from(sorted(side.objects)), min_size=1))
    left = {name: found for name, found in side.objects.items() if name not in lost}
    found = compare(replace(side, objects=left), None)
    assert {one.key.removeprefix(PREFIX) for one in found} == lost
    assert {one.kind for one in found} == {Kind.MISSING}


def test_every_difference_names_its_listing_and_says_why() -> None:
    (found,) = compare(objects({ONE: info(ONE, 7)}), None)
    assert (found.listing, found.why) == (KEY, "7 bytes, the catalog says 1001")


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (objects({ONE: None}), (Kind.MISSING, ONE, Mend.REFETCH)),
        (objects({ONE: info(ONE, 0)}), (Kind.DIFFERING, ONE, Mend.REFETCH)),
        (objects({MANIFEST: None}), (Kind.MISSING, MANIFEST, Mend.REWRITE)),
        (objects({ORPHAN: info(ORPHAN, 1)}), (Kind.ORPHANED, ORPHAN, Mend.QUEUE)),
        (objects({"a.jpg": info("a.jpg", 1)}), (Kind.FOREIGN, "a.jpg", Mend.LEAVE)),
        (holding(queued=frozenset([ONE])), (Kind.DIFFERING, ONE, Mend.KEEP)),
        (replace(SIDE, more=True), (Kind.FOREIGN, "", Mend.LEAVE)),
        # A store whose ETags are no MD5 proves nothing, until the manifest is read.
        (objects({MANIFEST: info(MANIFEST, 1)}), (Kind.DIFFERING, MANIFEST, Mend.REWRITE)),
        (holding(photo_count=3), (Kind.DIFFERING, MANIFEST, Mend.SEARCH)),
    ],
)
def test_a_difference_is_told_with_what_mends_it(side: Side, expected: Told) -> None:
    assert told(side) == [expected]


@pytest.mark.parametrize(
    "side",
    [
        holding(owed=True),
        replace(objects({ORPHAN: info(ORPHAN, 1)}), holding=replace(SIDE.holding, owed=True)),
        replace(
            objects({ORPHAN: info(ORPHAN, 1)}), holding=replace(SIDE.holding, queued=frozenset([ORPHAN]))
        ),
        replace(objects({MANIFEST: None}), holding=replace(SIDE.holding, manifest_due=True)),
        replace(with_document(b"{}"), holding=replace(SIDE.holding, manifest_due=True)),
        Side(FEED, PREFIX, KEY, {}),
        Side(FEED, PREFIX, KEY, {}, holding=Holding(StoredSet(KEY, 4, gone=True))),
        Side(FEED, f"{FEED}/sha256={'a' * 64}/", None, {ORPHAN: info(ORPHAN, 1)}),
    ],
)
def test_what_is_on_its_way_is_no_difference(side: Side) -> None:
    assert compare(side, None) == []


@pytest.mark.parametrize(
    ("reading", "mend"),
    [
        (Reading(SET.photos[0].image.sha256, "image/jpeg", IMMUTABLE), None),
        (Reading(SET.photos[0].image.sha256), None),
        (Reading(SET.photos[0].image.sha256, "image/JPEG; charset=x", IMMUTABLE), None),
        (Reading("00" * 32, "image/jpeg", IMMUTABLE), Mend.REFETCH),
        (Reading(failure="the store answered InternalError"), Mend.REFETCH),
        (Reading(SET.photos[0].image.sha256, "text/html", IMMUTABLE), Mend.RETYPE),
        (Reading(SET.photos[0].image.sha256, "image/jpeg", FRESH), Mend.RETYPE),
    ],
)
def test_a_photo_that_was_read_is_compared_in_bytes_and_headers(reading: Reading, mend: Mend | None) -> None:
    found = told(replace(SIDE, readings={ONE: reading}))
    assert found == ([(Kind.DIFFERING, ONE, mend)] if mend else [])


def test_a_manifest_that_was_read_is_compared_in_bytes_and_headers() -> None:
    digest = sha256(render_manifest(FEED, SET)).hexdigest()
    for reading, is_right in (
        (Reading(digest, "application/json", FRESH), True),
        (Reading(digest, "text/plain", FRESH), False),
        (Reading(digest, "application/json", IMMUTABLE), False),
        (Reading("00" * 32, "application/json", FRESH), False),
    ):
        found = told(replace(SIDE, readings={MANIFEST: reading}))
        assert found == ([] if is_right else [(Kind.DIFFERING, MANIFEST, Mend.REWRITE)])


@pytest.mark.parametrize(
    ("document", "mend", "why"),
    [
        (b"{", Mend.REWRITE, "not a manifest of this feed: not JSON"),
        (render_manifest("other", SET), Mend.REWRITE, "another feed's"),
        (render_manifest(FEED, replace(SET, key="1002")), Mend.REWRITE, "it names listing '1002'"),
        (
            render_manifest(FEED, replace(SET, generation=2)),
            Mend.REWRITE,
            "generation 2, the catalog is at 3",
        ),
        (render_manifest(FEED, replace(SET, stamp="s0")), Mend.REWRITE, "not what the catalog says"),
        (render_manifest(FEED, SET, "https://old.example"), Mend.REWRITE, "not what the catalog says"),
        (render_manifest(FEED, SET) + b" ", Mend.REWRITE, "not what the catalog says"),
        (render_manifest(FEED, replace(SET, generation=4)), Mend.LEAVE, "newer than the catalog's 3"),
    ],
)
def test_a_manifest_that_differs_is_told_apart(document: bytes, mend: Mend, why: str) -> None:
    (found,) = compare(with_document(document), None)
    assert (found.kind, found.mend) == (Kind.DIFFERING, mend)
    assert why in found.why


def test_of_a_catalog_that_is_older_than_the_bucket_nothing_is_mended() -> None:
    """Else what only the newer manifest names would be taken for an orphan."""
    newer = stored_set(2, 3, generation=4)
    document = render_manifest(FEED, newer)
    side = with_document(document, replace(SIDE, objects=sound(newer).objects))
    for held in (
        SIDE.holding,
        Holding(StoredSet(KEY, 3, gone=True)),
        Holding(stored_set(2), photo_count=2),
        replace(SIDE.holding, manifest_due=True),
    ):
        assert told(replace(side, holding=held)) == [(Kind.DIFFERING, MANIFEST, Mend.LEAVE)]


def test_a_gone_listings_manifest_is_not_to_be_there() -> None:
    gone = replace(with_document(render_manifest(FEED, SET)), holding=Holding(StoredSet(KEY, 4, gone=True)))
    assert told(gone) == [
        (Kind.DIFFERING, MANIFEST, Mend.REWRITE),
        (Kind.ORPHANED, ONE, Mend.QUEUE),
        (Kind.ORPHANED, TWO, Mend.QUEUE),
    ]


def test_a_listing_that_only_its_manifest_knows_keeps_its_objects() -> None:
    unknown = replace(with_document(render_manifest(FEED, SET)), holding=Holding())
    assert told(unknown) == [(Kind.DIFFERING, MANIFEST, Mend.RESTORE)]


def test_objects_that_nothing_knows_are_orphans_and_a_broken_manifest_is_a_stranger() -> None:
    unknown = replace(with_document(b"{"), holding=Holding())
    assert told(unknown) == [
        (Kind.FOREIGN, MANIFEST, Mend.LEAVE),
        (Kind.ORPHANED, ONE, Mend.QUEUE),
        (Kind.ORPHANED, TWO, Mend.QUEUE),
    ]


@pytest.mark.parametrize(
    ("generation", "mend"), [(2, Mend.SEARCH), (3, Mend.RESTORE), (4, Mend.LEAVE)], ids=str
)
def test_lost_rows_are_restored_from_a_manifest_of_the_same_generation(generation: int, mend: Mend) -> None:
    lost = Holding(stored_set(2), photo_count=2)
    side = replace(with_document(render_manifest(FEED, replace(SET, generation=generation))), holding=lost)
    assert told(side) == [(Kind.DIFFERING, MANIFEST, mend)]


def test_while_rows_are_lost_nothing_of_the_listing_is_queued() -> None:
    """Objects whose rows are lost look like orphans, and are not."""
    lost = replace(SIDE, holding=Holding(stored_set(), photo_count=2))
    assert all(found.mend is not Mend.QUEUE for found in compare(lost, None))


def test_what_lies_under_no_listings_name_is_foreign_whatever_it_is() -> None:
    names = (ORPHAN, "a.jpg")
    side = Side(FEED, f"{FEED}/k\u00fcche/", None, {name: info(name, 1) for name in names})
    assert [(found.kind, found.mend) for found in compare(side, None)] == [(Kind.FOREIGN, Mend.LEAVE)] * 2


# Mending.


@given(stored_sets(), st.data())
def test_a_salvaged_set_names_only_what_is_there(stored: StoredSet, data: st.DataObject) -> None:
    side = sound(stored)
    left = data.draw(st.sets(st.sampled_from(sorted(side.objects))))
    found = salvage(stored, {name: side.objects[name] for name in left})
    assert found.names == stored.names & left
    assert (found == stored) is (stored.names <= left)
    assert found == stored or found.stamp is None


def test_an_object_of_another_length_is_not_salvaged() -> None:
    assert salvage(SET, {ONE: info(ONE, 5), TWO: info(TWO, 1002)}).names == {TWO}


@given(stored_sets(), st.data())
def test_after_a_distrust_the_plan_asks_for_exactly_what_is_damaged(
    stored: StoredSet, data: st.DataObject
) -> None:
    stored = replace(stored, generation=stored.generation + 1)
    damaged = frozenset(
        data.draw(st.sets(st.sampled_from(sorted(stored.names))) if stored.names else st.just(()))
    )
    commit = distrust(stored, damaged)
    assert commit.after.names == stored.names - damaged
    assert commit.dropped == damaged
    assert commit.after.generation == stored.generation + 1
    plan = plan_listing(said_before(stored, by_sequence=True), commit.after, FeedRules())
    ids = {photo.ref.id for photo in stored.photos if photo.name in damaged}
    everything = {photo.ref.id for photo in stored.photos}
    assert (everything if plan.ask is None else set(plan.ask)) == ids
    whole = plan_listing(said_before(stored, by_sequence=False), commit.after, FeedRules())
    if stored.stamp is not None:
        assert whole.ask is None


def test_by_whole_set_an_answer_with_fewer_photos_than_there_were_is_not_believed() -> None:
    assert said_before(SET, by_sequence=False) == ListingState(KEY, "s1", expected_count=2)


@given(st.text(max_size=80))
def test_a_listings_key_is_read_back_from_its_segment_unless_it_is_hashed(key: str) -> None:
    name = segment(key)
    found = listing_of(name)
    assert found == key or (found is None and (name.startswith("sha256=") or "%ED" in name))


@pytest.mark.parametrize("name", ["k\u00fcche", "a b", "%41", "%zz", "%FF", "..", ".", "", "a%2f"])
def test_a_name_that_no_key_is_spelled_as_is_no_listings(name: str) -> None:
    assert listing_of(name) is None
