"""What is to be recorded: which feed, with which settings, as which step of which fixture."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parsers.rets.dmql import query_of_keys
from service.bootstrap import source_of
from service.config import Config, check_config
from service.errors import ConfigError, ServiceError
from service.recording.files import PRIVATE, feed_table
from service.recording.scrub import Scrubber
from service.rets_config import RetsFeed
from service.simulator.fixture import Fixture, load_fixture

FIRST, LATER = "first-load", "next-cycle"
"""Names of steps, where none is given."""


@dataclass(frozen=True)
class Take:
    """One recording. `step` is the folder's name, number and all; `earlier` the fixture so far."""

    feed: str
    settings: RetsFeed
    out: Path
    step: str
    earlier: Fixture | None
    people: bool


def plan_take(
    config: Config, feed: str, out: Path, *, step: str | None, listings: int | None, people: bool
) -> Take:
    """Check what is wanted; with `listings`, ask the feed for their keys. Raises ConfigError."""
    if feed not in config.feeds:
        raise ConfigError(f"no feed {feed!r} in the configuration (allowed: {', '.join(config.feeds)})")
    account, earlier = _rets(config, feed), _earlier(out)
    name = _step_name(step, earlier)
    table = dict(earlier.settings) if earlier else feed_table(account)
    settings = _with_account(feed, account, table)
    _with_account(out.name, account, table)  # in every replay the folder's name is the feed's
    if listings and earlier is None:
        settings = _with_account(feed, account, {**table, **_narrowed(feed, settings, listings)})
    return Take(feed, settings, out, name, earlier, people)


def _rets(config: Config, feed: str) -> RetsFeed:
    settings = config.feeds[feed]
    if not isinstance(settings, RetsFeed):
        raise ConfigError(f"feeds.{feed}.kind: {settings.kind} cannot be recorded (allowed: rets)")
    return settings


def _earlier(out: Path) -> Fixture | None:
    """The fixture that is there; None where there is nothing."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    return load_fixture(out)


def _step_name(step: str | None, earlier: Fixture | None) -> str:
    steps = earlier.steps if earlier else ()
    name = step or (LATER if steps else FIRST)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ConfigError(f"--step {name!r}: allowed: small letters, digits and -")
    numbered = f"{len(steps) + 1:02d}-{name}"
    if steps and numbered <= steps[-1].name:
        raise ConfigError(f"a step {numbered} would be played before {steps[-1].name}", hint="rename a step")
    return numbered


def _with_account(feed: str, account: RetsFeed, table: Mapping[str, Any]) -> RetsFeed:
    """The fixture's settings with what is the live account's own."""
    own = {name: getattr(account, name) for name in PRIVATE}
    settings = _rets(check_config({"feeds": {feed: {**table, **own}}}, "record"), feed)
    scrubber = Scrubber.of_feed(account)
    for name, value in table.items():
        if isinstance(value, str) and scrubber.knows(value):
            raise ConfigError(
                f"feeds.{feed}.{name} names the account or its host, and would stand in the fixture"
            )
    return settings


def _narrowed(feed: str, settings: RetsFeed, count: int) -> dict[str, str]:
    """Queries that find the first listings of the feed, and no others."""
    key = "ID" if settings.search_format == "STANDARD-XML" else settings.fields.listing
    everything = settings.keys_query or f"({key}=*)"
    any_key = re.search(r"\((\w+)=\*\)", everything)
    if any_key is None:
        raise ConfigError(f"--listings names keys in the place of (...=*) in feeds.{feed}.keys_query")
    keys = _first_keys(feed, settings, count)
    if not keys:
        raise ServiceError("the search found no listing", feed=feed)
    query = everything.replace(any_key[0], query_of_keys(any_key[1], keys))
    return {"query": query, "keys_query": query}


def _first_keys(feed: str, settings: RetsFeed, count: int) -> list[str]:
    source, keys = source_of(feed, settings), dict[str, None]()
    try:
        source.open()
        for page in source.changes(None):
            keys.update((said.key, None) for said in page.listings)
            if len(keys) >= count:
                break
    finally:
        source.close()
    return list(keys)[:count]
