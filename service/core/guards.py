"""What stops a deletion that the feed seems to ask for.

Two kinds of losses are told apart. What a whole answer says is true, and readers see it at once: one
listing less, two photos less. But a feed that loses a good part of itself within a day is rather broken
than right, whatever it says, and then nothing more is taken from readers: their set stays as it is until
an operator or the feed itself says otherwise (architecture invariant 3). Stopping only the deletion of
bytes would be too late, since readers see manifests and not bytes, and a feed that recovers would have
to send everything again.

What passed before the guard spoke is kept too: while the feed, or the clock, is not believed, nothing is
swept. Such a guard has a row in the catalog (`Hold`), which ends by the operator's word
(`--allow-purge`) or when what the feed asks for is within bounds again.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

WINDOW = timedelta(hours=24)
"""Losses within it count together: a feed that loses a tenth of itself every hour is as broken as one that
loses all of it at once."""

JUMP = timedelta(hours=24)
"""No cycle for so long, or a clock that was set forward? From inside nobody can tell the two apart."""

BACK = timedelta(minutes=5)
"""Clocks are set back by seconds all the time; beyond this somebody set it."""


class Guard(StrEnum):
    """The guards, by the names that the catalog, the status page and the metrics know them by."""

    KEYS = "keys"
    """The list of all keys is not whole, so nobody knows which listings are gone."""
    LISTINGS = "listings"
    """More listings are missing than `purge_share` of them."""
    PHOTOS = "photos"
    """More photos would leave their sets than `purge_share` of them."""
    COUNT = "count"
    """Sets are smaller than the feed itself counts them."""
    UNDELETED = "undeleted"
    """Listings that an operator brought back, and that the feed still has not, or not whole."""
    CLOCK = "clock"
    """The clock jumped, so nobody knows which time of grace is over."""


STOPS_SWEEP = frozenset({Guard.LISTINGS, Guard.PHOTOS, Guard.CLOCK})
"""Guards that doubt the feed as a whole, or the time. The others doubt a single answer or listing, and a
server whose COUNT is always wrong must not keep the bucket growing for ever."""


@dataclass(frozen=True, slots=True)
class Losses:
    """What a feed has, and what it has lost within the window (by what its listings were before it).

    `photos_lost` left sets that are still there, `sets_shrunk` of them; the photos of listings that
    are gone count as listings, not as photos.
    """

    photos: int = 0
    photos_lost: int = 0
    sets_shrunk: int = 0
    listings_gone: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """Owed listings that one guard keeps as they are, and how many photos fewer they would have."""

    listings: int = 0
    photos: int = 0


@dataclass(frozen=True, slots=True)
class Removals:
    """Listings to remove, or why none may be. `held` counts those that a guard kept."""

    keys: frozenset[str] = frozenset()
    held: int = 0
    why: str = ""


def is_purge(lost: int, more: int, left: int, share: float) -> bool:
    """Whether losing `more` of the `left`, after `lost`, is more than a share (0 to 1) of what there was."""
    return more > 0 and lost + more > share * (left + lost)


def plan_removals(
    known: AbstractSet[str],
    present: AbstractSet[str],
    *,
    share: float,
    lost: int = 0,
    allowed: bool = False,
) -> Removals:
    """Which known listings a *complete* snapshot says are gone.

    `share` is the largest part of the known listings (0 to 1) that may go within the window, `lost`
    how many went already; `allowed` is the operator's word (`--allow-purge`) for this once.
    """
    gone = frozenset(known - present)
    if allowed or not is_purge(lost, len(gone), len(known), share):
        return Removals(gone)
    before = f", {lost} more went within a day" if lost else ""
    why = f"{len(gone)} of {len(known)} listings are missing from the feed{before}: more than {share:.0%}"
    return Removals(held=len(gone), why=why)


def why_purge(losses: Losses, sets: int, photos: int, share: float) -> str:
    """Why sets may not become smaller by so many photos: "" when they may.

    One set alone is no purge, however small the feed is: somebody took new pictures of a house.
    """
    if losses.sets_shrunk + sets < 2 or not is_purge(losses.photos_lost, photos, losses.photos, share):
        return ""
    lost, total = losses.photos_lost + photos, losses.photos + losses.photos_lost
    return f"the feed's sets would lose {lost} of {total} photos, more than {share:.0%}"


def why_clock(seen: datetime | None, now: datetime, retention: timedelta) -> str:
    """Why the clock is not to be believed, given when the last cycle was: "" when it is.

    Forward, everything that waits for its deletion would be due at once, unseen by anybody. A machine
    that was off for as long looks the same; then the grace period begins anew, which costs nothing
    but space. A shorter gap than the grace period lets nothing pass that was dropped since.
    """
    if seen is None:
        return ""
    if seen - now > BACK:
        return f"the clock was set back by {_words(seen - now)}"
    if now - seen > max(retention, JUMP):
        return f"no cycle for {_words(now - seen)}, or the clock was set forward"
    return ""


def clock_is_steady(since: datetime, now: datetime, retention: timedelta) -> bool:
    """Whether a clock that was doubted has gone on for a grace period, so that whoever looks could see it.

    It may do so in one more jump: a feed that is looked at once a week must get its turn.
    """
    return now - since >= retention


def _words(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes % 60} min"
