import json
import re
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from parsers.records import PhotoRef
from service.core.manifest import MOST_BYTES, NotAManifestError, read_manifest, render_manifest, repeats
from service.core.photos import StoredPhoto, StoredSet
from tests.core.strategies import image, stored_sets

SCHEMA = json.loads(Path("docs/manifest.schema.json").read_text(encoding="utf-8"))
UPDATED = datetime(2026, 5, 1, 12, tzinfo=UTC)

Change: TypeAlias = Callable[[dict[str, Any]], object]


def photo(number: int, picture: int, *, preferred: bool = False) -> StoredPhoto:
    stamp = "Tue, 22 Jan 2019 22:17:29 GMT"
    return StoredPhoto(PhotoRef(str(number), number, stamp, preferred=preferred), image(picture))


def rendered(*photos: StoredPhoto, public_url: str | None = None) -> dict[str, Any]:
    stored = StoredSet("A 1", 3, "2024-01-01", photos, updated=UPDATED)
    document: dict[str, Any] = json.loads(render_manifest("crea", stored, public_url))
    return document


def test_an_entry_speaks_the_data_dictionarys_names() -> None:
    sha = image(7).sha256
    assert rendered(photo(2, 7))["media"] == [
        {
            "MediaKey": "2",
            "SequenceID": 2,
            "Order": 2,
            "PreferredPhotoYN": True,
            "MediaCategory": "Photo",
            "MediaType": "image/jpeg",
            "ImageWidth": 640,
            "ImageHeight": 480,
            "LongDescription": None,
            "ShortDescription": None,
            "MediaModificationTimestamp": "Tue, 22 Jan 2019 22:17:29 GMT",
            "MediaURL": f"{sha}.jpg",
            "Key": f"crea/A%201/{sha}.jpg",
            "Sha256": sha,
            "Bytes": 1007,
            "SourcePreferredYN": False,
            "SourceURL": None,
        }
    ]


def test_the_head_says_which_generation_of_which_listing_it_is() -> None:
    head = rendered(photo(2, 7))
    assert (head["feed"], head["listing"], head["generation"]) == ("crea", "A 1", 3)
    assert head["updated"] == "2026-05-01T12:00:00+00:00"
    assert head["source"] == {"PhotosChangeTimestamp": "2024-01-01", "Repeats": []}


def test_a_public_address_makes_media_urls_absolute() -> None:
    entry = rendered(photo(2, 7), public_url="https://cdn.example/b/")["media"][0]
    assert entry["MediaURL"] == "https://cdn.example/b/" + quote(entry["Key"])


def test_a_public_url_leads_to_the_key_whatever_stands_in_it() -> None:
    stored = StoredSet("A/1 %", 3, "x", (photo(2, 7),))
    entry = json.loads(render_manifest("crea", stored, "https://cdn.example"))["media"][0]
    assert unquote(entry["MediaURL"]) == "https://cdn.example/" + entry["Key"]
    assert "%" in entry["Key"]


def test_sequence_id_0_is_the_default_and_stands_first() -> None:
    document = rendered(photo(1, 1), photo(0, 5), photo(2, 2, preferred=True))
    assert [entry["MediaKey"] for entry in document["media"]] == ["0", "1", "2"]
    assert document["default"] == "0"


def test_q34_a_default_that_repeats_a_numbered_photo_is_shown_once() -> None:
    document = rendered(photo(0, 3), photo(1, 1), photo(3, 3))
    assert [entry["MediaKey"] for entry in document["media"]] == ["1", "3"]
    assert document["default"] == "3"
    assert [entry["PreferredPhotoYN"] for entry in document["media"]] == [False, True]


def test_q35_a_default_with_a_picture_of_its_own_is_not_dropped() -> None:
    assert [e["MediaKey"] for e in rendered(photo(0, 9), photo(1, 1))["media"]] == ["0", "1"]


def test_an_empty_set_has_a_manifest_too() -> None:
    assert (rendered()["media"], rendered()["default"]) == ([], None)


@given(stored_sets())
def test_every_manifest_is_valid_and_the_same_when_written_again(stored: StoredSet) -> None:
    stored = replace(stored, generation=stored.generation + 1, updated=UPDATED)
    document = render_manifest("crea", stored)
    assert document == render_manifest("crea", stored)
    Draft202012Validator(SCHEMA).validate(json.loads(document))
    parsed = json.loads(document)
    assert (parsed["default"] is None) == (not stored.photos)
    assert {entry["Sha256"] for entry in parsed["media"]} == {p.image.sha256 for p in stored.photos}
    preferred = {entry["Sha256"] for entry in parsed["media"] if entry["PreferredPhotoYN"]}
    assert len(preferred) == (1 if stored.photos else 0)


# Reading back.

# What XML and JSON can say and a catalog can hold.
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
urls = st.sampled_from([None, "https://photos.example/1.jpg", "http://x/\u00e4/2"])


@st.composite
def any_photo(draw: st.DrawFn) -> StoredPhoto:
    ref = PhotoRef(
        draw(st.sampled_from(["0", "1", "2", "27", "MK-1", "\u00e4"])),
        draw(st.integers(-3, 30)),
        draw(st.none() | words),
        draw(urls),
        draw(st.booleans()),
        draw(st.none() | words),
        draw(words),
    )
    picture = image(draw(st.integers(0, 4)))
    size = st.none() | st.integers(0, 2**31 - 1)
    return StoredPhoto(ref, picture._replace(width=draw(size), height=draw(size)))


@given(
    key=words,
    generation=st.integers(1, 10**9),
    stamp=st.none() | words,
    photos=st.lists(any_photo(), max_size=6),
    updated=st.datetimes(timezones=st.just(UTC)),
)
def test_a_set_is_read_back_from_its_manifest(
    key: str, generation: int, stamp: str | None, photos: list[StoredPhoto], updated: datetime
) -> None:
    # A set's photos lie by their order; where two share one, the repeated default comes first.
    repeated = {id(photo) for photo in repeats(photos)}
    photos.sort(key=lambda photo: (photo.ref.order, id(photo) not in repeated))
    stored = StoredSet(key, generation, stamp, tuple(photos), updated=updated)
    for public_url in (None, "https://cdn.example"):
        document = render_manifest("crea", stored, public_url)
        read = read_manifest("crea", document)
        assert (read, read.updated) == (stored, updated)
        assert render_manifest("crea", read, public_url) == document


@pytest.mark.parametrize(
    "url",
    [
        "https://x/1.jpg?Signature=planted",
        "https://x/1.jpg?",
        "https://reader:planted@x/1.jpg",
        "https://x/1.jpg#planted",
        "s3://planted/1.jpg",
        "https://[planted/1.jpg",
        "",
    ],
)
def test_an_address_that_may_hold_a_secret_is_not_shown(url: str) -> None:
    signed = StoredPhoto(photo(1, 1).ref._replace(url=url), image(1))
    stored = StoredSet("1", 1, None, (signed,), updated=UPDATED)
    document = render_manifest("crea", stored)
    assert b"planted" not in document
    assert read_manifest("crea", document) == replace(stored, photos=(photo(1, 1),))


def sound() -> dict[str, Any]:
    stored = StoredSet("A 1", 3, "2024-01-01", (photo(0, 1), photo(1, 1), photo(2, 2)), updated=UPDATED)
    document: dict[str, Any] = json.loads(render_manifest("crea", stored))
    return document


def entry(**fields: Any) -> Change:
    return lambda document: document["media"][0].update(fields)


def head(**fields: Any) -> Change:
    return lambda document: document.update(fields)


def without(*path: str | int) -> Change:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (head(feed="other"), "feed"),
        (head(feed=None), "feed"),
        (head(listing=1001), "listing"),
        (head(listing="a\0b"), "listing"),
        (head(listing="x" * 501), "listing"),
        (head(generation=0), "generation"),
        (head(generation=-1), "generation"),
        (head(generation=1.0), "generation"),
        (head(generation=True), "generation"),
        (head(generation="3"), "generation"),
        (head(generation=10**10), "generation"),
        (head(generation=10**400), "generation"),
        (head(updated="yesterday"), "updated"),
        (head(updated="2026-05-01T12:00:00"), "updated"),
        (head(updated="0001-01-01T00:00:00+14:00"), "updated"),
        (head(updated=None), "updated"),
        (head(updated=1_700_000_000), "updated"),
        (head(source=None), "source"),
        (head(source={"PhotosChangeTimestamp": 7, "Repeats": []}), "source"),
        (head(media={}), "media"),
        (head(media=[[]]), "media.0"),
        (head(media=[None]), "media.0"),
        (entry(MediaKey=""), "media.0.MediaKey"),
        (entry(MediaKey=1), "media.0.MediaKey"),
        (entry(Order=2**63), "media.0.Order"),
        (entry(Order=0.5), "media.0.Order"),
        (entry(Sha256="../../other"), "media.0.Sha256"),
        (entry(Sha256="A" * 64), "media.0.Sha256"),
        (entry(Sha256="a" * 64 + "\n"), "media.0.Sha256"),
        (entry(Bytes=0), "media.0.Bytes"),
        (entry(Bytes=-5), "media.0.Bytes"),
        (entry(Bytes=True), "media.0.Bytes"),
        (entry(MediaType="text/html"), "media.0.MediaType"),
        (entry(MediaType="image/jpeg/../x"), "media.0.MediaType"),
        (entry(ImageWidth=2**31), "media.0.ImageWidth"),
        (entry(ImageHeight=-1), "media.0.ImageHeight"),
        (entry(LongDescription=["x"]), "media.0.LongDescription"),
        (entry(LongDescription="a\0"), "media.0.LongDescription"),
        (entry(SourcePreferredYN="yes"), "media.0.SourcePreferredYN"),
        (entry(SourceURL=7), "media.0.SourceURL"),
        (without("listing"), "listing"),
        (without("source"), "source"),
        (without("source", "Repeats"), "source.Repeats"),
        (without("media", 0, "Sha256"), "media.0.Sha256"),
        (without("media", 1, "MediaModificationTimestamp"), "media.1.MediaModificationTimestamp"),
    ],
)
def test_a_document_that_is_no_manifest_is_refused_with_its_place(change: Change, told: str) -> None:
    document = sound()
    assert read_manifest("crea", json.dumps(document).encode())
    change(document)
    with pytest.raises(NotAManifestError, match=re.escape(told)):
        read_manifest("crea", json.dumps(document).encode())


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"feed":' * 50_000,
        b'{"feed":"\\ud800"}',
        b'{"feed":NaN}',
        b"<html>not found</html>",
        b" " * (MOST_BYTES + 1),
    ],
    ids=range(11),
)
def test_bytes_that_are_no_manifest_are_refused(document: bytes) -> None:
    with pytest.raises(NotAManifestError):
        read_manifest("crea", document)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(document: bytes) -> None:
    with pytest.raises(NotAManifestError):
        read_manifest("crea", document)


@given(st.data())
def test_a_manifest_with_any_byte_changed_is_read_or_refused(data: st.DataObject) -> None:
    document = bytearray(json.dumps(sound()).encode())
    place = data.draw(st.integers(0, len(document) - 1))
    document[place] = data.draw(st.integers(0, 255))
    with suppress(NotAManifestError):
        assert read_manifest("crea", bytes(document)).generation


@pytest.mark.parametrize(("name", "item"), [("media", "{}"), ("more", "[]")])
def test_many_of_anything_cost_bounded_memory(name: str, item: str) -> None:
    inside = json.dumps(sound())[1:-1]
    document = f'{{{inside},"{name}":[{",".join([item] * 200_000)}]}}'.encode()
    tracemalloc.start()
    try:
        with suppress(NotAManifestError):
            read_manifest("crea", document)
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


def test_what_readers_alone_need_is_not_believed() -> None:
    document = sound()
    for shown_ in document["media"]:
        shown_.update(Key="other/feed.jpg", MediaURL="https://evil", PreferredPhotoYN=7, more="x")
    document.update(default="9", more={})
    assert read_manifest("crea", json.dumps(document).encode()) == read_manifest(
        "crea", json.dumps(sound()).encode()
    )
