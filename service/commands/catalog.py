"""status and migrate: what the catalog knows, and its tables."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer

from service.bootstrap import catalog_of, utc_now
from service.commands.options import DEFAULT_FILE, AsJson, ConfigFile, load, print_json
from service.core.ports import FeedStatus, Owed
from service.stores.catalog import migrate as migrate_catalog
from service.terminal import new_console, parked_table, status_table

Check = Annotated[
    bool, typer.Option("--check", help="Exit 1 when a feed had no success for three intervals.")
]


def status(config: ConfigFile = DEFAULT_FILE, as_json: AsJson = False, check: Check = False) -> None:
    """Feeds, their last success, backlog and parked listings."""
    settings = load(config)
    with catalog_of(settings) as catalog:
        feeds = [catalog.status(name) for name in settings.feeds]
        parked = {feed.feed: catalog.parked(feed.feed) for feed in feeds if feed.parked}
    late = [feed.feed for feed in feeds if _is_late(feed, settings.feeds[feed.feed].interval)]
    if as_json:
        rows = {name: [_parked(owed) for owed in listings] for name, listings in parked.items()}
        print_json({"feeds": [asdict(feed) for feed in feeds], "parked": rows, "late": late})
    else:
        console = new_console()
        console.print(status_table(feeds))
        if parked:
            console.print(parked_table(parked))
    if check and late:
        typer.echo(f"late: {', '.join(late)}", err=True)
        raise typer.Exit(1)


def migrate(config: ConfigFile = DEFAULT_FILE) -> None:
    """Bring the catalog's tables up to date (SQLite does it by itself)."""
    settings = load(config).catalog
    password = settings.password.get_secret_value() if settings.password else None
    migrate_catalog(settings.url, password)
    typer.echo("the catalog is up to date")


def _is_late(feed: FeedStatus, interval: timedelta) -> bool:
    """Whether a feed that has been started went three intervals without a success."""
    if feed.last_started is None or (feed.last_error is None and feed.last_success is None):
        return False
    return feed.last_success is None or utc_now() - feed.last_success > 3 * interval


def _parked(owed: Owed) -> dict[str, Any]:
    listing = owed.said.key
    return {"listing": listing, "attempts": owed.attempts, "next_attempt": owed.due_at, "why": owed.why}
