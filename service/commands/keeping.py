"""audit, sweep and rebuild: whether bucket and catalog agree, and what brings them together again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Protocol, TypeVar

import typer

from service.bootstrap import House, lists_photos, open_house
from service.commands.options import (
    DEFAULT_FILE,
    AsJson,
    ConfigFile,
    Feeds,
    LogLevel,
    chosen,
    load,
    print_json,
)
from service.daemon import catch_signals
from service.errors import ServiceError
from service.ingest.audit import AuditReport, audit_feed
from service.ingest.feed import Feed
from service.ingest.mending import Mending
from service.ingest.rebuild import RebuildReport, rebuild_feed
from service.ingest.report import Report
from service.ingest.sweep import sweep as sweep_feed
from service.ingest.tenure import working_on
from service.logs import visible
from service.terminal import Counted, counts_table, moving, new_console

Deep = Annotated[bool, typer.Option("--deep", help="Read every object, and compare its sha256 and headers.")]
IsRepair = Annotated[
    bool,
    typer.Option(
        "--repair", help="Write, fetch (in the next cycle) or queue for deletion what is not right."
    ),
]

SHOWN = 50
"""Lines about single objects under the table; --json has up to 10,000."""


class Told(Counted, Protocol):
    """A report that may hold an error."""

    error: str | None


Some = TypeVar("Some", bound=Told)


def audit(
    feeds: Feeds = None,
    deep: Deep = False,
    repair: IsRepair = False,
    config: ConfigFile = DEFAULT_FILE,
    as_json: AsJson = False,
    log_level: LogLevel = "warning",
) -> None:
    """Compare catalog, manifests and bucket. Exit 1 when something is not right, and was not mended."""
    settings = load(config, log_level)

    def look(feed: Feed, report: AuditReport, stop: threading.Event) -> None:
        mending = Mending(lists_photos(settings.feeds[feed.name])) if repair else None
        audit_feed(feed, report, stop, deep=deep, repair=mending, patience=_patience(feed))

    with open_house(settings) as house:
        reports = _each(house, chosen(settings, feeds), AuditReport, look)
    if as_json:
        print_json(
            [_document(report) | {"differences": list(map(asdict, report.differences))} for report in reports]
        )
    else:
        new_console().print(counts_table(reports))
        _print_lines(
            [
                f"{found.kind}: {found.key}: {found.why} ({found.mend})"
                for report in reports
                for found in report.differences
            ]
        )
    _end(reports)


def sweep(
    feeds: Feeds = None,
    config: ConfigFile = DEFAULT_FILE,
    as_json: AsJson = False,
    log_level: LogLevel = "warning",
) -> None:
    """Delete now what no set needs and whose grace period is over; every cycle does so at its end."""
    settings = load(config, log_level)
    with open_house(settings) as house:
        reports = _each(house, chosen(settings, feeds), Report, _sweep)
    if as_json:
        print_json([_document(report) for report in reports])
    else:
        for report in reports:
            typer.echo(f"{report.feed}: {report.snapshot()['swept']} objects deleted")
    _end(reports)


def rebuild(
    feeds: Feeds = None,
    config: ConfigFile = DEFAULT_FILE,
    as_json: AsJson = False,
    log_level: LogLevel = "warning",
) -> None:
    """Restore a lost catalog from the manifests in the bucket, where they are newer than its rows."""
    settings = load(config, log_level)

    def restore(feed: Feed, report: RebuildReport, stop: threading.Event) -> None:
        rebuild_feed(feed, report, stop, patience=_patience(feed))

    with open_house(settings) as house:
        reports = _each(house, chosen(settings, feeds), RebuildReport, restore)
    if as_json:
        print_json([_document(report) | {"skipped": report.skipped} for report in reports])
    else:
        new_console().print(counts_table(reports))
        _print_lines([f"{key}: {why}" for report in reports for key, why in report.skipped.items()])
    _end(reports)


def _sweep(feed: Feed, report: Report, stop: threading.Event) -> None:
    try:
        with working_on(feed, stop, patience=_patience(feed)) as mine:
            if mine is not None:
                sweep_feed(mine, report)
    except ServiceError as error:
        report.error = str(error)


def _patience(feed: Feed) -> timedelta:
    """As long as a process that was killed a moment ago keeps the feed, and one look more."""
    return feed.lease * 1.2


def _each(
    house: House,
    names: list[str],
    new_report: Callable[[str], Some],
    work: Callable[[Feed, Some, threading.Event], None],
) -> list[Some]:
    """The work on each feed, with a line that moves meanwhile. A signal ends it early."""
    stop = threading.Event()
    catch_signals(stop)
    reports: list[Some] = []
    for name in names:
        report = new_report(name)
        with _watching(report):
            work(house.feed(name), report, stop)
        reports.append(report)
    return reports


@contextmanager
def _watching(report: Told) -> Iterator[None]:
    def moment() -> dict[str, Any]:
        return {"n": "  ".join(f"{amount} {name}" for name, amount in report.snapshot().items() if amount)}

    with moving(new_console(stderr=True), report.feed, moment):
        yield


def _document(report: Told) -> dict[str, Any]:
    return {
        "feed": report.feed,
        "ok": report.ok,
        "counts": report.snapshot(),
        "error": report.error,
        "seconds": round(report.seconds, 3),
    }


def _print_lines(lines: list[str]) -> None:
    """One per object, whole: it is to be found, and copied."""
    for line in lines[:SHOWN]:
        typer.echo(visible(line))
    if len(lines) > SHOWN:
        typer.echo(f"and more: {len(lines) - SHOWN} of them in --json")


def _end(reports: list[Some]) -> None:
    for report in reports:
        if report.error:
            typer.echo(f"error: {visible(report.error)}", err=True)
    raise typer.Exit(0 if all(report.ok for report in reports) else 1)
