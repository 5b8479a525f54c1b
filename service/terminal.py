"""What people see: tables at the end, a live line while work goes on. Machines ask for --json."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from service.core.ports import FeedStatus, Owed
from service.ingest.preview import Preview
from service.ingest.report import Report

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
    return Row((report.feed,), report.snapshot(), report.seconds, report.ok, note)


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
        table.add_row(*row.names, *numbers, _bytes(row.counts["bytes"]), f"{row.seconds:.2f}", mark)
    return table


def status_table(feeds: Sequence[FeedStatus]) -> Table:
    """Feeds with their last success, backlog and parked listings."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("feed", "last success", "cursor"):
        table.add_column(head)
    for head in ("listings", "photos", "backlog", "parked"):
        table.add_column(head, justify="right")
    table.add_column("last error", overflow="fold")
    for feed in feeds:
        success = feed.last_success.isoformat(timespec="seconds") if feed.last_success else "never"
        numbers = (str(n) for n in (feed.listings, feed.photos, feed.owed, feed.parked))
        table.add_row(feed.feed, success, feed.cursor or "", *numbers, feed.last_error or "")
    return table


def parked_table(parked: Mapping[str, Sequence[Owed]]) -> Table:
    """Parked listings with their reasons."""
    table = Table(box=None, pad_edge=False, header_style="bold", title="parked", title_justify="left")
    for head in ("feed", "listing", "attempts", "next attempt", "why"):
        table.add_column(head, overflow="fold")
    for feed, listings in parked.items():
        for owed in listings:
            due = owed.due_at.isoformat(timespec="seconds") if owed.due_at else ""
            table.add_row(feed, owed.said.key, str(owed.attempts), due, owed.why)
    return table


def plan_table(previews: Sequence[Preview]) -> Table:
    """What a cycle would do, a line per listing that it would work on."""
    table = Table(
        box=None, pad_edge=False, header_style="bold", caption=f"{len(previews)} listings to work on"
    )
    for head in ("feed", "listing", "why", "photos to ask for", "stored", "photos to remove"):
        table.add_column(head, overflow="fold")
    for entry in previews:
        removed = ", ".join(entry.removed)
        table.add_row(entry.feed, entry.listing, entry.reason, entry.ask, str(entry.stored), removed)
    return table


@contextmanager
def live(console: Console, report: Report, title: str) -> Iterator[None]:
    """A line that moves while the report's cycle runs; nothing where nobody looks."""
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
                progress.update(task, **_moment(report))

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
