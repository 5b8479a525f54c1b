"""A loaded feed whose bucket and catalog a test damages behind the service's back, and sees mended."""

import io
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from parsers.records import ListingState
from service.core.audit import Difference
from service.core.photos import FRESH, IMMUTABLE, listing_prefix, manifest_key, segment
from service.ingest.audit import AuditReport, audit_feed
from service.ingest.mending import Mending
from service.ingest.rebuild import RebuildReport, rebuild_feed
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, at, listing, photo, world

BY_SEQUENCE, BY_WHOLE_SET = "STANDARD-XML", "COMPACT"

KEYS = ("1001", "1002", "A/3 ..")


@dataclass
class Ward:
    """A world with three loaded listings, and what one can do to it."""

    world: World
    catalog: Path
    by_sequence: bool

    def load(self) -> None:
        # A search from the cursor brings the second again, and not the others.
        for number, (key, day) in enumerate(zip(KEYS, (0, 2, 1), strict=True)):
            photos = (photo(n, 10 * number + n, day=day) for n in (1, 2, 3))
            self.world.mls.put(listing(key, *photos, day=day))
        assert self.world.cycle().ok
        assert self.audit().ok

    def audit(self, *, deep: bool = True, repair: bool = False) -> AuditReport:
        report = AuditReport(self.world.feed)
        mending = Mending(self.by_sequence) if repair else None
        audit_feed(self.feed(), report, self.world.stop, deep=deep, repair=mending)
        assert report.error is None
        return report

    def rebuild(self) -> RebuildReport:
        report = RebuildReport(self.world.feed)
        rebuild_feed(self.feed(), report, threading.Event())
        assert report.error is None
        return report

    def feed(self) -> Any:
        return self.world.house.feed(self.world.feed)

    def differences(self, **options: bool) -> list[Difference]:
        return self.audit(**options).differences

    def key(self, name: str, listing: str = KEYS[0]) -> str:
        return listing_prefix(self.world.feed, listing) + name

    def photo_key(self, place: int = 0, listing: str = KEYS[0]) -> str:
        return self.key(f"{self.world.shas(listing)[place]}.jpg", listing)

    def manifest_key(self, listing: str = KEYS[0]) -> str:
        return manifest_key(self.world.feed, listing)

    def put(
        self, key: str, content: bytes, media_type: str = "image/jpeg", cache_control: str = IMMUTABLE
    ) -> None:
        digest = sha256(content).hexdigest()
        body = io.BytesIO(content)
        self.world.house.store.put(
            key, body, len(content), digest, media_type=media_type, cache_control=cache_control
        )

    def put_manifest(self, content: bytes, listing: str = KEYS[0]) -> None:
        self.put(self.manifest_key(listing), content, "application/json", FRESH)

    def edit_manifest(self, change: Callable[[dict[str, Any]], None], listing: str = KEYS[0]) -> None:
        document = json.loads(self.get(self.manifest_key(listing)))
        change(document)
        self.put_manifest(json.dumps(document).encode(), listing)

    def get(self, key: str) -> bytes:
        return self.world.house.store.get(key)

    def delete(self, *keys: str) -> None:
        self.world.house.store.delete(keys)

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Change the catalog's file as somebody else would."""
        with sqlite3.connect(self.catalog) as connection:
            rows = connection.execute(statement, values).fetchall()
        connection.close()
        return rows

    def bucket(self) -> dict[str, tuple[bytes, str | None, str | None]]:
        """Every object of the feed: bytes, Content-Type, Cache-Control."""
        store = self.world.house.store
        keys = [info.key for info in store.list(segment(self.world.feed) + "/")]
        found = {}
        for key in keys:
            info = store.stat(key)
            assert info
            found[key] = (store.get(key), info.media_type, info.cache_control)
        return found

    def owe(self, said: ListingState) -> None:
        """A listing that has failed once, and is not due for a long time."""
        catalog, feed = self.world.house.catalog, self.world.feed
        catalog.owe(feed, [said], None, at(0))
        catalog.postpone(feed, said.key, why="a failure", due_at=at(100_000), parked=False)

    def dump(self) -> list[str]:
        """The whole catalog, but for who works on it."""
        with sqlite3.connect(self.catalog) as connection:
            lines = [line for line in connection.iterdump() if '"leases"' not in line]
        connection.close()
        return lines

    def heal(self) -> None:
        """As before the damage."""
        assert self.audit(repair=True).ok
        self.world.cycle()
        self.world.cycle()
        assert self.audit().ok

    def pictures(self) -> dict[str, list[str]]:
        """What readers see."""
        return {key: self.world.shas(key) for key in KEYS}


@contextmanager
def ward_of(s3: EmbeddedStore, folder: Path, form: str, **settings: Any) -> Iterator[Ward]:
    """A loaded feed of its own."""
    with world(s3, folder, form, **settings) as made:
        ward = Ward(made, folder / "catalog.db", by_sequence=form == BY_SEQUENCE)
        ward.load()
        yield ward


# What may happen to it.


def lose_a_photo(ward: Ward) -> None:
    ward.delete(ward.photo_key())


def lose_all_of_a_listing(ward: Ward) -> None:
    ward.delete(*(ward.photo_key(place) for place in range(3)), ward.manifest_key())


def truncate_a_photo(ward: Ward) -> None:
    key = ward.photo_key()
    ward.put(key, ward.get(key)[:100])


def exchange_bytes_of_a_photo(ward: Ward) -> None:
    key = ward.photo_key(1)
    ward.put(key, ward.get(key)[::-1])


def mix_up_two_photos(ward: Ward) -> None:
    one, two = ward.photo_key(0), ward.photo_key(1)
    first, second = ward.get(one), ward.get(two)
    ward.put(one, second)
    ward.put(two, first)


def mistype_a_photo(ward: Ward) -> None:
    key = ward.photo_key(2)
    ward.put(key, ward.get(key), "text/html")


def let_a_photo_expire(ward: Ward) -> None:
    key = ward.photo_key(2)
    ward.put(key, ward.get(key), cache_control="no-store")


def mistype_a_manifest(ward: Ward) -> None:
    ward.put(ward.manifest_key(), ward.get(ward.manifest_key()), "text/plain", "public, max-age=60")


def lose_a_manifest(ward: Ward) -> None:
    ward.delete(ward.manifest_key())


def break_a_manifest(ward: Ward) -> None:
    ward.put_manifest(b'{"feed":"')


def empty_a_manifest(ward: Ward) -> None:
    ward.put_manifest(b"")


def reorder_a_manifest(ward: Ward) -> None:
    ward.edit_manifest(lambda document: document["media"].reverse())


def alter_a_manifest_in_place(ward: Ward) -> None:
    document = ward.get(ward.manifest_key())
    ward.put_manifest(document.replace(b'"MediaCategory":"Photo"', b'"MediaCategory":"Plans"'))


def take_a_photo_out_of_a_manifest(ward: Ward) -> None:
    ward.edit_manifest(lambda document: document["media"].pop())


def put_an_older_manifest(ward: Ward) -> None:
    newer = "generation = generation + 1, manifest_generation = generation + 1"
    ward.sql(f"UPDATE listings SET {newer} WHERE key = '1001'")  # noqa: S608 - no value in it


def put_another_listings_manifest(ward: Ward) -> None:
    ward.put_manifest(ward.get(ward.manifest_key(KEYS[1])))


def lose_a_photo_row(ward: Ward) -> None:
    ward.sql("DELETE FROM photos WHERE position = 1")


def lose_a_photo_row_and_the_manifest(ward: Ward) -> None:
    lose_a_photo_row(ward)
    ward.delete(*(ward.manifest_key(key) for key in KEYS))


def lose_a_listings_rows(ward: Ward) -> None:
    ward.sql("DELETE FROM photos WHERE listing_id IN (SELECT id FROM listings WHERE key = ?)", KEYS[2])
    ward.sql("DELETE FROM listings WHERE key = ?", KEYS[2])


def lose_a_listings_rows_and_a_photo(ward: Ward) -> None:
    ward.delete(ward.photo_key(1, KEYS[2]))
    lose_a_listings_rows(ward)


def doom_a_photo(ward: Ward) -> None:
    ward.sql(
        "INSERT INTO deletions VALUES (?, ?, '2020-01-01 00:00:00.000000')", ward.world.feed, ward.photo_key()
    )


def leave_an_orphan(ward: Ward) -> None:
    ward.put(ward.key("ab" * 32 + ".jpg"), b"left by somebody")


def leave_an_orphan_of_no_listing(ward: Ward) -> None:
    ward.put(ward.key("ab" * 32 + ".png", "9999"), b"left by somebody")
