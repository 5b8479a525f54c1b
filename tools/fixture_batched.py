"""The story of compact-batched: several listings share a request, and what goes wrong in one."""

from pathlib import Path

from service.simulator import documents
from service.simulator.answers import text_answer
from tools.fixture_compact import STYLE as COMPACT
from tools.fixture_framings import BARE, BROKEN_PAGE, QUOTED
from tools.fixture_stage import FeedStyle, Stage

FARM, BARN, SHED, MILL, DOCK = "3001", "3002", "3003", "3004", "3005"

STYLE = FeedStyle(
    name="compact-batched",
    title="COMPACT, several listings in one request",
    about="batch_listings = 3 joins listings in one GetObject; its parts are told apart by Content-ID.",
    feed={**COMPACT.feed, "limit": 100, "batch_listings": 3},
    captions={71: "Barn, inside"},
)


def tell(root: Path) -> None:
    """Write the fixture under `root`."""
    stage = Stage(root, STYLE)
    _grow(stage)
    _fail_and_recover(stage)
    with stage.step("07-listing-gone", "The list of keys does not hold a listing any more.") as step:
        step.remove(FARM)
        step.find_nothing(documents.reply(20201, "No Records Found."))


def _grow(stage: Stage) -> None:
    with stage.step(
        "01-first-load",
        "Five listings come in two requests. Nothing is said of the one that has no photos, so it is "
        "asked for again, alone.",
    ) as step:
        stage.put(FARM, {1: 61, 2: 62})
        stage.put(BARN, {0: 71, 1: 71, 2: 72})
        stage.put(SHED, {})
        stage.put(MILL, {1: 81})
        stage.put(DOCK, {1: 91, 2: 92})
        step.ask_batch(f"{FARM}:*,{BARN}:*,{SHED}:*")
        step.ask(f"{SHED}:*")
        step.ask_batch(f"{MILL}:*,{DOCK}:*")
    with stage.step(
        "02-nothing-changed",
        "The last listing comes with the time that is known: nothing is asked for.",
    ):
        pass


def _fail_and_recover(stage: Stage) -> None:
    with stage.step(
        "03-bad-part",
        "A photo's part is a web page: its listing keeps the old set, the other one has its new set.",
    ) as step:
        stage.put(FARM, {1: 61, 2: 63})
        stage.put(MILL, {1: 82})
        page = QUOTED.part(
            (("Content-Type", "image/jpeg"), ("Content-ID", FARM), ("Object-ID", "2")), BROKEN_PAGE
        )
        both = f"{FARM}:*,{MILL}:*"
        first, _, *rest = stage.mls.parts(both, QUOTED)
        step.ask_batch(both, QUOTED.bundle([first, page, *rest]), lost={FARM: {"2"}}, owed={FARM: "photo 2"})
    with stage.step(
        "04-bundle-cut",
        "What was owed comes, alone. In a batch the connection ends inside the last photo: nobody can "
        "say that the set before it was whole, so both listings keep theirs.",
    ) as step:
        stage.put(BARN, {0: 71, 1: 71})
        stage.put(DOCK, {1: 91, 2: 93})
        both = f"{BARN}:*,{DOCK}:*"
        step.ask(f"{FARM}:*", BARE)
        owed = {BARN: "the set", DOCK: "photo 2"}
        step.ask_batch(both, step.cut(both, BARE), lost={DOCK: {"2"}}, owed=owed)
    with stage.step("05-recovered", "What failed in a batch is asked for alone.") as step:
        step.ask(f"{BARN}:*", QUOTED)
        step.ask(f"{DOCK}:*", BARE)
    with stage.step(
        "06-several-refused",
        "The server will not answer for several listings any more: they are asked for one by one.",
    ) as step:
        stage.put(SHED, {1: 101, 2: 102})
        stage.put(MILL, {1: 83})
        refusal = text_answer(documents.reply(20402, "One listing per request, please."))
        step.ask_in_vain(f"{SHED}:*,{MILL}:*", refusal)
        step.ask(f"{SHED}:*", BARE)
        step.ask(f"{MILL}:*")
