"""The Spark Listing Photos service over real HTTP."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from service.simulator.web_api.desk import ApiSite
from service.simulator.web_api.rows import SIZES
from service.simulator.web_api.spark_photos import SparkPhotos
from service.simulator.web_api.tokens import Access
from tests.simulator.web_api.client import TOKEN, Asking, Said, listing, photo, serving

PHOTOS = "/x/v1/listings/7/photos"
PICTURE = b"\xff\xd8 new \xff\xd9"
NEW = {"Picture": b64encode(PICTURE).decode(), "FileName": "new.jpg", "Name": "Front porch"}


@contextmanager
def service(*, private: bool = True) -> Iterator[Asking]:
    photos = SparkPhotos(
        "/x/", [listing("7", photo("a", preferred=True), photo("b", caption="Barn"))], private=private
    )
    with serving(ApiSite(Access(TOKEN), photos, "v1/")) as client:
        yield client


def results(said: Said) -> list[dict[str, Any]]:
    assert said.status in {200, 201}, said.body
    assert said.page["D"]["Success"] is True
    found: list[dict[str, Any]] = said.page["D"]["Results"]
    return found


def send(client: Asking, method: str, target: str, **fields: object) -> Said:
    return client.send(method, target, json.dumps({"D": {"Photos": [fields]}}).encode())


def test_l1_photos_are_read_by_listing_and_one_by_one_with_a_token() -> None:
    with service() as client:
        assert [one["Id"] for one in results(client.get(PHOTOS))] == ["a", "b"]
        assert [one["Id"] for one in results(client.get(f"{PHOTOS}/b"))] == ["b"]
        assert replace(client, token=None).get(PHOTOS).status == 401
        assert client.get(f"{PHOTOS}/z").status == 404
        assert client.get("/x/v1/listings/8/photos").status == 404
        assert client.get("/x/v1/something").status == 404


@pytest.mark.parametrize(("method", "target"), [("PUT", PHOTOS), ("DELETE", PHOTOS), ("POST", f"{PHOTOS}/a")])
def test_l1_what_is_not_implemented_is_a_405(method: str, target: str) -> None:
    with service() as client:
        said = client.send(method, target, b"{}")
        assert said.status == 405
        assert said.page["D"]["Success"] is False


def test_l2_a_photo_shows_its_sizes_words_and_whether_it_is_primary() -> None:
    with service() as client:
        first, second = results(client.get(PHOTOS))
        assert list(second) == ["ResourceUri", "Id", "Name", "Caption", *SIZES, "Primary"]
        assert (second["Name"], second["Caption"], second["Primary"]) == ("Barn", "", False)
        assert (first["Name"], first["Primary"]) == ("Listing Photo", True)
        assert len({second[size] for size in SIZES}) == len(SIZES)
        assert {client.get(second[size]).body for size in SIZES} == {b"picture b"}


def test_l3_a_new_picture_gives_another_resource_uri_and_keeps_the_id() -> None:
    with service() as client:
        old = results(client.get(f"{PHOTOS}/b"))[0]
        (new,) = results(send(client, "PUT", f"{PHOTOS}/b", **NEW))
        assert new["Id"] == old["Id"]
        assert new["ResourceUri"] != old["ResourceUri"]
        assert client.get(new["UriLarge"]).body == PICTURE
        assert client.get(old["UriLarge"]).status == 404
        assert results(client.get(f"/x{new['ResourceUri']}")) == [new]


def test_l3_new_words_keep_the_resource_uri() -> None:
    with service() as client:
        old = results(client.get(f"{PHOTOS}/b"))[0]
        (new,) = results(send(client, "PUT", f"{PHOTOS}/b", Caption="In the rain"))
        assert (new["Name"], new["Caption"]) == ("Barn", "In the rain")
        assert new["ResourceUri"] == old["ResourceUri"]


def test_l4_primary_moves_and_is_not_unmarked() -> None:
    with service() as client:
        send(client, "PUT", f"{PHOTOS}/b", Primary=True)
        assert [one["Primary"] for one in results(client.get(PHOTOS))] == [False, True]
        send(client, "PUT", f"{PHOTOS}/b", Primary=False)
        assert [one["Primary"] for one in results(client.get(PHOTOS))] == [False, True]


@pytest.mark.parametrize(
    "fields",
    [
        {**NEW, "Name": "x" * 41},
        {**NEW, "Caption": "x" * 1001},
        {"Name": "Porch"},
        {"Picture": NEW["Picture"], "Name": "Porch"},
        {"Picture": NEW["Picture"], "FileName": "a.jpg"},
        {**NEW, "Picture": "?"},
        {**NEW, "Primary": True},
        {**NEW, "Order": "1"},
        {**NEW, "Name": 7},
    ],
)
def test_l4_l5_what_the_service_does_not_take_is_a_400(fields: dict[str, object]) -> None:
    with service() as client:
        said = send(client, "POST", PHOTOS, **fields)
        assert said.status == 400
        assert said.page["D"]["Message"]
        assert len(results(client.get(PHOTOS))) == 2


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"D": {"Photos": []}}', b'{"D": {"Photos": ["x"]}}'])
def test_l5_a_body_without_one_photo_is_a_400(body: bytes) -> None:
    with service() as client:
        assert client.send("POST", PHOTOS, body).status == 400


def test_l5_a_photo_is_uploaded_and_removed() -> None:
    with service() as client:
        said = send(client, "POST", PHOTOS, **NEW, Caption="Hand-felled")
        assert said.status == 201
        (new,) = results(said)
        assert (new["Name"], new["Caption"], new["Primary"]) == ("Front porch", "Hand-felled", False)
        assert client.get(new["UriLarge"]).body == PICTURE
        assert [one["Id"] for one in results(client.get(PHOTOS))] == ["a", "b", new["Id"]]
        assert client.send("DELETE", f"/x{new['ResourceUri']}").page == {"D": {"Success": True}}
        assert [one["Id"] for one in results(client.get(PHOTOS))] == ["a", "b"]


def test_l5_without_a_private_key_nothing_is_changed() -> None:
    with service(private=False) as client:
        assert send(client, "POST", PHOTOS, **NEW).status == 403
        assert send(client, "PUT", f"{PHOTOS}/b", Caption="x").status == 403
        assert client.send("DELETE", f"{PHOTOS}/b").status == 403
        assert len(results(client.get(PHOTOS))) == 2
