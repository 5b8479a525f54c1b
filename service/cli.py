"""python -m service run | once | plan | status | migrate.

Exit codes: 0 all is well, 1 something failed (a photo, a listing, a feed), 2 the command or the
configuration is wrong, 128 + n ended by a second signal n.
"""

import json
import sys
import threading
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from service.bootstrap import House, catalog_of, open_house, rules_of, secrets_of, source_of, utc_now
from service.config import Config, load_config
from service.core.ports import FeedStatus, Owed
from service.daemon import Daemon, catch_signals
from service.errors import ConfigError, ServiceError
from service.ingest.cycle import run_cycle
from service.ingest.preview import Preview, preview
from service.ingest.report import Report
from service.logs import set_up_logs
from service.stores.catalog import migrate as migrate_catalog
from service.terminal import cycle_table, live, new_console, parked_table, plan_table, row_of, status_table

app = typer.Typer(
    help="Keeps an S3 bucket in step with the photos of MLS feeds.",
    epilog="Exit codes: 0 all is well, 1 something failed, 2 the command or the configuration is wrong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and those may be secrets
)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The TOML file; see the README.")]
Feeds = Annotated[list[str] | None, typer.Argument(help="Feed names; all feeds if none is given.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]
Check = Annotated[
    bool, typer.Option("--check", help="Exit 1 when a feed had no success for three intervals.")
]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]

DEFAULT_FILE = Path("listing-photos.toml")


@app.command()
def run(config: ConfigFile = DEFAULT_FILE, log_level: LogLevel = "info") -> None:
    """The daemon: every feed on its own interval, until SIGTERM or SIGINT."""
    settings = _load(config, log_level)
    with open_house(settings) as house:
        Daemon(house).run()


@app.command()
def once(
    feeds: Feeds = None,
    config: ConfigFile = DEFAULT_FILE,
    allow_purge: Annotated[
        list[str] | None, typer.Option(help="Let this feed lose more listings than purge_share, this once.")
    ] = None,
    as_json: AsJson = False,
    log_level: LogLevel = "warning",
) -> None:
    """One cycle of all or the named feeds. Exit 1 when something failed."""
    settings = _load(config, log_level)
    names = _chosen(settings, feeds)
    purgeable = set(_chosen(settings, allow_purge)) if allow_purge else set()
    stop = threading.Event()
    catch_signals(stop)
    with open_house(settings) as house:
        reports = [_one_cycle(house, name, stop, purge=name in purgeable) for name in names]
    if as_json:
        _print_json([_document(report) for report in reports])
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
        return run_cycle(house.feed(name), report, stop, allow_purge=purge)


@app.command()
def plan(feeds: Feeds = None, config: ConfigFile = DEFAULT_FILE, as_json: AsJson = False) -> None:
    """What a cycle would do. Asks the feed, changes nothing."""
    settings = _load(config, "warning")
    previews: list[Preview] = []
    with catalog_of(settings) as catalog:
        for name in _chosen(settings, feeds):
            source = source_of(name, settings.feeds[name])
            previews += preview(name, source, catalog, rules_of(settings.feeds[name]), utc_now())
    if as_json:
        _print_json([asdict(entry) for entry in previews])
    else:
        new_console().print(plan_table(previews))


@app.command()
def status(config: ConfigFile = DEFAULT_FILE, as_json: AsJson = False, check: Check = False) -> None:
    """Feeds, their last success, backlog and parked listings."""
    settings = _load(config, "warning")
    with catalog_of(settings) as catalog:
        feeds = [catalog.status(name) for name in settings.feeds]
        parked = {feed.feed: catalog.parked(feed.feed) for feed in feeds if feed.parked}
    late = [feed.feed for feed in feeds if _is_late(feed, settings.feeds[feed.feed].interval)]
    if as_json:
        rows = {name: [_parked(owed) for owed in listings] for name, listings in parked.items()}
        _print_json({"feeds": [asdict(feed) for feed in feeds], "parked": rows, "late": late})
    else:
        console = new_console()
        console.print(status_table(feeds))
        if parked:
            console.print(parked_table(parked))
    if check and late:
        typer.echo(f"late: {', '.join(late)}", err=True)
        raise typer.Exit(1)


@app.command()
def migrate(config: ConfigFile = DEFAULT_FILE) -> None:
    """Bring the catalog's tables up to date (SQLite does it by itself)."""
    settings = _load(config, "warning").catalog
    password = settings.password.get_secret_value() if settings.password else None
    migrate_catalog(settings.url, password)
    typer.echo("the catalog is up to date")


def main() -> None:
    """The command line, without tracebacks for what a user can mend."""
    try:
        app()
    except ConfigError as error:
        fail(error, 2)
    except ServiceError as error:
        fail(error, 1)


def fail(error: ServiceError, code: int) -> NoReturn:
    """Say it on standard error, a line per mistake, and end with this code."""
    for line in str(error).splitlines():
        typer.echo(f"error: {line}", err=True)
    sys.exit(code)


def _load(path: Path, log_level: str) -> Config:
    settings = load_config(path)
    set_up_logs(secrets_of(settings), level=log_level)
    return settings


def _chosen(settings: Config, names: list[str] | None) -> list[str]:
    for name in names or ():
        if name not in settings.feeds:
            raise ConfigError(f"no feed {name!r} in the configuration (allowed: {', '.join(settings.feeds)})")
    return names or list(settings.feeds)


def _is_late(feed: FeedStatus, interval: timedelta) -> bool:
    """Whether a feed that has been started went three intervals without a success."""
    if feed.last_started is None or (feed.last_error is None and feed.last_success is None):
        return False
    return feed.last_success is None or utc_now() - feed.last_success > 3 * interval


def _parked(owed: Owed) -> dict[str, Any]:
    listing = owed.said.key
    return {"listing": listing, "attempts": owed.attempts, "next_attempt": owed.due_at, "why": owed.why}


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


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, default=str, ensure_ascii=False, indent=2))
