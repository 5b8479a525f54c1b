"""status and migrate: what the catalog knows, and its tables."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from service.bootstrap import catalog_of, utc_now
from service.commands.options import DEFAULT_FILE, AsJson, ConfigFile, load, print_json
from service.core.ports import Holder, Owed
from service.stores.catalog import migrate as migrate_catalog
from service.terminal import holds_table, new_console, parked_table, status_table

Check = Annotated[
    bool, typer.Option("--check", help="Exit 1 when a feed had no success for three intervals.")
]


Parked = Annotated[
    bool, typer.Option("--parked", help="Only parked listings, with what came instead of their photos.")
]


def status(
    config: ConfigFile = DEFAULT_FILE, as_json: AsJson = False, check: Check = False, parked: Parked = False
) -> None:
    """Feeds, their last success and backlog, what guards hold, and parked listings."""
    settings = load(config)
    with catalog_of(settings) as catalog:
        feeds = [catalog.status(name) for name in settings.feeds]
        waiting = {feed.feed: catalog.parked(feed.feed) for feed in feeds if feed.parked}
        holds = [hold for name in settings.feeds for hold in catalog.holds(name)]
        holders = {name: holder for name in settings.feeds if (holder := catalog.holder(name))}
    late = [feed.feed for feed in feeds if feed.is_late(settings.feeds[feed.feed].interval, utc_now())]
    if as_json:
        print_json(
            {
                "feeds": [asdict(feed) for feed in feeds],
                "holds": [asdict(hold) for hold in holds],
                "parked": {name: [_parked(owed) for owed in listings] for name, listings in waiting.items()},
                "late": late,
                "holders": {name: asdict(holder) for name, holder in holders.items()},
            }
        )
    elif parked:
        new_console().print(parked_table(waiting, evidence=True))
    else:
        console = new_console()
        console.print(status_table(feeds))
        for name, holder in holders.items():
            console.print(f"{name}: {_at_work(holder)}", markup=False)
        if holds:
            console.print(holds_table(holds))
        if waiting:
            console.print(parked_table(waiting))
    if check and late:
        typer.echo(f"late: {', '.join(late)}", err=True)
        raise typer.Exit(1)


def migrate(config: ConfigFile = DEFAULT_FILE) -> None:
    """Bring the catalog's tables up to date (SQLite does it by itself)."""
    settings = load(config).catalog
    password = settings.password.get_secret_value() if settings.password else None
    migrate_catalog(settings.url, password)
    typer.echo("the catalog is up to date")


def _at_work(holder: Holder) -> str:
    since, heard = (time.isoformat(timespec="seconds") for time in (holder.since, holder.heard))
    if holder.lapsed:
        return f"{holder.who} worked on it and died after {heard}; whoever comes next takes over"
    return f"{holder.who} works on it since {since}, last heard of {heard}"


def _parked(owed: Owed) -> dict[str, Any]:
    return {
        "listing": owed.said.key,
        "attempts": owed.attempts,
        "next_attempt": owed.due_at,
        "why": owed.why,
        "evidence": owed.evidence,
        "guard": owed.guard,
    }
