"""A feed's last cycles as bars: a picture of a few hundred bytes, drawn by the page itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

from service.core.ports import Run

HEIGHT = 32
PITCH = 5
"""Units from bar to bar, one of them a gap."""

LEAST = 2
"""Units: a cycle that had nothing to do is still a bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One cycle. `tone` is good, warn (something was not had) or bad (it failed)."""

    x: int
    y: int
    height: int
    tone: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars from old to new, and the same in words."""

    bars: tuple[Bar, ...]
    width: int
    label: str


def chart_of(runs: Sequence[Run], slots: int) -> Chart:
    """The ended runs, newest first as the catalog gives them; newest at the right of `slots` places.

    Heights are logarithmic: a first load of 100,000 photos must not flatten an hour with 50.
    """
    ended = [run for run in runs if run.ended][:slots][::-1]
    top = log1p(max((uploads(run) for run in ended), default=0)) or 1.0
    free = slots - len(ended)
    bars = tuple(_bar(run, PITCH * (free + place), top) for place, run in enumerate(ended))
    return Chart(bars, PITCH * slots - 1, _words(bars))


def uploads(run: Run) -> int:
    """Photos that this cycle put into the bucket."""
    return run.counts.get("uploaded", 0)


def tone_of(run: Run) -> str:
    """How a run ended."""
    if run.error:
        return "bad"
    return "warn" if run.counts.get("failed") else "good"


def _bar(run: Run, x: int, top: float) -> Bar:
    tone = tone_of(run)
    # A failure must be seen whatever it had put before.
    share = 1.0 if tone == "bad" else log1p(uploads(run)) / top
    height = LEAST + round((HEIGHT - LEAST) * share)
    said = "failed" if tone == "bad" else f"{run.counts.get('failed', 0)} photos not had"
    title = f"{run.started:%d %b %H:%M} UTC: {uploads(run)} photos uploaded, {said}"
    return Bar(x, HEIGHT - height, height, tone, title)


def _words(bars: Sequence[Bar]) -> str:
    if not bars:
        return "No cycle has ended yet"
    failed = sum(bar.tone == "bad" for bar in bars)
    short = sum(bar.tone == "warn" for bar in bars)
    return f"The last {len(bars)} cycles: {failed} failed, {short} without some photos"
