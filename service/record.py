"""python -m service.record: a live feed -> a scrubbed fixture that `python -m service.replay` plays at once.

A real cycle runs against a store and a catalog of its own; what comes of it is what the fixture
expects. A later step begins where the steps so far end: they are replayed first.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from service.bootstrap import House, MarkedFacts, open_house, secrets_of, source_of
from service.commands.options import DEFAULT_FILE, ConfigFile, LogLevel, new_app, run_app
from service.config import check_config, load_config
from service.daemon import catch_signals
from service.errors import ConfigError, ServiceError
from service.ingest.cycle import run_cycle
from service.ingest.report import Report
from service.logs import set_up_logs
from service.recording.files import feed_table, write_exchanges, write_expected, write_feed
from service.recording.outcome import outcome
from service.recording.recorder import Recorder
from service.recording.scrub import Scrubber
from service.recording.take import Take, plan_take
from service.replay import ReplayClock, Stage, play_all, replay_config, serving
from service.simulator.fixture import Fixture, FixtureAnswers
from service.terminal import cycle_table, live, new_console, row_of

app = new_app()


@app.command()
def record(
    *,
    feed: Annotated[str, typer.Option(help="The feed's name in the configuration.")],
    out: Annotated[
        Path, typer.Option(help="The fixture's folder; if it is there, this becomes its next step.")
    ],
    config: ConfigFile = DEFAULT_FILE,
    step: Annotated[str | None, typer.Option(help="The step's name, without its number.")] = None,
    listings: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Only the first so many. The fixture's queries then name them."),
    ] = None,
    scrub_people: Annotated[
        bool, typer.Option("--scrub-people", help="Blank captions, and all fields that are not needed.")
    ] = False,
    log_level: LogLevel = "warning",
) -> None:
    """Record one cycle of a live feed as a step of a fixture.

    Always scrubbed: credentials, cookies, tokens, queries of URLs, e-mail
    addresses, the user name and the host of the feed. Pictures that come by
    URL are recorded, too; a name stands for the whole URL.

    With --scrub-people: every field but the four configured ones and the
    photos' numbers and times, and captions. Pictures are kept byte for byte,
    with what they show and what their EXIF says.

    Look through a recording before you give it away. The configuration's
    own store and catalog are not touched.

    Exit codes: 0 recorded, 1 the cycle failed (what it got is kept), 2 the command is wrong.
    """
    configured = load_config(config)
    set_up_logs(secrets_of(configured), level=log_level)
    stop = threading.Event()
    catch_signals(stop)
    take = plan_take(configured, feed, out.resolve(), step=step, listings=listings, people=scrub_people)
    report = make_step(take, stop)
    _print_result(take, report)
    raise typer.Exit(1 if report.error or report.held else 0)


def make_step(take: Take, stop: threading.Event) -> Report:
    """Run the cycle, and put the step in its place when it is all there."""
    take.out.parent.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="record-") as state,
        TemporaryDirectory(prefix=f".{take.out.name}-", dir=take.out.parent) as beside,
        _house(take, Path(state), stop) as house,
    ):
        fixture = Path(beside, "fixture")
        folder = fixture / take.step
        folder.mkdir(parents=True)
        recorder = Recorder(folder, take.settings, Scrubber.of_feed(take.settings), people=take.people)
        report = _run_cycle(take, house, recorder, stop)
        exchanges = recorder.close()
        if stop.is_set():
            raise ServiceError("interrupted; nothing was recorded", feed=take.feed)
        if not exchanges:
            raise report.stopped or ServiceError("nothing was asked of the feed", feed=take.feed)
        expected = outcome(take.feed, report, recorder.asked_ids, house.store)
        write_expected(folder / "expected.json", expected)
        write_exchanges(folder / "exchanges.toml", _about(report), exchanges)
        _put_in_place(take, fixture)
    return report


def _run_cycle(take: Take, house: House, recorder: Recorder, stop: threading.Event) -> Report:
    report = Report(take.feed)
    facts = MarkedFacts(house.catalog, take.feed)
    source = source_of(take.feed, take.settings, facts, house.now, recorder)
    feed = replace(house.feed(take.feed), source=source)
    with live(new_console(stderr=True), report, take.feed):
        return run_cycle(feed, report, stop)


def _about(report: Report) -> str:
    counts = report.snapshot()
    owed = f"; still owed: {', '.join(report.owed)}" if report.owed else ""
    return f"{counts['listings']} listings found, {counts['downloaded']} photos came{owed}."


def _put_in_place(take: Take, fixture: Path) -> None:
    if take.earlier:
        (fixture / take.step).rename(take.out / take.step)
        return
    about = "Made by python -m service.record."
    if take.people:
        about += " Captions, and fields that are not needed, were blanked."
    title = f"{take.settings.search_format}, recorded from a live feed"
    write_feed(fixture / "feed.toml", title, about, feed_table(take.settings))
    fixture.rename(take.out)


@contextmanager
def _house(take: Take, folder: Path, stop: threading.Event) -> Iterator[House]:
    """A new house; after earlier steps, in the state that they leave and on the day after them."""
    store, catalog = f"embedded:{folder / 'objects'}", f"sqlite:///{folder / 'catalog.db'}"
    if take.earlier is None:
        given = {"store": {"url": store}, "catalog": {"url": catalog}, "feeds": {take.feed: take.settings}}
        with open_house(check_config(given, "record")) as house:
            yield house
        return
    earlier, clock = replace(take.earlier, name=take.feed), ReplayClock()
    players = {take.feed: FixtureAnswers(earlier)}
    with serving([earlier], players) as server:
        config = replay_config([earlier], server, store, catalog)
        with open_house(config, clock) as house:
            _replay(take, Stage(server, players, house, clock, new_console(stderr=True), stop), earlier)
            clock.set_steps_to_go(-1)
            yield house


def _replay(take: Take, stage: Stage, earlier: Fixture) -> None:
    for played in play_all(stage, [earlier]):
        if played.differences:
            raise ConfigError(
                f"{take.out / played.step} does not replay as expected, so nothing can follow it",
                hint=f"python -m service.replay {take.out} tells the differences",
            )


def _print_result(take: Take, report: Report) -> None:
    console, row = new_console(), row_of(report)
    console.print(cycle_table(("feed",), [row]))
    if row.note:
        console.print(f"{take.feed}: {row.note}", style="yellow", markup=False)
    console.print(f"\nrecorded  {take.out / take.step}", highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"check it  python -m service.replay {take.out}", highlight=False, markup=False, soft_wrap=True
    )


def main() -> None:
    """The command line."""
    run_app(app)


if __name__ == "__main__":
    main()
