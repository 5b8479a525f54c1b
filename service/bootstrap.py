"""The composition root: the only place where real adapters are built and joined."""

import ctypes
import gc
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from service.config import Config, FeedConfig
from service.core.plan import FeedRules
from service.core.ports import Catalog, Facts, ObjectStore, PhotoSource
from service.errors import ConfigError
from service.feeds.discreet_source import DiscreetSource
from service.feeds.reso.dialect import dialect_of
from service.feeds.reso.source import ResoSource
from service.feeds.rets import RetsSource
from service.feeds.rets_client import Observer
from service.feeds.timed_source import TimedSource
from service.ingest.accounts import Account
from service.ingest.feed import Feed
from service.ingest.uploads import Uploaders
from service.metrics import Metrics
from service.reso_config import ODataFeed
from service.rets_config import RetsFeed
from service.stores.catalog import SqlCatalog, open_catalog
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from service.stores.timed_store import TimedStore

Now = Callable[[], datetime]

COLLECTOR = (50_000, 20, 20)
"""Allocations between two looks of the garbage collector. A page of listings is some ten thousand small
tuples that hold no cycle; at the default of 700 it takes a fifth of a cycle to find that out."""


M_MMAP_THRESHOLD = -3
"""mallopt's number for it (malloc.h)."""

MAP_FROM = 512 * 2**10
"""Bytes. glibc keeps freed memory per thread, and raises of its own accord, after the first large photo,
the size from which it asks the system for memory of its own: 80 MB of an ingest were such leftovers. A fixed
threshold (M_MMAP_THRESHOLD) gives every larger photo back at once; a lower one would map each read anew."""


def _bound_free_memory() -> None:
    """On glibc only; other allocators do not keep as much."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MAP_FROM)


def utc_now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class House:
    """Everything that is open, shared by all feeds."""

    config: Config
    catalog: Catalog
    store: ObjectStore
    uploaders: Uploaders
    now: Now
    accounts: Mapping[tuple[str, str], Account]
    metrics: Metrics

    def feed(self, name: str) -> Feed:
        """The feed of this name, ready for a cycle."""
        settings = self.config.feeds[name]
        source = source_of(name, settings, MarkedFacts(self.catalog, name), self.now)
        return Feed(
            name=name,
            source=TimedSource(source, partial(self.metrics.fetch, name)),
            store=self.store,
            catalog=self.catalog,
            uploaders=self.uploaders,
            rules=rules_of(settings),
            clock=self.now,
            jitter=random.random,
            public_url=self.config.store.public_url,
            max_photo_bytes=settings.max_photo_bytes,
            delete_after=settings.delete_after,
            keys_interval=settings.keys_interval,
            purge_share=settings.purge_share,
            account=self.accounts[account_key(settings)],
            batch_listings=settings.batch_listings,
            batch_objects=settings.batch_objects,
            lease=self.config.lease,
        )


@contextmanager
def open_house(config: Config, now: Now = utc_now) -> Iterator[House]:
    """Catalog, store and uploaders, open for the time of the context."""
    gc.set_threshold(*COLLECTOR)
    _bound_free_memory()
    with (
        catalog_of(config) as catalog,
        store_of(config) as store,
        Uploaders(config.store.uploaders) as uploaders,
    ):
        metrics = Metrics()
        timed = TimedStore(store, metrics.put)
        yield House(config, catalog, timed, uploaders, now, accounts_of(config), metrics)


@contextmanager
def catalog_of(config: Config) -> Iterator[SqlCatalog]:
    """The catalog. SQLite is migrated here; elsewhere `python -m service migrate` does it."""
    catalog = open_catalog(config.catalog.url, _text(config.catalog.password), migrate=False)
    try:
        yield catalog
    finally:
        catalog.close()


@contextmanager
def store_of(config: Config) -> Iterator[MinioStore]:
    """The object store; `embedded:DIR` runs a server of its own as long as it is open."""
    settings = config.store
    if not settings.url.startswith("embedded:"):
        for name in ("access_key", "secret_key"):
            if getattr(settings, name) is None:
                raise ConfigError(f"store.{name}_env or store.{name}_file: missing for {settings.url}")
        store = MinioStore.from_url(
            settings.url,
            _text(settings.access_key) or "",
            _text(settings.secret_key) or "",
            uploaders=settings.uploaders,
            ca_file=settings.ca_file,
        )
        store.ensure_bucket()
        yield store
        return
    with EmbeddedStore(Path(settings.url.removeprefix("embedded:"))) as server:
        yield MinioStore.from_url(
            server.url, server.access_key, server.secret_key, uploaders=settings.uploaders
        )


def source_of(
    name: str,
    settings: FeedConfig,
    facts: Facts | None = None,
    now: Now = utc_now,
    observer: Observer | None = None,
) -> PhotoSource:
    """The feed's adapter, by its kind. Without `facts` it leaves no trace."""
    source: RetsSource | ResoSource
    match settings:
        case RetsFeed():
            source = RetsSource(name, settings, facts, now, observer)
        case ODataFeed():
            source = ResoSource(name, settings, facts, now)
        case _:
            raise ConfigError(f"feeds.{name}.kind: {settings.kind} is not served yet")
    return DiscreetSource(source, source.hide)


@dataclass(frozen=True)
class MarkedFacts:
    """A source's facts as marks of its feed: they live as long as the catalog, in the place of its cursor."""

    catalog: Catalog
    feed: str

    def get(self, name: str, /) -> str | None:
        """The fact, if it was ever kept."""
        return self.catalog.mark(self.feed, f"source.{name}")

    def __setitem__(self, name: str, value: str, /) -> None:
        """Keep a fact."""
        self.catalog.set_mark(self.feed, f"source.{name}", value)


def accounts_of(config: Config) -> dict[tuple[str, str], Account]:
    """Every account of the configuration; where its feeds differ about `sessions`, the fewest count."""
    sessions: dict[tuple[str, str], int] = {}
    for settings in config.feeds.values():
        key = account_key(settings)
        sessions[key] = min(settings.sessions, sessions.get(key, settings.sessions))
    return {key: Account(count) for key, count in sessions.items()}


def account_key(settings: FeedConfig) -> tuple[str, str]:
    """What makes two feeds share one account: the server's host; and the user name, client or token."""
    if isinstance(settings, RetsFeed):
        return urlsplit(settings.login_url).hostname or "", settings.username
    token = (_text(settings.token) or "").encode()
    return urlsplit(settings.base_url).hostname or "", settings.client_id or sha256(token).hexdigest()


def rules_of(settings: FeedConfig) -> FeedRules:
    """How this feed's photos are compared."""
    default_only = settings.photos == "default"
    if isinstance(settings, ODataFeed):
        return FeedRules(default_only, dialect_of(settings).gate, described=True)
    return FeedRules(default_only)


def lists_photos(settings: FeedConfig) -> bool:
    """Whether this feed's records list their photos (by sequence)."""
    return not isinstance(settings, RetsFeed) or settings.search_format == "STANDARD-XML"


def secrets_of(config: Config) -> list[str]:
    """Every secret of the configuration, for the log's redactor."""
    sections = [config.catalog, config.store, config.web, *config.feeds.values()]
    values = (getattr(section, name) for section in sections if section for name in section.secrets())
    return [value.get_secret_value() for value in values if value is not None]


def _text(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
