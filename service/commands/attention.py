"""retry, undelete and allow-purge: an operator's word about one feed.

They only write to the catalog. A running daemon hears of it within seconds; without one it counts for
the next `once`.
"""

from dataclasses import asdict
from typing import Annotated

import typer

from service.bootstrap import catalog_of, utc_now
from service.commands.options import DEFAULT_FILE, AsJson, ConfigFile, chosen, load, print_json
from service.errors import ServiceError
from service.terminal import kept_table, new_console

Feed = Annotated[str, typer.Argument(help="The feed's name.")]
Listing = Annotated[str | None, typer.Argument(help="The listing's key, as the feed spells it.")]
Generation = Annotated[
    int | None, typer.Option(help="The generation to bring back; the newest that is kept if none is given.")
]
Release = Annotated[bool, typer.Option("--release", help="Follow the feed again in what was undeleted.")]


def retry(feed: Feed, listing: Listing = None, config: ConfigFile = DEFAULT_FILE) -> None:
    """Try again now: a listing that waits or is parked, or all of a feed, one that has stopped included."""
    settings = load(config)
    chosen(settings, [feed])
    with catalog_of(settings) as catalog:
        due = catalog.retry(feed, listing, utc_now())
    if listing is not None and not due:
        raise ServiceError("nothing is owed, so there is nothing to retry", feed=feed, listing=listing)
    typer.echo(f"{feed}: {due} listings are due")


def undelete(
    feed: Feed,
    listing: Listing = None,
    generation: Generation = None,
    release: Release = False,
    config: ConfigFile = DEFAULT_FILE,
    as_json: AsJson = False,
) -> None:
    """Bring back a removed listing, or an earlier set of photos; without a listing, show what can be.

    It is kept against the feed's word until the feed has as much again, or until --release.
    """
    settings = load(config)
    chosen(settings, [feed])
    with catalog_of(settings) as catalog:
        if listing is None:
            kept = catalog.kept_sets(feed)
            if as_json:
                print_json([asdict(entry) for entry in kept])
            else:
                new_console().print(kept_table(kept))
        elif release:
            if not catalog.release(feed, listing, utc_now()):
                raise ServiceError("it was not undeleted", feed=feed, listing=listing)
            typer.echo(f"{feed}: listing {listing} follows the feed again")
        else:
            now = utc_now()
            back = catalog.undelete(feed, listing, generation, now, now + settings.feeds[feed].delete_after)
            typer.echo(
                f"{feed}: listing {listing} has its {len(back.photos)} photos again, as generation "
                f"{back.generation}; readers see them with the next cycle"
            )


def allow_purge(feed: Feed, config: ConfigFile = DEFAULT_FILE) -> None:
    """Let the feed lose, once, what its guards hold; `status` tells what that is."""
    settings = load(config)
    chosen(settings, [feed])
    with catalog_of(settings) as catalog:
        catalog.allow_purge(feed, utc_now())
        for hold in catalog.holds(feed):
            typer.echo(f"{feed}: {hold.guard}: {hold.why}")
    typer.echo(f"{feed}: the next cycle that goes well may remove what is held")
