"""What every ObjectStore does, on a real S3 server."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5, sha256

import pytest

from service.core.photos import FRESH, IMMUTABLE, listing_prefix, manifest_key
from service.core.ports import ObjectStore
from service.errors import RetryLater
from tests.stores.support import fresh_name

Put = Callable[..., None]

AWKWARD = [
    "A/1 ..",
    "..",
    ".",
    "",
    " ",
    "K\u00fcche/\u00df",
    "\u65e5\u672c" * 20,
    "x" * 300,
    "a+b",
    "a%2Fb",
    "100%",
    "a&b<c>\"'",
    "a?b=c#d",
    "a\\b*",
    "\x01\x7f",
]
"""Listing keys that would climb, collide or break when they stood in a path as they are."""


@pytest.fixture
def put(store: ObjectStore) -> Put:
    def put(key: str, content: bytes = b"", media_type: str = "image/jpeg", cache: str = IMMUTABLE) -> None:
        store.put(
            key,
            io.BytesIO(content),
            len(content),
            sha256(content).hexdigest(),
            media_type=media_type,
            cache_control=cache,
        )

    return put


def keys_under(store: ObjectStore, prefix: str) -> list[str]:
    return [info.key for info in store.list(prefix)]


def test_what_was_put_is_there_with_its_type_and_caching(store: ObjectStore, put: Put) -> None:
    key = f"{fresh_name('feed')}/1/a.png"
    put(key, b"\x89PNG\r\n\x1a\n\x00", "image/png", FRESH)
    assert store.get(key) == b"\x89PNG\r\n\x1a\n\x00"
    info = store.stat(key)
    assert info is not None
    assert (info.key, info.length, info.media_type, info.cache_control) == (key, 9, "image/png", FRESH)
    assert info.etag == md5(b"\x89PNG\r\n\x1a\n\x00", usedforsecurity=False).hexdigest()


def test_an_object_of_several_parts_in_size_is_still_one_put(store: ObjectStore, put: Put) -> None:
    key, content = f"{fresh_name('feed')}/1/large.jpg", bytes(range(256)) * (6 * 4096)
    put(key, content)
    assert store.get(key) == content
    info = store.stat(key)
    assert info is not None
    assert info.etag == md5(content, usedforsecurity=False).hexdigest()


def test_an_object_can_be_read_a_part_at_a_time(store: ObjectStore, put: Put) -> None:
    key, content = f"{fresh_name('feed')}/1/large.jpg", bytes(range(256)) * 4096
    put(key, content)
    with store.open(key) as source:
        chunks = list(source.chunks)
    assert b"".join(chunks) == content
    assert len(chunks) > 1
    info = source.info
    assert (info.key, info.length, info.media_type, info.cache_control) == (
        key,
        2**20,
        "image/jpeg",
        IMMUTABLE,
    )
    assert info.etag == md5(content, usedforsecurity=False).hexdigest()


def test_an_object_may_be_left_half_read(store: ObjectStore, put: Put) -> None:
    key, content = f"{fresh_name('feed')}/1/large.jpg", bytes(range(256)) * 4096
    put(key, content)
    for _ in range(40):
        with store.open(key) as source:
            assert content.startswith(next(source.chunks))
    assert store.get(key) == content


def test_an_empty_object_is_an_object(store: ObjectStore, put: Put) -> None:
    key = f"{fresh_name('feed')}/1/empty"
    put(key, b"")
    assert store.get(key) == b""


def test_only_the_given_length_is_read_from_where_the_body_stands(store: ObjectStore) -> None:
    key, body = f"{fresh_name('feed')}/1/a.jpg", io.BytesIO(b"..picture and more")
    body.seek(2)
    store.put(key, body, 7, sha256(b"picture").hexdigest(), media_type="image/jpeg", cache_control=IMMUTABLE)
    assert store.get(key) == b"picture"


def test_bytes_that_are_not_those_of_the_hash_are_not_stored(store: ObjectStore) -> None:
    key, other = f"{fresh_name('feed')}/1/a.jpg", sha256(b"what was meant").hexdigest()
    with pytest.raises(RetryLater):
        store.put(
            key, io.BytesIO(b"what was sent!"), 14, other, media_type="image/jpeg", cache_control=IMMUTABLE
        )
    assert store.stat(key) is None


def test_a_second_put_replaces_the_first(store: ObjectStore, put: Put) -> None:
    key = f"{fresh_name('feed')}/1/manifest.json"
    put(key, b"one", "application/json", FRESH)
    put(key, b"two and more", "application/json", FRESH)
    assert store.get(key) == b"two and more"


def test_what_is_not_there_is_a_key_error_and_no_info(store: ObjectStore) -> None:
    key = f"{fresh_name('feed')}/1/none.jpg"
    with pytest.raises(KeyError):
        store.get(key)
    with pytest.raises(KeyError), store.open(key):
        pass
    assert store.stat(key) is None
    assert keys_under(store, key) == []


@pytest.mark.parametrize("listing", AWKWARD)
def test_any_listing_key_comes_back_as_it_was_named(store: ObjectStore, put: Put, listing: str) -> None:
    feed = fresh_name("feed")
    key = manifest_key(feed, listing)
    put(key, key.encode())
    assert store.get(key) == key.encode()
    info = store.stat(key)
    assert info is not None
    assert info.key == key
    assert keys_under(store, listing_prefix(feed, listing)) == [key]
    store.delete([key])
    assert store.stat(key) is None


def test_awkward_listings_of_one_feed_stay_apart(store: ObjectStore, put: Put) -> None:
    feed = fresh_name("feed")
    keys = [manifest_key(feed, listing) for listing in AWKWARD]
    for key in keys:
        put(key, key.encode())
    assert sorted(keys_under(store, f"{feed}/")) == sorted(keys)
    assert [store.get(key) for key in keys] == [key.encode() for key in keys]


def test_a_prefix_names_one_listing_and_not_its_neighbours(store: ObjectStore, put: Put) -> None:
    feed = fresh_name("feed")
    for listing in ("12", "12-3", "12.5", "12 x", "120"):
        put(manifest_key(feed, listing))
        put(listing_prefix(feed, listing) + "a.jpg")
    found = keys_under(store, listing_prefix(feed, "12"))
    assert found == [f"{feed}/12/a.jpg", f"{feed}/12/manifest.json"]


def test_the_objects_of_one_listing_are_listed_together(store: ObjectStore, put: Put) -> None:
    feed = fresh_name("feed")
    for listing in ("12", "12-3", "12.5", "12 x", "120"):
        for name in ("a.jpg", "z.jpg"):
            put(listing_prefix(feed, listing) + name)
    listings = [key.split("/")[1] for key in keys_under(store, f"{feed}/")]
    runs = [name for place, name in enumerate(listings) if place == 0 or listings[place - 1] != name]
    assert len(runs) == len(set(listings)) == 5


def test_more_objects_than_one_page_holds_are_listed_in_order_and_deleted(
    store: ObjectStore, put: Put
) -> None:
    feed = fresh_name("feed")
    keys = [f"{feed}/{number // 25:04}/{number:05}.jpg" for number in range(1030)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(put, keys))
    assert keys_under(store, f"{feed}/") == keys
    kept = keys[7]
    store.delete(key for key in keys if key != kept)
    assert keys_under(store, f"{feed}/") == [kept]


def test_sizes_and_etags_are_listed_too(store: ObjectStore, put: Put) -> None:
    feed = fresh_name("feed")
    put(f"{feed}/1/a.jpg", b"12345")
    (info,) = store.list(f"{feed}/")
    assert (info.length, info.etag) == (5, md5(b"12345", usedforsecurity=False).hexdigest())


def test_deleting_what_is_not_there_is_fine(store: ObjectStore, put: Put) -> None:
    feed = fresh_name("feed")
    put(f"{feed}/1/a.jpg", b"1")
    store.delete([f"{feed}/1/never.jpg", f"{feed}/1/a.jpg", f"{feed}/2/never.jpg"])
    store.delete([])
    assert keys_under(store, f"{feed}/") == []


def test_many_threads_put_at_once(store: ObjectStore, put: Put) -> None:
    feed = fresh_name("feed")
    contents = {f"{feed}/{number}/a.jpg": bytes([number]) * 100_000 for number in range(64)}
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(put, contents.keys(), contents.values()))
    assert {key: store.get(key) for key in contents} == contents
