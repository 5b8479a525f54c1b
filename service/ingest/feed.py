"""What the shell needs to work on one feed: the adapters, the rules and the operator's settings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.core.plan import FeedRules
from service.core.ports import Catalog, ObjectStore, PhotoSource
from service.ingest.accounts import Account
from service.ingest.uploads import Uploaders


@dataclass(frozen=True)
class Feed:
    """One feed, ready to be worked on. `clock` gives UTC now; `jitter` gives 0..1.

    Feeds of one account share its `account`. `batch_listings` and `batch_objects` bound a request
    for photos. `lease` is how long the feed stays this process's after it was killed.
    """

    name: str
    source: PhotoSource
    store: ObjectStore
    catalog: Catalog
    uploaders: Uploaders
    rules: FeedRules
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    public_url: str | None
    max_photo_bytes: int
    delete_after: timedelta
    keys_interval: timedelta
    purge_share: float
    account: Account
    batch_listings: int
    batch_objects: int
    lease: timedelta
