"""run, once and plan: the daemon, one cycle by hand, and what a cycle would do."""

import threading
from dataclasses import asdict
from typing import Annotated, Any

import typer

from service.bootstrap import House, catalog_of, open_house, rules_of, source_of, utc_now
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
from service.daemon import Daemon, catch_signals
from service.ingest.cycle import run_cycle
from service.ingest.preview import Preview, preview
from service.ingest.report import Report
from service.terminal import cycle_table, live, new_console, plan_table, row_of


def run(config: ConfigFile = DEFAULT_FILE, log_level: LogLevel = "info") -> None:
    """The daemon: every feed on its own interval, until SIGTERM or SIGINT."""
    settings = load(config, log_level)
    with open_house(settings) as house:
        Daemon(house).run()


def once(
    feeds: Feeds = None,
    config: ConfigFile = DEFAULT_FILE,
    allow_purge: Annotated[
        list[str] | None, typer.Option(help="Let this feed lose, this once, what its guards hold.")
    ] = None,
    as_json: AsJson = False,
    log_level: LogLevel = "warning",
) -> None:
    """One cycle of all or the named feeds. Exit 1 when something failed."""
    settings = load(config, log_level)
    names = chosen(settings, feeds)
    purgeable = set(chosen(settings, allow_purge)) if allow_purge else set()
    stop = threading.Event()
    catch_signals(stop)
    with open_house(settings) as house:
        reports = [_one_cycle(house, name, stop, purge=name in purgeable) for name in names]
    if as_json:
        print_json([_document(report) for report in reports])
    else:
        rows = [row_of(report) for report in reports]
        console = new_console()
        console.print(cycle_table(("feed",), rows))
        for row in rows:
            if row.note:
                console.print(f"{row.names[0]}: {row.note}", style="yellow", markup=False)
    raise typer.Exit(0 if all(report.ok for report in reports) else 1)


def _one_cycle(house: House, name: str, stop: threading.Event, *, purge: bool) -> Report:
    report = Report(name)
    with live(new_console(stderr=True), report, name):
        feed = house.feed(name)
        # As long as a process that was killed a moment ago keeps the feed, and one look more.
        return run_cycle(feed, report, stop, allow_purge=purge, patience=feed.lease * 1.2)


def plan(feeds: Feeds = None, config: ConfigFile = DEFAULT_FILE, as_json: AsJson = False) -> None:
    """What a cycle would do. Asks the feed, changes nothing."""
    settings = load(config)
    previews: list[Preview] = []
    with catalog_of(settings) as catalog:
        for name in chosen(settings, feeds):
            source = source_of(name, settings.feeds[name])
            previews += preview(name, source, catalog, rules_of(settings.feeds[name]), utc_now())
    if as_json:
        print_json([asdict(entry) for entry in previews])
    else:
        new_console().print(plan_table(previews))


def _document(report: Report) -> dict[str, Any]:
    return {
        "feed": report.feed,
        "ok": report.ok,
        "counts": report.snapshot(),
        "owed": report.owed,
        "held": report.held,
        "error": report.error,
        "seconds": round(report.seconds, 3),
    }
