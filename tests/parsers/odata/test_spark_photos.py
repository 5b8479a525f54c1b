import json
from typing import Any

import pytest

from parsers.errors import Malformed
from parsers.odata.spark_photos import SIZES, read_photos
from parsers.records import PhotoRef


def photo(key: str, **members: Any) -> dict[str, Any]:
    uris = {size: f"http://photos.example/{key}-{size}.jpg" for size in SIZES}
    return {
        "Id": key,
        "ResourceUri": f"/v1/listings/L/photos/{key}",
        "Name": "Porch",
        "Caption": "",
        **uris,
        **members,
    }


def answer(*photos: Any, **members: Any) -> bytes:
    return json.dumps({"D": {"Success": True, "Results": list(photos), **members}}).encode()


def test_l2_photos_come_in_the_arrays_order_with_the_primary_marked() -> None:
    first, second = read_photos(answer(photo("9"), photo("3", Primary=True)), "Uri1280")
    assert first.ref == PhotoRef(
        "9", 0, "/v1/listings/L/photos/9", "http://photos.example/9-Uri1280.jpg", caption="Porch"
    )
    assert (second.ref.order, second.ref.preferred) == (1, True)


def test_l3_another_picture_has_another_resource_uri() -> None:
    before, after = (
        read_photos(answer(photo("9", ResourceUri=uri)), "UriLarge")[0] for uri in ("/v1/p/9", "/v1/p/9b")
    )
    assert before.ref.id == after.ref.id
    assert before.ref.stamp != after.ref.stamp


def test_a_size_that_a_photo_does_not_have_leaves_it_without_a_url() -> None:
    (entry,) = read_photos(answer(photo("9", Uri300=None)), "Uri300")
    assert entry.ref.url is None


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b'{"D": []}',
        answer(photo("1"), Success=False),
        answer(photo("1"), Success="true"),
        b'{"D": {"Success": true}}',
        answer(1),
        answer(photo("")),
        answer(photo("1", ResourceUri=None)),
    ],
)
def test_an_answer_that_does_not_name_every_photo_is_malformed(document: bytes) -> None:
    with pytest.raises(Malformed):
        read_photos(document, "UriLarge")
