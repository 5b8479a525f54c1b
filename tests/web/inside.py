"""The site in the test's own process: a real catalog and a real store, looked at over real HTTP."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from pydantic import SecretStr

from service.config import WebConfig
from service.core.ports import ObjectStore
from service.metrics import Metrics
from service.stores.catalog import SqlCatalog, open_catalog
from service.stores.object_store import MinioStore
from service.web.desk import Desk
from service.web.routes import make_site
from service.web.server import WebServer
from tests.ingest.support import S3, config_of
from tests.stores.support import NOW
from tests.web.support import TOKEN

FEED = "inside"


@dataclass
class Inside:
    """A site that nothing works for, and the catalog that it shows."""

    desk: Desk
    catalog: SqlCatalog
    url: str

    def get(self, path: str) -> requests.Response:
        """One answer."""
        return requests.get(self.url + path, timeout=30)


def desk_of(
    s3: S3,
    catalog: SqlCatalog,
    store: ObjectStore,
    *,
    token: str | None = TOKEN,
    dead: Collection[str] = (),
    public_url: str | None = None,
) -> Desk:
    table = {
        "kind": "rets",
        "login_url": "http://127.0.0.1:9/Login",
        "username": "reader",
        "password": SecretStr("loopback"),
        "class": "ResidentialProperty",
        "query": "(ModificationTimestamp={since}+)",
        "interval": "15m",
    }
    config = config_of(s3, "sqlite:///unused.db", {FEED: table})
    web = WebConfig(listen="127.0.0.1:0", token=SecretStr(token) if token else None)
    shown = config.store.model_copy(update={"public_url": public_url})
    return Desk(
        config=config.model_copy(update={"web": web, "store": shown}),
        catalog=catalog,
        store=store,
        metrics=Metrics(),
        now=lambda: NOW,
        dead=lambda: dead,
        queue=lambda: 3,
    )


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """The site's address, for as long as it runs."""
    server = WebServer(make_site(desk), ("127.0.0.1", 0))
    server.start()
    yield f"http://{server.address}"
    thread = server.stop()
    thread.join(20)
    assert not thread.is_alive()


@contextmanager
def inside(
    s3: S3,
    folder: Path,
    *,
    store_url: str | None = None,
    token: str | None = TOKEN,
    dead: Collection[str] = (),
    public_url: str | None = None,
) -> Iterator[Inside]:
    """A site over an empty catalog and, unless another one is named, the S3 server."""
    catalog = open_catalog(f"sqlite:///{folder / 'catalog.db'}", migrate=True)
    store = MinioStore.from_url(store_url or s3.url, s3.access_key, s3.secret_key, uploaders=1)
    desk = desk_of(s3, catalog, store, token=token, dead=dead, public_url=public_url)
    with served(desk) as url:
        yield Inside(desk, catalog, url)
    catalog.close()
    store.close()
