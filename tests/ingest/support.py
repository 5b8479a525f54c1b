"""A whole house around a small live MLS: real HTTP, the real S3 server, a real catalog."""

import io
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from PIL import Image as Pillow
from pydantic import SecretStr

from service.bootstrap import House, open_house
from service.config import Config, check_config
from service.core.photos import manifest_key, segment
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.simulator.answers import Answers
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Listing, Mls, Photo
from service.simulator.server import LoopbackServer

START = datetime(2026, 1, 1, tzinfo=UTC)
_names = itertools.count()


class S3(Protocol):
    """A running S3 server."""

    @property
    def url(self) -> str: ...
    @property
    def access_key(self) -> str: ...
    @property
    def secret_key(self) -> str: ...


def jpeg(number: int) -> bytes:
    """A small picture, different for every number."""
    out = io.BytesIO()
    colour = (number * 37 % 256, number * 91 % 256, number * 153 % 256)
    Pillow.new("RGB", (48, 36), colour).save(out, "JPEG", comment=b"%d" % number)
    return out.getvalue()


def photo(number: int, picture: int | None = None, day: int = 0, **more: Any) -> Photo:
    return Photo(str(number), jpeg(number if picture is None else picture), at(day), **more)


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def listing(key: str, *photos: Photo, day: int = 0) -> Listing:
    return Listing(key, at(day), at(day), photos)


@dataclass
class World:
    """One feed, from the MLS to the bucket. `now` is the house's clock."""

    mls: Mls
    server: LoopbackServer
    house: House
    feed: str
    now: list[datetime]
    stop: threading.Event = field(default_factory=threading.Event)

    def cycle(self, **options: Any) -> Report:
        """One cycle, a day after the one before."""
        self.now[0] += timedelta(days=1)
        return run_cycle(self.house.feed(self.feed), Report(self.feed), self.stop, **options)

    def manifest(self, key: str) -> dict[str, Any] | None:
        """The listing's manifest as readers see it."""
        try:
            document: dict[str, Any] = json.loads(self.house.store.get(manifest_key(self.feed, key)))
        except KeyError:
            return None
        return document

    def shas(self, key: str) -> list[str]:
        """The pictures that the manifest shows, in order."""
        manifest = self.manifest(key)
        assert manifest is not None
        return [entry["Sha256"] for entry in manifest["media"]]

    def objects(self) -> set[str]:
        """Every photo object of the feed."""
        keys = {info.key for info in self.house.store.list(segment(self.feed) + "/")}
        return {key for key in keys if not key.endswith("manifest.json")}

    def named(self) -> set[str]:
        """Every object that a manifest of the feed names."""
        found: set[str] = set()
        for info in self.house.store.list(segment(self.feed) + "/"):
            if info.key.endswith("manifest.json"):
                found |= {entry["Key"] for entry in json.loads(self.house.store.get(info.key))["media"]}
        return found

    def asked(self) -> list[str]:
        """GetObject IDs so far."""
        return [seen.params["ID"] for seen in self.server.requests if seen.transaction == "GetObject"]


SETTINGS: dict[str, dict[str, Any]] = {
    "COMPACT": {"search_format": "COMPACT", "query": "(ModificationTimestamp={since}+)"},
    "STANDARD-XML": {
        "search_format": "STANDARD-XML",
        "query": "(ModificationTimestamp={since})",
        "keys_query": "(ListingKey=*)",
    },
}


def config_of(s3: S3, catalog: str, feeds: dict[str, dict[str, Any]]) -> Config:
    """A checked configuration with these feeds on a shared S3 server."""
    keys = {"access_key": SecretStr(s3.access_key), "secret_key": SecretStr(s3.secret_key)}
    store = {"url": s3.url, "uploaders": 4, **keys}
    return check_config({"store": store, "catalog": {"url": catalog}, "feeds": feeds}, "test")


@contextmanager
def world(
    s3: S3, folder: Path, form: str, answers: Answers | None = None, mls: Mls | None = None, **settings: Any
) -> Iterator[World]:
    """A feed of its own, in a bucket that other tests share. `answers` may stand before the MLS."""
    feed = f"{folder.name}-{next(_names)}"[-60:].lstrip("-_")
    mls = mls or Mls()
    with LoopbackServer({feed: Site(Account("reader", "loopback"), answers or mls)}) as server:
        table = {
            "kind": "rets",
            "login_url": server.login_url(feed),
            "username": "reader",
            "password": SecretStr("loopback"),
            "class": "ResidentialProperty",
            "keys_interval": "0s",
            "purge_share": 1.0,
            "timeout": "5s",
            **SETTINGS[form],
            **settings,
        }
        now = [at(100)]
        config = config_of(s3, f"sqlite:///{folder / 'catalog.db'}", {feed: table})
        with open_house(config, lambda: now[0]) as house:
            yield World(mls, server, house, feed, now)
