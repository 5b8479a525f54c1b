"""A whole house around a Web API feed: real HTTP, the real S3 server, a real catalog."""

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import SecretStr

from service.bootstrap import House, open_house
from service.core.photos import manifest_key, segment
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.simulator.server import LoopbackServer
from service.simulator.web_api.desk import ApiSite
from service.simulator.web_api.dialects import CONSTELLATION1, REALTRACS, RESO, SPARK_REPLICATION, Dialect
from service.simulator.web_api.listings import Listing, Medium
from service.simulator.web_api.tokens import Access
from service.simulator.web_api.web_api import WebApi
from tests.ingest.support import S3, config_of, jpeg

TOKEN, SECRET = "planted-token-of-the-feed", "planted-secret"
START = datetime(2026, 1, 1, tzinfo=UTC)
DIALECTS: dict[str, Dialect] = {
    "realtracs": REALTRACS,
    "constellation1": CONSTELLATION1,
    "spark-replication": SPARK_REPLICATION,
    "reso": RESO,
}
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"

_names = itertools.count()


def at(minute: int, digits: str = "123456") -> str:
    """A stamp, `minute` minutes into 2026, with so many digits of a second."""
    return (START + timedelta(minutes=minute)).strftime(f"%Y-%m-%dT%H:%M:%S.{digits}Z")


def photo(number: int, picture: int | None = None, minute: int = 0, **more: Any) -> Medium:
    picture_of = jpeg(number if picture is None else picture)
    return Medium(f"m{number}", at(minute), picture=picture_of, **more)


def listing(key: str, *media: Medium, minute: int = 0, **more: Any) -> Listing:
    return Listing(key, at(minute), at(minute), media, **more)


@dataclass
class WebWorld:
    """One feed, from the MLS to the bucket. `now` is the house's clock."""

    api: WebApi
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
        try:
            document: dict[str, Any] = json.loads(self.house.store.get(manifest_key(self.feed, key)))
        except KeyError:
            return None
        return document

    def keys(self, key: str) -> list[str]:
        """The MediaKeys that a manifest shows, in order."""
        manifest = self.manifest(key)
        assert manifest is not None
        return [entry["MediaKey"] for entry in manifest["media"]]

    def objects(self) -> set[str]:
        found = {info.key for info in self.house.store.list(segment(self.feed) + "/")}
        return {key for key in found if not key.endswith("manifest.json")}

    def asked(self, entity: str) -> list[dict[str, str]]:
        """The queries to an entity so far."""
        return [
            dict(seen.params)
            for seen in self.server.requests
            if seen.transaction == "Get" and seen.params["path"].lower().startswith(entity.lower())
        ]

    def targets(self) -> list[str]:
        """Every query's target, decoded."""
        return [unquote(seen.params["target"]) for seen in self.server.requests if seen.transaction == "Get"]

    def downloads(self) -> list[str]:
        return [seen.params["URL"] for seen in self.server.requests if seen.transaction == "Media"]

    def change(self, key: str, **changes: Any) -> None:
        """The listing is another one from now on."""
        known = self.api.listings.get(key)
        assert known is not None
        self.api.listings.put(replace(known, **changes))


@contextmanager
def web_world(
    s3: S3, folder: Path, kind: str, *listings: Listing, dialect: Dialect | None = None, **settings: Any
) -> Iterator[WebWorld]:
    """A feed of its own, in a bucket that other tests share."""
    feed = f"{folder.name}-{next(_names)}"[-60:].lstrip("-_")
    dialect = dialect or DIALECTS[kind]
    access = Access(token=TOKEN, client_id="us", client_secret=SECRET)
    api = WebApi(f"/{feed}/", dialect, listings)
    site = ApiSite(access, api, dialect.root, encodings=("br", "gzip"))
    with LoopbackServer({feed: site}) as server:
        home = f"http://127.0.0.1:{server.port}/{feed}/"
        table: dict[str, Any] = {
            "kind": kind,
            "base_url": home + dialect.root.rstrip("/"),
            "keys_interval": "0s",
            "purge_share": 1.0,
            "timeout": "20s",
            **settings,
        }
        if kind == "constellation1":
            secret = {"client_id": "us", "client_secret": SecretStr(SECRET)}
            table = {"token_url": home + "oauth2/token", **secret, **table}
        else:
            table["token"] = SecretStr(TOKEN)
        now = [datetime(2026, 6, 1, tzinfo=UTC)]
        config = config_of(s3, f"sqlite:///{folder / 'catalog.db'}", {feed: table})
        with open_house(config, lambda: now[0]) as house:
            yield WebWorld(api, server, house, feed, now)
