"""The order in which a listing becomes true, and what is left when it is interrupted."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from service.errors import ConfigError, RetryLater
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, jpeg, listing, photo, world


class Watched:
    """Stands before a real store or catalog: notes each call, and fails where it is told to."""

    def __init__(self, inner: Any, calls: list[str]) -> None:
        self._inner, self._calls = inner, calls
        self.fail: dict[str, Exception] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name == "fenced":
            return lambda lease: self._within(method(lease))

        def called(*args: Any, **kwargs: Any) -> Any:
            text = f"{name} {args[0]}" if name in {"put", "delete"} else name
            self._calls.append(text)
            for part, error in self.fail.items():
                if part in text:
                    raise error
            return method(*args, **kwargs)

        return called

    def _within(self, fenced: Any) -> "Watched":
        watched = Watched(fenced, self._calls)
        watched.fail = self.fail
        return watched


class Watch:
    """A world whose store and catalog are watched."""

    def __init__(self, inner: World) -> None:
        self.world = inner
        self.calls: list[str] = []
        self.store = Watched(inner.house.store, self.calls)
        self.catalog = Watched(inner.house.catalog, self.calls)

    def cycle(self) -> Report:
        house = replace(self.world.house, store=self.store, catalog=self.catalog)
        report = Report(self.world.feed)
        return run_cycle(house.feed(self.world.feed), report, self.world.stop)


@pytest.fixture
def watch(s3: EmbeddedStore, tmp_path: Path) -> Iterator[Watch]:
    with world(s3, tmp_path, "COMPACT", delete_after="0s") as made:
        made.mls.put(listing("1001", photo(1), photo(2), photo(3)))
        yield Watch(made)


def test_photos_then_rows_then_the_manifest_then_its_mark(watch: Watch) -> None:
    watch.cycle()
    steps = [call for call in watch.calls if call.split()[0] in {"put", "commit", "manifest_written"}]
    assert [call.split(".")[-1] for call in steps[:3]] == ["jpg"] * 3
    assert steps[3] == "commit"
    assert steps[4].endswith("manifest.json")
    assert steps[5:] == ["manifest_written"]


def test_a_photo_that_cannot_be_put_leaves_the_listing_owed_and_unseen(watch: Watch) -> None:
    watch.store.fail = {".jpg": RetryLater("the store answered SlowDown")}
    report = watch.cycle()
    assert "SlowDown" in report.owed["1001"]
    assert watch.world.manifest("1001") is None
    watch.store.fail = {}
    assert watch.world.cycle().ok
    assert len(watch.world.shas("1001")) == 3


def test_q40_a_repeated_picture_that_cannot_be_put_is_missing_under_each_of_its_ids(watch: Watch) -> None:
    watch.world.mls.put(listing("1001", photo(1), photo(2, 1), photo(3)))
    watch.store.fail = {sha256(jpeg(1)).hexdigest(): RetryLater("the store answered SlowDown")}
    watch.cycle()
    assert watch.world.named() <= watch.world.objects()
    watch.store.fail = {}
    assert watch.world.cycle().ok
    assert len(watch.world.shas("1001")) == 3
    assert watch.world.named() == watch.world.objects()


def test_a_manifest_that_cannot_be_put_is_written_by_the_next_cycle_without_a_download(watch: Watch) -> None:
    watch.store.fail = {"manifest.json": RetryLater("the store answered SlowDown")}
    assert not watch.cycle().ok
    assert watch.world.manifest("1001") is None
    watch.store.fail = {}
    report = watch.world.cycle()
    assert report.ok
    assert (report.snapshot()["downloaded"], report.snapshot()["manifests"]) == (0, 1)
    assert len(watch.world.shas("1001")) == 3


def test_a_commit_that_fails_shows_readers_nothing_and_is_made_good(watch: Watch) -> None:
    watch.catalog.fail = {"commit": RetryLater("the database is locked")}
    assert not watch.cycle().ok
    assert watch.world.manifest("1001") is None
    watch.catalog.fail = {}
    assert watch.world.cycle().ok
    assert watch.world.named() == watch.world.objects()


def test_a_gone_listings_manifest_goes_before_its_objects(watch: Watch) -> None:
    watch.cycle()
    watch.world.mls.remove("1001")
    watch.calls.clear()
    watch.cycle()
    deletions = [call for call in watch.calls if call.startswith(("commit", "delete "))]
    assert deletions[0] == "commit"
    assert "manifest.json" in deletions[1]
    assert ".jpg" in deletions[2]


def test_a_store_that_refuses_our_keys_ends_the_cycle_with_what_to_change(watch: Watch) -> None:
    watch.store.fail = {
        "put": ConfigError("the store answered AccessDenied", hint="check store.access_key_env")
    }
    report = watch.cycle()
    assert report.error is not None
    assert "store.access_key_env" in report.error
    assert watch.world.server.open_sessions(watch.world.feed) == 0


def test_a_mistake_of_our_own_is_not_hidden(watch: Watch) -> None:
    watch.catalog.fail = {"manifest_written": ZeroDivisionError("a bug")}
    with pytest.raises(RuntimeError, match="listing 1001") as caught:
        watch.cycle()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
