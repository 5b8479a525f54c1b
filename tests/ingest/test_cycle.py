"""Reconciliation from the MLS to the bucket, in both modes, by real requests."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from service.core.photos import EXTENSIONS
from service.simulator.answers import RawAnswer, text_answer
from service.simulator.documents import reply
from service.simulator.mls import Mls
from service.stores.embedded import EmbeddedStore
from tests.acceptance.support import wait_until
from tests.ingest.support import World, at, jpeg, listing, photo, world

Make = Callable[..., AbstractContextManager[World]]

pytestmark = pytest.mark.parametrize("form", ["STANDARD-XML", "COMPACT"])


@pytest.fixture
def make(s3: EmbeddedStore, tmp_path: Path, form: str) -> Make:
    return partial(world, s3, tmp_path, form)


@pytest.fixture
def loaded(make: Make) -> Iterator[World]:
    """Two listings, loaded."""
    with make() as house:
        house.mls.put(listing("1001", photo(1), photo(2), photo(3)))
        house.mls.put(listing("1002", photo(1, 11), photo(2, 12)))
        report = house.cycle()
        assert report.ok, report
        yield house


def change(loaded: World, *photos: Any, day: int = 1, key: str = "1001") -> None:
    loaded.mls.put(listing(key, *photos, day=day))


def test_a_first_load_stores_every_photo_and_its_manifest(loaded: World) -> None:
    manifest = loaded.manifest("1001")
    assert manifest is not None
    assert [entry["SequenceID"] for entry in manifest["media"]] == [1, 2, 3]
    assert manifest["default"] == "1"
    for entry, number in zip(manifest["media"], (1, 2, 3), strict=True):
        assert loaded.house.store.get(entry["Key"]) == jpeg(number)
    assert sorted(loaded.asked()) == ["1001:*", "1002:*"]
    assert loaded.named() == loaded.objects()


def test_objects_have_their_type_and_may_be_cached_for_ever(loaded: World) -> None:
    manifest = loaded.manifest("1001")
    assert manifest is not None
    info = loaded.house.store.stat(manifest["media"][0]["Key"])
    assert info is not None
    assert info.media_type in EXTENSIONS
    assert info.cache_control == "public, max-age=31536000, immutable"


def test_nothing_changed_moves_nothing(loaded: World) -> None:
    asked = len(loaded.asked())
    report = loaded.cycle()
    assert report.ok
    assert len(loaded.asked()) == asked
    counts = report.snapshot()
    assert (counts["downloaded"], counts["uploaded"], counts["manifests"]) == (0, 0, 0)


def test_a_replaced_photo_replaces_its_picture(loaded: World, form: str) -> None:
    change(loaded, photo(1), photo(2, 22, day=1), photo(3))
    report = loaded.cycle()
    assert report.ok
    assert report.snapshot()["uploaded"] == 1
    assert loaded.asked()[-1] == ("1001:2" if form == "STANDARD-XML" else "1001:*")
    assert loaded.shas("1001")[1] not in loaded.shas("1002")


def test_added_photos_come_and_removed_ones_go(loaded: World) -> None:
    before = loaded.shas("1001")
    change(loaded, photo(1), photo(3), photo(4, day=1))
    report = loaded.cycle()
    after = loaded.shas("1001")
    assert (report.snapshot()["uploaded"], report.snapshot()["removed"]) == (1, 1)
    assert after[:2] == [before[0], before[2]]
    assert len(after) == 3


def test_a_removed_photos_object_goes_after_the_grace_period(loaded: World) -> None:
    before = loaded.objects()
    change(loaded, photo(1), photo(3))
    loaded.cycle()
    assert loaded.objects() == before
    assert loaded.cycle().snapshot()["swept"] == 1
    assert loaded.objects() == loaded.named()


def test_a_photo_that_comes_back_within_the_grace_period_is_not_swept(loaded: World) -> None:
    change(loaded, photo(1), photo(3))
    loaded.cycle()
    change(loaded, photo(1), photo(2, day=2), photo(3), day=2)
    loaded.cycle()
    loaded.cycle()
    assert loaded.named() <= loaded.objects()
    assert len(loaded.shas("1001")) == 3


def test_a_new_order_uploads_nothing(loaded: World) -> None:
    one, two, three = loaded.shas("1001")
    change(loaded, photo(1, 3, day=1), photo(2, 1, day=1), photo(3, 2, day=1))
    report = loaded.cycle()
    assert (report.snapshot()["uploaded"], report.snapshot()["moved"]) == (0, 3)
    assert loaded.shas("1001") == [three, one, two]


def test_a_listing_that_is_gone_loses_its_manifest_now_and_its_objects_later(loaded: World) -> None:
    loaded.mls.remove("1002")
    report = loaded.cycle()
    assert (report.snapshot()["listings_removed"], report.snapshot()["removed"]) == (1, 2)
    assert loaded.manifest("1002") is None
    loaded.cycle()
    assert loaded.objects() == loaded.named()


def test_a_listing_that_comes_back_is_loaded_again(loaded: World) -> None:
    loaded.mls.remove("1002")
    loaded.cycle()
    loaded.mls.put(listing("1002", photo(1, 11), day=150))
    loaded.cycle()
    manifest = loaded.manifest("1002")
    assert manifest is not None
    assert manifest["generation"] > 2


def test_a_set_that_empties_shows_an_empty_manifest(loaded: World) -> None:
    change(loaded)
    report = loaded.cycle()
    assert report.ok, report
    assert loaded.shas("1001") == []


def test_a_feed_that_loses_more_than_its_share_is_not_purged(make: Make) -> None:
    with make(purge_share=0.2) as house:
        for number in range(5):
            house.mls.put(listing(f"{number}", photo(1, number)))
        house.cycle()
        for number in range(2):
            house.mls.remove(f"{number}")
        report = house.cycle()
        assert "--allow-purge" in report.held
        assert not report.ok
        assert house.manifest("0") is not None
        assert house.cycle(allow_purge=True).ok
        assert house.manifest("0") is None


def test_listing_keys_of_any_shape_are_safe(make: Make) -> None:
    keys = ["..", "a b", "Ü7", "k" * 300]
    with make() as house:
        for number, key in enumerate(keys):
            house.mls.put(listing(key, photo(1, number)))
        assert house.cycle().ok
        for number, key in enumerate(keys):
            manifest = house.manifest(key)
            assert manifest is not None
            assert manifest["listing"] == key
            assert house.house.store.get(manifest["media"][0]["Key"]) == jpeg(number)
        assert all(key.startswith(house.feed + "/") for key in house.objects())


class Spoilt:
    """An MLS whose answer to one transaction is spoilt for a while."""

    def __init__(self, mls: Mls) -> None:
        self.mls = mls
        self.spoil: Mapping[str, RawAnswer] = {}

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        spoilt = self.spoil.get(params.get("ID", transaction))
        return spoilt or self.mls.answer(transaction, params)


def bundle(*parts: bytes, length: int | None = None) -> RawAnswer:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    head = (("Content-Type", "multipart/parallel; boundary=b"), ("Content-Length", str(length or len(body))))
    return RawAnswer(200, "OK", head, body)


def part(key: str, number: int, body: bytes, media_type: str = "image/jpeg") -> bytes:
    head = f"Content-Type: {media_type}\r\nContent-ID: {key}\r\nObject-ID: {number}\r\n\r\n"
    return head.encode() + body


def test_a_bundle_cut_in_the_middle_loses_nothing_and_is_made_good_later(make: Make) -> None:
    mls = Mls()
    spoilt = Spoilt(mls)
    with make(answers=spoilt, mls=mls) as house:
        mls.put(listing("1001", photo(1), photo(2), photo(3)))
        house.cycle()
        before = house.shas("1001")
        mls.put(listing("1001", *(photo(n, n + 20, day=1) for n in (1, 2, 3)), day=1))
        cut = bundle(part("1001", 1, jpeg(21)), part("1001", 2, jpeg(22)[:-300]), length=99_000)
        spoilt.spoil = {"1001:*": cut}
        report = house.cycle()
        assert "1001" in report.owed
        assert len(house.shas("1001")) == 3
        assert house.named() <= house.objects()
        assert set(house.shas("1001")[1:]) == set(before[1:])
        spoilt.spoil = {}
        assert house.cycle().ok
        assert not set(house.shas("1001")) & set(before)


def test_a_photo_is_uploaded_while_the_next_one_is_still_to_come(make: Make) -> None:
    mls = Mls()
    spoilt = Spoilt(mls)
    with make(answers=spoilt, mls=mls, timeout="30s") as house:
        mls.put(listing("1001", photo(1), photo(2)))

        def waiting() -> Iterator[bytes]:
            yield b"--b\r\n" + part("1001", 1, jpeg(1)) + b"\r\n--b\r\n"
            wait_until(house.objects, "the first photo in the bucket")
            yield part("1001", 2, jpeg(2)) + b"\r\n--b--\r\n"

        head = (("Content-Type", "multipart/mixed; boundary=b"), ("Transfer-Encoding", "chunked"))
        spoilt.spoil = {"1001:*": RawAnswer(200, "OK", head, waiting())}
        assert house.cycle().ok
        assert len(house.shas("1001")) == 2


def test_a_part_that_is_no_image_is_never_stored_and_stops_no_other_listing(make: Make) -> None:
    mls = Mls()
    spoilt = Spoilt(mls)
    with make(answers=spoilt, mls=mls) as house:
        mls.put(listing("1001", photo(1), photo(2)))
        mls.put(listing("1002", photo(1, 11)))
        spoilt.spoil = {
            "1001:*": bundle(part("1001", 1, jpeg(1)), part("1001", 2, b"<html>Sorry</html>", "image/jpeg"))
        }
        report = house.cycle()
        assert "photo 2" in report.owed["1001"]
        assert len(house.shas("1001")) == 1
        assert len(house.shas("1002")) == 1
        spoilt.spoil = {}
        assert house.cycle().ok
        assert len(house.shas("1001")) == 2


def test_a_search_with_an_unknown_reply_code_fails_the_cycle_and_deletes_nothing(make: Make) -> None:
    mls = Mls()
    spoilt = Spoilt(mls)
    with make(answers=spoilt, mls=mls) as house:
        mls.put(listing("1001", photo(1)))
        house.cycle()
        spoilt.spoil = {"Search": text_answer(reply(29999, "Gremlins"))}
        report = house.cycle()
        assert report.error is not None
        assert "29999" in report.error
        assert house.feed in report.error
        assert house.manifest("1001") is not None
        spoilt.spoil = {}
        assert house.cycle().ok


def test_an_empty_search_that_counts_records_removes_nothing(make: Make) -> None:
    mls = Mls()
    spoilt = Spoilt(mls)
    empty = b'<RETS ReplyCode="0" ReplyText="ok"><COUNT Records="1402"/></RETS>'
    with make(answers=spoilt, mls=mls) as house:
        mls.put(listing("1001", photo(1)))
        house.cycle()
        spoilt.spoil = {"Search": text_answer(empty)}
        report = house.cycle()
        assert not report.ok
        assert house.manifest("1001") is not None


def test_a_listing_without_a_key_stops_no_other_and_no_listing_is_removed(make: Make, form: str) -> None:
    mls = Mls()
    spoilt = Spoilt(mls)
    with make(answers=spoilt, mls=mls) as house:
        mls.put(listing("1001", photo(1)))
        mls.put(listing("1002", photo(1, 11)))
        house.cycle()
        whole = mls.answer("Search", {"Query": "(ListingKey=*)", "Format": form})
        assert whole is not None
        assert isinstance(whole.body, bytes)
        key = b'ID="1002"' if form == "STANDARD-XML" else b"1002"
        spoilt.spoil = {"Search": replace(whole, body=whole.body.replace(key, b""))}
        report = house.cycle()
        assert "could not be read" in report.held
        assert "key" in report.held
        assert house.manifest("1002") is not None
        assert len(house.shas("1001")) == 1


def test_the_cursor_moves_to_the_last_change_and_is_asked_for(loaded: World) -> None:
    change(loaded, photo(1), day=9)
    loaded.cycle()
    loaded.cycle()
    queries = [seen.params["Query"] for seen in loaded.server.requests if seen.transaction == "Search"]
    assert at(9).strftime("%Y-%m-%dT%H:%M:%S") in queries[-2]


def test_a_cycle_logs_out(loaded: World) -> None:
    assert loaded.server.open_sessions(loaded.feed) == 0


def test_default_only_keeps_one_photo(make: Make, form: str) -> None:
    with make(photos="default") as house:
        house.mls.put(listing("1001", photo(1), replace(photo(2), preferred=True), photo(3)))
        assert house.cycle().ok
        assert len(house.shas("1001")) == 1
        assert house.asked() == (["1001:1"] if form == "STANDARD-XML" else ["1001:0"])
        assert house.cycle().snapshot()["downloaded"] == 0
