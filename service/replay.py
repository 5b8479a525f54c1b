"""python -m service.replay: recorded feeds, played by a loopback server, through the real ingest path.

Nothing is faked on the way: real HTTP with Digest and cookies, the S3 server, the catalog. Each
step of a fixture is one cycle, a day after the step before; its result is held against the
fixture's expected one. A store that has seen a fixture before gets only its last step again, and
then nothing may be downloaded or uploaded.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console

from service.bootstrap import House, open_house, secrets_of, utc_now
from service.commands.options import new_app, run_app
from service.config import Config, check_config
from service.core.photos import segment
from service.daemon import catch_signals
from service.expectations import bucket_differences, differences
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.logs import set_up_logs
from service.simulator.fixture import Fixture, FixtureAnswers, Step, load_fixture
from service.simulator.fixture_site import ASKED, own_settings, site_of
from service.simulator.server import LoopbackServer
from service.terminal import Row, cycle_table, live, new_console

FIXTURES = Path(__file__).parent.parent / "fixtures"

PLAYED = "replay"
"""The catalog's mark for the last step that was played into it."""

STEP_TIME = timedelta(days=1)
"""Between two steps: longer than every wait of a feed, so that what is owed is due at the next one."""


@dataclass
class Played:
    """One step's result."""

    feed: str
    step: str
    report: Report
    differences: list[str] = field(default_factory=list)


class ReplayClock:
    """The time that the house sees: the last step is now, each earlier one a day before the next."""

    def __init__(self) -> None:
        self._shift = timedelta()

    def __call__(self) -> datetime:
        """UTC now, shifted to the step."""
        return utc_now() - self._shift

    def set_steps_to_go(self, steps: int) -> None:
        """Go to the day of the step that has this many after it."""
        self._shift = steps * STEP_TIME


def chosen_fixtures(names: Sequence[str] | None) -> list[Fixture]:
    """The fixtures named (folders, or names below fixtures/), all of them if none is."""
    if not names:
        return [load_fixture(path.parent) for path in sorted(FIXTURES.glob("*/feed.toml"))]
    return [load_fixture(Path(name) if Path(name).is_dir() else FIXTURES / name) for name in names]


def replay_config(fixtures: Sequence[Fixture], server: LoopbackServer, store: str, catalog: str) -> Config:
    """A production configuration whose feeds are the fixtures behind the loopback server."""
    feeds = {fixture.name: {**fixture.settings, **own_settings(fixture, server)} for fixture in fixtures}
    keys = {} if store.startswith("embedded:") else _S3_KEYS
    given = {"store": {"url": store, **keys}, "catalog": {"url": catalog}, "feeds": feeds}
    return check_config(given, "replay")


_S3_KEYS = {"access_key_env": "S3_ACCESS_KEY", "secret_key_env": "S3_SECRET_KEY"}


@dataclass(frozen=True)
class Stage:
    """Everything that a step needs to be played."""

    server: LoopbackServer
    players: dict[str, FixtureAnswers]
    house: House
    clock: ReplayClock
    console: Console
    stop: threading.Event


def play_all(stage: Stage, fixtures: Sequence[Fixture]) -> Iterator[Played]:
    """Every step of every fixture that the store has not seen; at least the last one of each."""
    for fixture in fixtures:
        for step, again in _steps_to_play(fixture, stage.house):
            if stage.stop.is_set():
                return
            stage.clock.set_steps_to_go(len(fixture.steps) - 1 - fixture.steps.index(step))
            stage.players[fixture.name].play(step)
            yield _play(stage, fixture, step, again=again)


def _steps_to_play(fixture: Fixture, house: House) -> list[tuple[Step, bool]]:
    names = [step.name for step in fixture.steps]
    played = house.catalog.mark(fixture.name, PLAYED)
    if played in names:
        to_come = fixture.steps[names.index(played) + 1 :]
        return [(step, False) for step in to_come] or [(fixture.steps[-1], True)]
    return [(step, False) for step in fixture.steps]


def _play(stage: Stage, fixture: Fixture, step: Step, *, again: bool) -> Played:
    report, house = Report(fixture.name), stage.house
    before = len(stage.server.requests)
    with live(stage.console, report, f"{fixture.name} {step.name}"):
        run_cycle(house.feed(fixture.name), report, stage.stop)
    if again:
        found = _unneeded(report)
        found += bucket_differences(fixture.name, step.expected.listings, house.store)
        return Played(fixture.name, f"{step.name} again", report, found)
    asked = [
        seen.params[ASKED[seen.transaction]]
        for seen in stage.server.requests[before:]
        if seen.feed == fixture.name and seen.transaction in ASKED
    ]
    found = differences(fixture.name, step.expected, report, asked, house.store)
    house.catalog.set_mark(fixture.name, PLAYED, step.name)
    return Played(fixture.name, step.name, report, found)


def _unneeded(report: Report) -> list[str]:
    """A second look at a feed that has not changed moves no bytes."""
    counts = report.snapshot()
    found = [f"{name}: expected 0, got {counts[name]}" for name in ("downloaded", "uploaded") if counts[name]]
    return found if report.ok else [*found, report.error or report.held or "something is still owed"]


app = new_app()


@app.command()
def replay(
    fixtures: Annotated[
        list[str] | None, typer.Argument(help="Fixture names or folders; all of fixtures/ if none.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Another store: embedded:DIR or s3://HOST/BUCKET (S3_ACCESS_KEY, S3_SECRET_KEY)."),
    ] = None,
    catalog: Annotated[str | None, typer.Option(help="Another catalog: an SQLAlchemy URL.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    keep: Annotated[
        Path | None, typer.Option(help="Keep bucket and catalog here, and a plain copy of every object.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Only start the feed server, for any RETS client to try.")
    ] = False,
    port: Annotated[int, typer.Option(help="With --serve: the port; 0 takes a free one.")] = 0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "error",
) -> None:
    """Replay recorded feeds through the real ingest path and check every result.

    Exit codes: 0 as expected, 1 a result differs, 2 the command or a fixture is wrong.
    """
    chosen = chosen_fixtures(fixtures)
    players = {fixture.name: FixtureAnswers(fixture) for fixture in chosen}
    stop = threading.Event()
    signals = catch_signals(stop)
    console = new_console(stderr=as_json)
    with serving(chosen, players, port) as server, _state_folder(keep) as folder:
        if serve:
            _print_logins(chosen, server)
            signals.get()
            raise typer.Exit(0)
        config = replay_config(
            chosen,
            server,
            store or f"embedded:{folder / 'objects'}",
            catalog or f"sqlite:///{folder / 'catalog.db'}",
        )
        set_up_logs(secrets_of(config), level=log_level)
        with _stage(config, server, players, console, stop) as stage:
            results = list(play_all(stage, chosen))
            copies = _copy_bucket(stage.house, [*players], folder / "bucket") if keep else None
            places = _places(config, stage.house, copies)
    _print_results(results, places, console, as_json=as_json)
    raise typer.Exit(1 if stop.is_set() or any(result.differences for result in results) else 0)


@contextmanager
def _state_folder(keep: Path | None) -> Iterator[Path]:
    """Where bucket and catalog live: in the folder that is kept, or for the time of the context."""
    if keep is None:
        with TemporaryDirectory(prefix="replay-") as folder:
            yield Path(folder)
        return
    keep.mkdir(parents=True, exist_ok=True)
    yield keep


@contextmanager
def _stage(
    config: Config,
    server: LoopbackServer,
    players: dict[str, FixtureAnswers],
    console: Console,
    stop: threading.Event,
) -> Iterator[Stage]:
    clock = ReplayClock()
    with open_house(config, clock) as house:
        yield Stage(server, players, house, clock, console, stop)


@contextmanager
def serving(
    fixtures: Sequence[Fixture], players: dict[str, FixtureAnswers], port: int = 0
) -> Iterator[LoopbackServer]:
    """The loopback feed server, standing at the first step of every fixture."""
    sites = {fixture.name: site_of(fixture, players[fixture.name]) for fixture in fixtures}
    with LoopbackServer(sites, port=port) as server:
        yield server


_LABELS = {"login_url": "login URL", "username": "user name"}


def _print_logins(fixtures: Sequence[Fixture], server: LoopbackServer) -> None:
    for fixture in fixtures:
        first = fixture.steps[0]
        typer.echo(f"{fixture.name}: {fixture.title}")
        for name, value in own_settings(fixture, server).items():
            shown = value.get_secret_value() if isinstance(value, SecretStr) else value
            typer.echo(f"  {_LABELS.get(name, name):<13} {shown}")
        typer.echo("  (log in with Digest, or send a token; this server listens on loopback only)")
        typer.echo(f"  {first.name}: {first.about}")
        for exchange in first.exchanges:
            asked = " ".join(f"{name}={value}" for name, value in exchange.params.items())
            typer.echo(f"  {exchange.transaction:<11} {asked}")
    typer.echo("Ctrl-C ends it.")


def _copy_bucket(house: House, feeds: Sequence[str], folder: Path) -> Path:
    """Every object as a plain file, since an S3 server's own files are not for looking at."""
    for feed in feeds:
        for info in house.store.list(segment(feed) + "/"):
            path = folder / info.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(house.store.get(info.key))
    return folder


def _places(config: Config, house: House, copies: Path | None) -> dict[str, Any]:
    manifests = [
        info.key
        for feed in config.feeds
        for info in house.store.list(segment(feed) + "/")
        if info.key.endswith("/manifest.json")
    ]
    return {
        "bucket": config.store.url,
        "catalog": config.catalog.url,
        "copies": str(copies) if copies else None,
        "manifests": manifests,
    }


def _print_results(
    results: Sequence[Played], places: dict[str, Any], console: Console, *, as_json: bool
) -> None:
    if as_json:
        steps = [_document(result) for result in results]
        ok = not any(result.differences for result in results)
        typer.echo(json.dumps({"ok": ok, "steps": steps, **places}, ensure_ascii=False, indent=2))
        return
    rows = [
        Row(
            (result.feed, result.step),
            result.report.snapshot(),
            result.report.seconds,
            not result.differences,
        )
        for result in results
    ]
    console.print(cycle_table(("feed", "step"), rows))
    for result in results:
        for difference in result.differences:
            console.print(f"{result.feed} {result.step}: {difference}", style="red", markup=False)
    _print_places(places, console)


def _print_places(places: dict[str, Any], console: Console) -> None:
    manifests = places["manifests"]
    console.print(f"\nbucket     {places['bucket']}", highlight=False)
    console.print(f"manifests  {len(manifests)}: <feed>/<listing>/manifest.json", highlight=False)
    for key in manifests[:3]:
        console.print(f"           {key}", highlight=False)
    if places["copies"]:
        console.print(f"to look at {places['copies']} (a plain copy of every object)", highlight=False)
    else:
        console.print("           both are gone now; --keep DIR keeps them for a look", highlight=False)


def _document(result: Played) -> dict[str, Any]:
    report = result.report
    return {
        "feed": result.feed,
        "step": result.step,
        "ok": not result.differences,
        "counts": report.snapshot(),
        "owed": report.owed,
        "seconds": round(report.seconds, 3),
        "differences": result.differences,
    }


def main() -> None:
    """The command line."""
    run_app(app)


if __name__ == "__main__":
    main()
