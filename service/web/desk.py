"""What the pages are made from: the ports, and one view of each feed that page and metrics share."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.config import Config
from service.core.ports import Catalog, FeedStatus, Hold, Holder, ObjectStore, Run
from service.core.schedule import Breaker
from service.metrics import FeedGauges, Metrics

RUNS_SHOWN = 48
"""In the history chart: half a day of a feed that is looked at every quarter of an hour."""


@dataclass(frozen=True)
class Desk:
    """Everything that a page may look at.

    `dead` names the feeds whose thread ended though the daemon runs, which is a defect of ours;
    `queue` tells how many uploads wait or run.
    """

    config: Config
    catalog: Catalog
    store: ObjectStore
    metrics: Metrics
    now: Callable[[], datetime]
    dead: Callable[[], Collection[str]]
    queue: Callable[[], int]


@dataclass(frozen=True, slots=True)
class FeedView:
    """One feed at one moment. `state` is the worst that there is to say about it, `tone` how bad that is."""

    status: FeedStatus
    interval: timedelta
    lag: timedelta | None
    state: str
    tone: str
    breaker: Breaker
    holder: Holder | None
    holds: Sequence[Hold]
    runs: Sequence[Run]

    @property
    def name(self) -> str:
        """The feed's name."""
        return self.status.feed


def feed_views(desk: Desk) -> list[FeedView]:
    """Every feed, in the configuration's order. Raises RetryLater when the catalog cannot be reached."""
    return [view_of(desk, name) for name in desk.config.feeds]


def view_of(desk: Desk, name: str) -> FeedView:
    """One feed."""
    now, interval, catalog = desk.now(), desk.config.feeds[name].interval, desk.catalog
    status, breaker, holds = catalog.status(name), catalog.breaker(name), catalog.holds(name)
    if name in desk.dead():
        state, tone = "dead", "bad"
    elif status.is_late(interval, now) and not breaker.stopped:
        state, tone = "late", "bad"
    else:
        state, tone = _state(status, breaker, holds)
    return FeedView(
        status=status,
        interval=interval,
        lag=status.lag(now),
        state=state,
        tone=tone,
        breaker=breaker,
        holder=catalog.holder(name),
        holds=holds,
        runs=catalog.recent_runs(name, RUNS_SHOWN),
    )


def _state(status: FeedStatus, breaker: Breaker, holds: Sequence[Hold]) -> tuple[str, str]:
    """A feed's state in a word or two, and `good`, `warn`, `bad` or `idle`; the worst comes first."""
    if breaker.stopped:
        return "stopped", "bad"
    if status.last_error:
        return "failing", "warn"
    if holds:
        return "deletions held", "warn"
    if status.last_success is None:
        return ("first load" if status.last_started else "not yet run"), "idle"
    return ("catching up" if status.owed > status.parked else "up to date"), "good"


def gauges(desk: Desk) -> Iterator[FeedGauges]:
    """Every feed as metrics show it."""
    for name, settings in desk.config.feeds.items():
        status, holder = desk.catalog.status(name), desk.catalog.holder(name)
        lag = status.lag(desk.now())
        yield FeedGauges(
            feed=name,
            lag=lag.total_seconds() if lag else None,
            interval=settings.interval.total_seconds(),
            listings=status.listings,
            photos=status.photos,
            owed=status.owed,
            parked=status.parked,
            holds=len(desk.catalog.holds(name)),
            leased=holder is not None and not holder.lapsed,
            stopped=desk.catalog.breaker(name).stopped,
        )
