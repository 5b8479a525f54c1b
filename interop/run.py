"""python -m interop: clients that others wrote use the loopback RETS server.

Whether the server is right is decided by the reference alone: requests and requests_toolbelt must get
exactly what a feed holds. What another client does not get then is knowledge about that client.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from interop.clients import CLIENTS, REFERENCE, Client, Driver, Skip, last_error
from interop.feeds import ROOT, Feed, plain_feed, recorded_feeds
from interop.verdict import Told, differences, server_faults
from service.commands.options import fail
from service.errors import ServiceError
from service.simulator.fixture import load_fixture
from service.terminal import new_console

FIXTURES = ROOT / "fixtures"
FOLDER = ROOT / ".interop"
"""Where the clients are installed; it may be deleted at any time."""

VISIT_SECONDS = 120
NO_PROXY = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
"""Loopback is reached directly, whatever leads to the registries."""
REFERENCE_NAME = "requests + toolbelt"

EXACT, DIFFERS, SKIPPED, WRONG = "exact", "differs", "skipped", "server wrong"
COLOURS = {EXACT: "green", DIFFERS: "yellow", SKIPPED: "cyan", WRONG: "red"}


@dataclass(frozen=True, slots=True)
class Row:
    """One client at one feed; `photos` is how many it got, of how many."""

    client: str
    feed: str
    result: str
    photos: str
    what: tuple[str, ...] = ()


def visits(clients: Sequence[Client], fixtures: Sequence[Path], folder: Path) -> Iterator[Row]:
    """Every client at every feed, the reference first."""
    chosen = [load_fixture(path) for path in fixtures]
    with ExitStack() as stack:
        feeds = stack.enter_context(recorded_feeds(chosen, fixtures))
        feeds.append(stack.enter_context(plain_feed(chosen)))
        readings = [visit(REFERENCE, feed) for feed in feeds]
        for feed, reading in zip(feeds, readings, strict=True):
            faults = server_faults(reading, feed.expected)
            result = WRONG if faults else EXACT
            yield Row(REFERENCE_NAME, feed.name, result, _share(reading, reading), tuple(faults))
        for client in clients:
            try:
                driver = client.prepare(folder / client.title.replace(" ", "-"))
            except Skip as why:
                yield Row(client.title, "", SKIPPED, "", (str(why),))
                continue
            for feed, reading in zip(feeds, readings, strict=True):
                told = visit(driver, feed)
                found = differences(told, reading)
                result = DIFFERS if found else EXACT
                yield Row(client.title, feed.name, result, _share(told, reading), tuple(found))


def _share(told: Told, reading: Told) -> str:
    got = (Counter(told.photos) & Counter(reading.photos)).total()
    return f"{got} of {len(reading.photos)}"


def visit(driver: Driver, feed: Feed) -> Told:
    """Run a driver in a process of its own."""
    try:
        done = subprocess.run(  # noqa: S603 - a driver of ours, in the environment made for it
            driver.command,
            cwd=ROOT,
            env={**os.environ, **NO_PROXY, **driver.environment},
            input=json.dumps(asdict(feed.task)),
            capture_output=True,
            text=True,
            timeout=VISIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Told.nothing(f"no end within {VISIT_SECONDS} s")
    if done.returncode or not done.stdout.strip():
        return Told.nothing(last_error(done.stderr) or f"exit code {done.returncode}")
    return Told.read(done.stdout.splitlines()[-1])


def report(rows: Sequence[Row], console: Console) -> int:
    """Print the table; returns the exit code: 1 when the server was wrong."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("client", "feed", "result", "photos"):
        table.add_column(head, no_wrap=True)
    table.add_column("what", overflow="fold")
    for row in rows:
        result = f"[{COLOURS[row.result]}]{row.result}[/]"
        table.add_row(row.client, row.feed, result, row.photos, escape("\n".join(row.what)))
    console.print(table)
    counts = Counter(row.result for row in rows)
    console.print("\n" + ", ".join(f"{result}: {counts[result]}" for result in COLOURS), highlight=False)
    return int(counts[WRONG] > 0)


def recorded() -> list[Path]:
    """The fixtures whose answers hold pictures: no client here fetches what is only pointed to."""
    folders = sorted(path.parent for path in FIXTURES.glob("*/feed.toml"))
    settings = {folder: load_fixture(folder).settings for folder in folders}
    return [
        folder for folder, said in settings.items() if said["kind"] == "rets" and not said.get("location")
    ]


def main() -> None:
    """The command. Exit codes: 0 the server was right, 1 it was not, 2 it could not be started."""
    fixtures = recorded()
    console, rows = new_console(), []
    try:
        with console.status("installing clients and visiting feeds") as status:
            for row in visits(CLIENTS, fixtures, FOLDER):
                rows.append(row)
                status.update(f"{row.client} {row.feed} {row.result}")
    except ServiceError as error:
        fail(error, 2)
    raise SystemExit(report(rows, console))
