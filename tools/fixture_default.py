"""The story of default-only: of each listing, the photo under SequenceID 0 and no other."""

from pathlib import Path

from service.simulator import documents
from service.simulator.answers import RawAnswer, text_answer
from service.simulator.bundles import BundledPhoto, single
from tools.fixture_compact import STYLE as COMPACT
from tools.fixture_pictures import jpeg
from tools.fixture_stage import FeedStyle, Stage

HOUSE, FLAT, PLOT = "2001", "2002", "2003"

STYLE = FeedStyle(
    name="default-only",
    title="COMPACT, the default photo alone",
    about='photos = "default" asks for key:0 and keeps one photo per listing.',
    feed={**COMPACT.feed, "limit": 100, "photos": "default"},
    delimiter="|",  # 7C in hexadecimal, which is not 7 and not 124 (Q68)
    captions={51: "Street side"},
)


def tell(root: Path) -> None:
    """Write the fixture under `root`."""
    stage = Stage(root, STYLE)
    _grow(stage)
    _fail_and_recover(stage)
    _shrink(stage)


def _grow(stage: Stage) -> None:
    with stage.step(
        "01-first-load",
        "Three listings: one has a photo 0, one answers 1 where 0 was asked, one has no photos.",
    ) as step:
        stage.put(HOUSE, {0: 51, 1: 51, 2: 52})
        stage.put(PLOT, {})
        stage.put(FLAT, {1: 61, 2: 62})
        step.ask(f"{HOUSE}:0")
        step.ask_answered(f"{FLAT}:0", _numbered_one(61))
        step.ask(f"{PLOT}:0")
    with stage.step(
        "02-nothing-changed",
        "The last listing comes with the time that is known: nothing is asked for.",
    ):
        pass
    with stage.step("03-photo-replaced", "The default photo differs.") as step:
        stage.put(HOUSE, {0: 53, 1: 53, 2: 52})
        step.ask(f"{HOUSE}:0")
    with stage.step(
        "04-other-photo-added",
        "The time moved for a photo that is not kept: the default comes again.",
    ) as step:
        stage.put(FLAT, {1: 61, 2: 62, 3: 63})
        step.ask_answered(f"{FLAT}:0", _numbered_one(61))
    with stage.step("05-default-photo-changed", "Another photo of the listing is the default now.") as step:
        stage.put(HOUSE, {0: 52, 1: 53, 2: 52})
        step.ask(f"{HOUSE}:0")


def _fail_and_recover(stage: Stage) -> None:
    with stage.step(
        "06-error-answer",
        "The server cannot give the photo now (20409): the old one stays, it is owed.",
    ) as step:
        stage.put(HOUSE, {0: 54, 1: 53, 2: 52})
        unavailable = text_answer(documents.reply(20409, "Object unavailable."))
        step.ask_answered(f"{HOUSE}:0", unavailable, lost={"0"}, owed="unavailable")
    with stage.step(
        "07-connection-cut", "What was owed comes. Another listing's photo is cut: the old one stays."
    ) as step:
        stage.put(FLAT, {1: 64, 2: 62, 3: 63})
        stage.touch(PLOT)
        step.ask(f"{HOUSE}:0")
        step.ask_cut(f"{FLAT}:0", None, owed="photo 0")
    with stage.step("08-recovered", "The owed photo comes.") as step:
        step.ask(f"{FLAT}:0")


def _shrink(stage: Stage) -> None:
    with stage.step("09-listing-gone", "The list of keys does not hold a listing any more.") as step:
        step.remove(FLAT)
        step.find_nothing(documents.reply(20201, "No Records Found."))
    with stage.step("10-set-emptied", "The listing has no photos any more.") as step:
        stage.put(HOUSE, {})
        step.ask(f"{HOUSE}:0")
    with stage.step("11-back-on-the-market", "The listing has photos again.") as step:
        stage.put(HOUSE, {0: 53, 1: 53, 2: 52})
        step.ask(f"{HOUSE}:0")


def _numbered_one(picture: int) -> RawAnswer:
    """0 was asked, and the answer calls it 1 (Q36): one was asked for, so this is it."""
    return single(FLAT, BundledPhoto("1", jpeg(picture)))
