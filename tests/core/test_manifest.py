import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from jsonschema import Draft202012Validator

from parsers.records import PhotoRef
from service.core.manifest import render_manifest
from service.core.photos import StoredPhoto, StoredSet
from tests.core.strategies import image, stored_sets

SCHEMA = json.loads(Path("docs/manifest.schema.json").read_text(encoding="utf-8"))
UPDATED = datetime(2026, 5, 1, 12, tzinfo=UTC)


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
        }
    ]


def test_the_head_says_which_generation_of_which_listing_it_is() -> None:
    head = rendered(photo(2, 7))
    assert (head["feed"], head["listing"], head["generation"]) == ("crea", "A 1", 3)
    assert head["updated"] == "2026-05-01T12:00:00+00:00"
    assert head["source"] == {"PhotosChangeTimestamp": "2024-01-01"}


def test_a_public_address_makes_media_urls_absolute() -> None:
    entry = rendered(photo(2, 7), public_url="https://cdn.example/b/")["media"][0]
    assert entry["MediaURL"] == "https://cdn.example/b/" + entry["Key"]


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
