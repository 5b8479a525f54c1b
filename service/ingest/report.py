"""What a cycle did, counted while it does it: tables, logs and progress read the same numbers."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.errors import FeedBusy, ServiceError, StopFeed

COUNTS = (
    "listings",
    "downloaded",
    "uploaded",
    "unchanged",
    "moved",
    "removed",
    "failed",
    "bytes",
    "manifests",
    "listings_removed",
    "swept",
    "avoided",
    "retried",
)
"""Photos, except for `listings` (seen), `bytes` (of photos received), `manifests` (written),
`listings_removed`, `swept` (objects deleted after their grace period) and `retried` (listings that
had failed before). `avoided` are stored photos that are current and were not asked for."""


@dataclass
class Report:
    """Thread-safe counts of one cycle, and what is left to say about it."""

    feed: str
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    owed: dict[str, str] = field(default_factory=dict)
    held: str = ""
    error: str | None = None
    stopped: ServiceError | None = None
    seconds: float = 0.0
    todo: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **amounts: int) -> None:
        """Count."""
        with self._lock:
            for name, amount in amounts.items():
                self.counts[name] += amount

    def fail(self, listing: str, why: str, photos: int) -> None:
        """A listing is not yet as the feed says."""
        with self._lock:
            self.owed[listing] = why
            self.counts["failed"] += photos

    def hold(self, why: str) -> None:
        """A guard spoke."""
        self.held = f"{self.held}; {why}" if self.held else why

    def snapshot(self) -> Mapping[str, int]:
        """The counts as they are now."""
        with self._lock:
            return dict(self.counts)

    @property
    def ok(self) -> bool:
        """Whether nothing failed: no photo, no listing, not the feed, and no guard spoke."""
        return not (self.error or self.owed or self.held)

    @property
    def end(self) -> str:
        """The worst that there is to say, in a word, for metrics."""
        if self.error:
            ends = ((StopFeed, "stopped"), (FeedBusy, "busy"))
            return next((end for kind, end in ends if isinstance(self.stopped, kind)), "failed")
        return "held" if self.held else "incomplete" if self.owed else "ok"
