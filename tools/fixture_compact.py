"""The story of compact-whole-set: rows hold one time for all photos, so whole sets are fetched."""

from pathlib import Path

from tools.fixture_framings import APOSTROPHES, BARE, BROKEN_PAGE, OLD, QUOTED
from tools.fixture_stage import FeedStyle, Stage

# A key with a blank, a slash and an umlaut: RETS asks for letters and digits, servers send what they have.
FARM, BARN, SHED, MILL = "A 7/\u00dc", "1002", "1003", "1004"

STYLE = FeedStyle(
    name="compact-whole-set",
    title="COMPACT, by whole set",
    about="A row holds the PhotosChangeTimestamp of its listing: when it differs, all photos are "
    "fetched in one bundle, and the set is swapped only for a complete one.",
    feed={
        "kind": "rets",
        "user_agent": "listing-photos-replay/1.0",
        "rets_version": "RETS/1.7.2",
        "search_format": "COMPACT",
        "resource": "Property",
        "class": "RES",
        "query": "(ModificationTimestamp={since}+)",
        "object_types": ["Photo"],
        "limit": 2,
        "keys_interval": "0s",
        "purge_share": 0.5,
    },
    captions={1: "Barn, east side", 32: "Mill and pond", 41: "K\u00fcche"},
    comments={2: b"not a delimiter: --simple boundary"},
)

NOTHING_FOUND = (
    b'<?xml version="1.0" encoding="utf-8"?>\r\n<RETS ReplyCode="0" ReplyText="Operation successful">\r\n'
    b'<RETS-STATUS ReplyCode="20201" ReplyText="No Records Found."/>\r\n</RETS>\r\n'
)
"""A success that takes itself back at its end (Q55)."""


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
        "Four listings on two pages. One repeats its default photo under 0 and 1, one has a picture of "
        "its own under 0, one has no photos, one marks its preferred photo.",
    ) as step:
        stage.put(FARM, {0: 41, 1: 41, 2: 42, 3: 43})
        stage.put(BARN, {0: 9, 1: 1, 2: 2})
        stage.put(SHED, {})
        stage.put(MILL, {1: 31, 2: 32, 27: 33, 28: 934}, preferred=2)
        step.ask(f"{FARM}:*", QUOTED)
        step.ask(f"{BARN}:*", BARE)
        step.ask(f"{SHED}:*")
        step.ask(f"{MILL}:*", OLD, reverse=True)
    with stage.step(
        "02-nothing-changed",
        "The last listing comes with the time that is known: nothing is asked for.",
    ):
        pass
    with stage.step("03-photo-replaced", "One photo differs: all come, one is uploaded.") as step:
        stage.put(BARN, {0: 9, 1: 11, 2: 2})
        step.ask(f"{BARN}:*", QUOTED)
    with stage.step("04-photos-added", "Two more photos: all come, two are uploaded.") as step:
        stage.put(MILL, {1: 31, 2: 32, 3: 35, 27: 33, 28: 934, 29: 36}, preferred=2)
        step.ask(f"{MILL}:*", APOSTROPHES)


def _rearrange(stage: Stage) -> None:
    with stage.step("05-photos-removed", "The new set holds one photo less.") as step:
        stage.put(FARM, {0: 41, 1: 41, 2: 42})
        step.ask(f"{FARM}:*", BARE)
    with stage.step(
        "06-default-photo-changed",
        "In one listing 0 repeats another photo now, in another the preferred mark has moved.",
    ) as step:
        stage.put(FARM, {0: 42, 1: 41, 2: 42})
        stage.put(MILL, {1: 31, 2: 32, 3: 35, 27: 33, 28: 934, 29: 36}, preferred=3)
        step.ask(f"{FARM}:*", QUOTED)
        step.ask(f"{MILL}:*", OLD)
    with stage.step("07-order-changed", "Two pictures have swapped their numbers.") as step:
        stage.put(BARN, {0: 9, 1: 2, 2: 11})
        step.ask(f"{BARN}:*", QUOTED)


def _fail_and_recover(stage: Stage) -> None:
    with stage.step(
        "08-bad-part",
        "The new photo's part is a web page under the type of a picture: readers keep the whole old set.",
    ) as step:
        stage.put(BARN, {0: 9, 1: 2, 2: 12})
        page = BARE.part(
            (("Content-Type", "image/jpeg"), ("Content-ID", BARN), ("Object-ID", "2")), BROKEN_PAGE
        )
        step.ask_spoilt(f"{BARN}:*", BARE, {"2": page}, owed="photo 2")
    with stage.step(
        "09-bundle-cut",
        "What was owed comes. In another listing's bundle the connection ends inside the new photo: "
        "readers keep the whole old set.",
    ) as step:
        stage.put(MILL, {1: 31, 2: 32, 3: 35, 27: 33, 28: 934, 29: 37}, preferred=3)
        stage.touch(SHED)
        step.ask(f"{BARN}:*", BARE)
        step.ask_cut(f"{MILL}:*", OLD, owed="photo 29")
    with stage.step(
        "10-recovered", "The search does not return the owed listing any more; its set comes whole now."
    ) as step:
        step.ask(f"{MILL}:*", OLD)


def _shrink(stage: Stage) -> None:
    with stage.step("11-listing-gone", "The list of keys does not hold a listing any more.") as step:
        step.remove(BARN)
        step.find_nothing(NOTHING_FOUND)
    with stage.step(
        "12-set-emptied", "The row counts no photos, and the server says that it has none."
    ) as step:
        stage.put(FARM, {})
        step.ask(f"{FARM}:*")
    with stage.step(
        "13-back-on-the-market", "The listing that was gone is back, and the empty one has photos again."
    ) as step:
        stage.put(BARN, {0: 9, 1: 11, 2: 2})
        stage.put(FARM, {0: 42, 1: 41, 2: 42})
        step.ask(f"{BARN}:*", QUOTED)
        step.ask(f"{FARM}:*", BARE)
