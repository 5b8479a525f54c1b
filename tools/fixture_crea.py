"""The story of crea-standard-xml: records list their photos, so photos are fetched one by one."""

from pathlib import Path

from service.simulator import documents
from tools.fixture_framings import APOSTROPHES, BARE, BROKEN_PAGE, CREA, OLD, QUOTED
from tools.fixture_stage import FeedStyle, Stage

HOUSE, LOFT, LAND = "20270724", "20301187", "20315540"

STYLE = FeedStyle(
    name="crea-standard-xml",
    title="STANDARD-XML, by sequence (the shape of CREA DDF)",
    about="Each record lists its photos with SequenceId and PhotoLastUpdated: what is new or changed "
    "is fetched photo by photo, what is no longer listed is dropped.",
    feed={
        "kind": "rets",
        "user_agent": "listing-photos-replay/1.0",
        "rets_version": "RETS/1.7.2",
        "search_format": "STANDARD-XML",
        "resource": "Property",
        "class": "ResidentialProperty",
        "query": "(LastUpdated={since})",
        "object_types": ["Photo"],
        "limit": 100,
        "keys_interval": "0s",
        "purge_share": 0.5,
        "fields": {"listing": "ID", "modified": "LastUpdated", "photos_changed": "", "photos_count": ""},
    },
    captions={2: "Kitchen, seen from the garden", 21: "Roof terrace"},
    # Boundary text inside a picture (Q16) is not a delimiter, and bytes are bytes.
    comments={3: b"not a delimiter: --simple boundary", 22: b"--rets.part.0001--"},
)


def tell(root: Path) -> None:
    """Write the fixture under `root`."""
    stage = Stage(root, STYLE)
    _grow(stage)
    _rearrange(stage)
    _fail_and_recover(stage)
    _shrink(stage)


def _grow(stage: Stage) -> None:
    with stage.step(
        "01-first-load",
        "Three listings are new. Every photo of a listing is asked for at once; numbers have gaps and "
        "come out of order; 0 repeats the default photo; one listing has no photos.",
    ) as step:
        stage.put(LAND, {})
        stage.put(HOUSE, {0: 1, 1: 1, 2: 2, 3: 3})
        stage.put(LOFT, {1: 21, 2: 22, 5: 905, 27: 24})
        step.ask(f"{HOUSE}:*", QUOTED)
        step.ask(f"{LOFT}:*", BARE, reverse=True)
    with stage.step(
        "02-nothing-changed",
        "The search still returns the listing that changed last. Nothing is asked for.",
    ):
        pass
    with stage.step(
        "03-photo-replaced", "One photo has a new PhotoLastUpdated: it alone comes, as a single object."
    ) as step:
        stage.put(HOUSE, {0: 1, 1: 1, 2: 12, 3: 3})
        step.ask(f"{HOUSE}:2")
    with stage.step("04-photos-added", "Two new SequenceIds: they alone are asked for.") as step:
        stage.put(LOFT, {1: 21, 2: 22, 5: 905, 27: 24, 28: 25, 30: 26})
        step.ask(f"{LOFT}:28:30", OLD)


def _rearrange(stage: Stage) -> None:
    with stage.step("05-photos-removed", "Two SequenceIds are no longer listed. Nothing is asked for."):
        stage.put(LOFT, {1: 21, 5: 905, 28: 25, 30: 26})
    with stage.step(
        "06-default-photo-changed",
        "SequenceId 0 now shows another photo of the listing: it comes, and its bytes are known.",
    ) as step:
        stage.put(HOUSE, {0: 3, 1: 1, 2: 12, 3: 3})
        step.ask(f"{HOUSE}:0")
    with stage.step(
        "07-order-changed", "Two photos have swapped their numbers: both come, nothing is uploaded."
    ) as step:
        stage.put(LOFT, {1: 905, 5: 21, 28: 25, 30: 26})
        step.ask(f"{LOFT}:1:5", APOSTROPHES)


def _fail_and_recover(stage: Stage) -> None:
    with stage.step(
        "08-bad-part",
        "Three photos are new: one comes, one is a web page under the type of a picture, one an error "
        "whose XML stands among the header lines. The old pictures stay, the listing stays owed.",
    ) as step:
        stage.put(HOUSE, {0: 3, 1: 13, 2: 14, 3: 15})
        page = CREA.part(
            (("Content-Type", "image/jpeg"), ("Content-ID", HOUSE), ("Object-ID", "1")), BROKEN_PAGE
        )
        error = CREA.error_part_in_head(HOUSE, "3", 20403, "No Object Found.")
        step.ask_spoilt(f"{HOUSE}:1:2:3", CREA, {"1": page, "3": error}, owed="photo 1")
    with stage.step(
        "09-bundle-cut",
        "What was owed comes. In another listing's bundle the connection ends inside the last picture: "
        "those before it are kept, it is owed. A third listing changes, but not its photos.",
    ) as step:
        stage.put(LOFT, {1: 905, 5: 27, 28: 25, 30: 26, 31: 28, 32: 29})
        stage.touch(LAND)
        step.ask(f"{HOUSE}:1:3", CREA)
        step.ask_cut(f"{LOFT}:5:31:32", BARE, owed="photo 32")
    with stage.step(
        "10-recovered", "The search does not return the owed listing any more; its last photo comes now."
    ) as step:
        step.ask(f"{LOFT}:32")


def _shrink(stage: Stage) -> None:
    with stage.step("11-listing-gone", "The master list does not hold a listing any more.") as step:
        step.remove(LOFT)
        step.find_nothing(documents.reply(20201, "No Records Found."))
    with stage.step("12-set-emptied", "A listing's record lists no photos any more."):
        stage.put(HOUSE, {})
    with stage.step(
        "13-back-on-the-market", "The listing that was gone is back, and the empty one has photos again."
    ) as step:
        stage.put(HOUSE, {0: 1, 1: 1, 2: 12, 3: 3})
        stage.put(LOFT, {1: 21, 2: 22, 5: 905, 27: 24})
        step.ask(f"{HOUSE}:*", QUOTED)
        step.ask(f"{LOFT}:*", BARE)
