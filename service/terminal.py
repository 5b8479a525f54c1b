"""What people see: tables at the end, a live line while work goes on. Machines ask for --json."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from service.core.ports import FeedStatus, Hold, KeptSet, Owed
from service.core.schedule import Breaker
from service.ingest.preview import Preview
from service.ingest.report import Report
from service.logs import visible

SHOWN = ("listings", "downloaded", "uploaded", "unchanged", "moved", "removed", "failed")

REFRESH = 0.1
"""Seconds between two looks at the counts: fast enough to look alive."""


PIPE_WIDTH = 160
"""Columns where no terminal says how many there are: a table in a log is not to be folded."""


def new_console(*, stderr: bool = False) -> Console:
    """Where tables go."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=PIPE_WIDTH)


@dataclass(frozen=True)
class Row:
    """One line of the cycle table: a feed, or a fixture's step, and what its cycle did."""

    names: tuple[str, ...]
    counts: Mapping[str, int]
    seconds: float
    ok: bool
    note: str = ""


def row_of(report: Report) -> Row:
    """A report as a line."""
    note = report.error or report.held or ("; ".join(f"{k}: {why}" for k, why in report.owed.items()))
    return Row((report.feed,), report.snapshot(), report.seconds, report.ok, visible(note))


def _cells(*texts: str) -> list[Text]:
    """Words of a feed as they are: no markup, nothing that moves a cursor."""
    return [Text(visible(text)) for text in texts]


def cycle_table(heads: Sequence[str], rows: Sequence[Row]) -> Table:
    """Per line: listings seen, what became of the photos, bytes, seconds."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, no_wrap=True)
    for head in (*SHOWN, "bytes", "seconds"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows:
        numbers = [str(row.counts[name]) for name in SHOWN]
        mark = "[green]ok[/]" if row.ok else "[red]no[/]"
        table.add_row(*_cells(*row.names), *numbers, _bytes(row.counts["bytes"]), f"{row.seconds:.2f}", mark)
    return table


def status_table(feeds: Sequence[FeedStatus]) -> Table:
    """Feeds with their last success, backlog and parked listings."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("feed", "last success", "cursor"):
        table.add_column(head)
    for head in ("listings", "photos", "backlog", "parked"):
        table.add_column(head, justify="right")
    table.add_column("next cycle", overflow="fold")
    table.add_column("last error", overflow="fold")
    for feed in feeds:
        success = feed.last_success.isoformat(timespec="seconds") if feed.last_success else "never"
        numbers = (str(n) for n in (feed.listings, feed.photos, feed.owed, feed.parked))
        ends = (_next_cycle(feed.breaker), feed.last_error or "")
        table.add_row(*_cells(feed.feed, success, feed.cursor or "", *numbers, *ends))
    return table


def _next_cycle(breaker: Breaker) -> str:
    """Where it is not simply the feed's interval."""
    if breaker.stopped:
        return "stopped"
    return _moment_of(breaker.until) if breaker.on_trial else ""


def holds_table(holds: Sequence[Hold]) -> Table:
    """What guards keep from being lost, and since when."""
    table = Table(box=None, pad_edge=False, header_style="bold", title="held", title_justify="left")
    for head in ("feed", "guard", "since", "why"):
        table.add_column(head, overflow="fold")
    for hold in holds:
        table.add_row(*_cells(hold.feed, hold.guard, _moment_of(hold.since), hold.why))
    return table


def kept_table(kept: Sequence[KeptSet]) -> Table:
    """What can be undeleted, and until when."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("listing", "generation", "photos", "until"):
        table.add_column(head, overflow="fold")
    for entry in kept:
        numbers = (str(entry.generation), str(entry.photos))
        table.add_row(*_cells(entry.listing, *numbers, _moment_of(entry.until)))
    return table


def parked_table(parked: Mapping[str, Sequence[Owed]], *, evidence: bool = False) -> Table:
    """Parked listings with their reasons, and what came instead of their photos."""
    table = Table(box=None, pad_edge=False, header_style="bold", title="parked", title_justify="left")
    heads = ("feed", "listing", "attempts", "next attempt", "why", *(("evidence",) if evidence else ()))
    for head in heads:
        table.add_column(head, overflow="fold")
    for feed, listings in parked.items():
        for owed in listings:
            cells = (
                feed,
                owed.said.key,
                str(owed.attempts),
                _moment_of(owed.due_at),
                owed.why,
                owed.evidence,
            )
            table.add_row(*_cells(*cells[: len(heads)]))
    return table


def _moment_of(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds") if time else ""


def plan_table(previews: Sequence[Preview]) -> Table:
    """What a cycle would do, a line per listing that it would work on."""
    table = Table(
        box=None, pad_edge=False, header_style="bold", caption=f"{len(previews)} listings to work on"
    )
    for head in ("feed", "listing", "why", "photos to ask for", "stored", "photos to remove"):
        table.add_column(head, overflow="fold")
    for entry in previews:
        removed = ", ".join(entry.removed)
        stored = str(entry.stored)
        table.add_row(*_cells(entry.feed, entry.listing, entry.reason, entry.ask, stored, removed))
    return table


class Counted(Protocol):
    """A report of an audit or a rebuild."""

    feed: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether all is well."""

    def snapshot(self) -> Mapping[str, int]:
        """Numbers by name."""


def counts_table(reports: Sequence[Counted]) -> Table:
    """A line per feed with all that its report has counted."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("feed", no_wrap=True)
    for head in (*(reports[0].snapshot() if reports else ()), "seconds"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("")
    for report in reports:
        numbers = [str(amount) for amount in report.snapshot().values()]
        mark = "[green]ok[/]" if report.ok else "[red]no[/]"
        table.add_row(*_cells(report.feed), *numbers, f"{report.seconds:.2f}", mark)
    return table


@contextmanager
def live(console: Console, report: Report, title: str) -> Iterator[None]:
    """A line that moves while the report's cycle runs; nothing where nobody looks."""
    with moving(console, title, partial(_moment, report)):
        yield


@contextmanager
def moving(console: Console, title: str, moment: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """The same for any work; `moment` gives the line's text (`n`), and how far the work has come."""
    if not console.is_terminal:
        yield
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(20),
        TextColumn("{task.fields[n]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(title, total=None, n="")
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(REFRESH):
                progress.update(task, **moment())

        watcher = threading.Thread(target=look, name="progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _moment(report: Report) -> dict[str, Any]:
    counts = report.snapshot()
    text = (
        f"{counts['listings']} listings  {counts['downloaded']} photos  "
        f"{counts['uploaded']} uploaded  {_bytes(counts['bytes'])}"
    )
    return {"total": report.todo or None, "completed": counts["manifests"], "n": text}


def _bytes(amount: int) -> str:
    size = float(amount)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
