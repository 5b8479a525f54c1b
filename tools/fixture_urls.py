"""The story of compact-urls: answers hold URLs, and each picture is a request of its own that may fail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from service.simulator import documents
from service.simulator.answers import RawAnswer
from service.simulator.bundles import Framing
from service.simulator.mls import Photo, iso, photo_url
from tools.fixture_compact import STYLE as COMPACT
from tools.fixture_framings import BROKEN_PAGE, QUOTED
from tools.fixture_stage import FeedStyle, Stage, StepDraft

FARM, BARN, SHED, MILL = "4001", "4002", "4003", "4004"

STYLE = FeedStyle(
    name="compact-urls",
    title="COMPACT, pictures by URL",
    about="location = 1: GetObject gives a table of URLs, parts with a Location, or one Location. The "
    "pictures are fetched from their host, without session or credentials.",
    feed={**COMPACT.feed, "limit": 100, "location": 1},
    captions={122: "Barn, seen from the road"},
)


def tell(root: Path) -> None:
    """Write the fixture under `root`."""
    story = Story(Stage(root, STYLE))
    story.grow()
    story.rearrange()
    story.fail_and_recover()
    story.shrink()


def picture(photo: Photo) -> RawAnswer:
    """What a host answers that has the picture."""
    assert isinstance(photo.picture, bytes)
    return RawAnswer(200, "OK", (("Content-Type", photo.media_type),), photo.picture)


def refusal(status: int, reason: str) -> RawAnswer:
    """What a host answers that has not, or does not give it."""
    return RawAnswer(status, reason, (("Content-Type", "text/plain"),), f"{reason}\n".encode())


def page() -> RawAnswer:
    """A web page under a picture's type (Q26)."""
    return RawAnswer(200, "OK", (("Content-Type", "image/jpeg"),), BROKEN_PAGE)


def cut(photo: Photo) -> RawAnswer:
    """The connection ends inside the picture."""
    whole = photo.bundled(photo.id).picture
    headers = (("Content-Type", photo.media_type), ("Content-Length", str(len(whole))))
    return RawAnswer(200, "OK", headers, whole[: len(whole) // 2])


def moved(url: str) -> RawAnswer:
    """The picture is elsewhere; `url` is relative to where it was looked for."""
    return RawAnswer(302, "Found", (("Location", url),), b"")


@dataclass(frozen=True)
class Story:
    """The steps. Each listing has its own form of answer: FARM a table, BARN parts, MILL one Location."""

    stage: Stage

    def grow(self) -> None:
        """First load, and more photos."""
        stage = self.stage
        with stage.step(
            "01-first-load",
            "Four listings: a table of URLs; parts with a Location, of which 0 repeats 1; a listing "
            "without photos; one Location with a signature in it, and &amp; between its pairs.",
        ) as step:
            stage.put(FARM, {1: 111, 2: 112, 3: 113})
            stage.put(BARN, {0: 121, 1: 121, 2: 122})
            stage.put(SHED, {})
            stage.put(MILL, {1: 131})
            self._ask_table(step, FARM)
            self._ask_parts(step, BARN)
            step.ask(f"{SHED}:*")
            self._ask_signed(step, "expires=1")
        with stage.step(
            "02-nothing-changed",
            "The last listing comes with the time that is known: neither URLs nor pictures are asked for.",
        ):
            pass
        with stage.step("03-photo-replaced", "One picture differs: all come, one is uploaded.") as step:
            stage.put(FARM, {1: 111, 2: 114, 3: 113})
            self._ask_table(step, FARM)
        with stage.step("04-photos-added", "One more photo, whose URL leads on to another one.") as step:
            stage.put(BARN, {0: 121, 1: 121, 2: 122, 3: 123})
            there = photo_url(BARN, "3").rpartition("/")[2].replace(".", "-large.")
            self._ask_parts(step, BARN, {"3": moved(there)})
            step.fetch(photo_url(BARN, "3-large"), picture(self._photo(BARN, "3")))

    def rearrange(self) -> None:
        """Fewer photos, and the same ones in another order."""
        stage = self.stage
        with stage.step("05-photos-removed", "The new table holds one row less.") as step:
            stage.put(FARM, {1: 111, 3: 113})
            self._ask_table(step, FARM)
        with stage.step("06-order-changed", "Two pictures have swapped their numbers.") as step:
            stage.put(BARN, {0: 122, 1: 122, 2: 121, 3: 123})
            self._ask_parts(step, BARN)

    def fail_and_recover(self) -> None:
        """URLs that lead to no picture."""
        stage = self.stage
        with stage.step(
            "07-picture-gone",
            "A new picture's URL is answered with 404. A missing file is not the feed's word that there "
            "is no photo: readers keep the whole old set.",
        ) as step:
            stage.put(FARM, {1: 111, 2: 115, 3: 113})
            self._ask_table(step, FARM, {"2": refusal(404, "Not Found")}, owed="photo 2")
        with stage.step(
            "08-signature-expired",
            "The table does not list that photo any more. Another listing's URL is refused with 403.",
        ) as step:
            stage.put(FARM, {1: 111, 3: 113})
            stage.put(MILL, {1: 132})
            self._ask_table(step, FARM)
            self._ask_signed(step, "expires=2", refusal(403, "Forbidden"), owed="photo 1")
        with stage.step("09-signature-renewed", "GetObject gives a new URL, and that one works.") as step:
            self._ask_signed(step, "expires=3")
        with stage.step(
            "10-picture-cut",
            "The connection ends inside a picture, and in another listing a web page comes under a "
            "picture's type: both keep their sets.",
        ) as step:
            stage.put(FARM, {1: 116, 3: 113})
            stage.put(BARN, {0: 122, 1: 122, 2: 124, 3: 123})
            self._ask_table(step, FARM, {"1": cut(self._photo(FARM, "1"))}, owed="photo 1")
            self._ask_parts(step, BARN, {"2": page()}, owed="photo 2")
        with stage.step("11-recovered", "Both sets come whole.") as step:
            self._ask_table(step, FARM)
            self._ask_parts(step, BARN)

    def shrink(self) -> None:
        """Listings and sets that go and come back."""
        stage = self.stage
        with stage.step("12-listing-gone", "The list of keys does not hold a listing any more.") as step:
            step.remove(FARM)
            step.find_nothing(documents.reply(20201, "No Records Found."))
        with stage.step("13-set-emptied", "GetObject has no URL for a listing any more.") as step:
            stage.put(BARN, {})
            step.ask(f"{BARN}:*")
        with stage.step(
            "14-back-on-the-market",
            "The listing that was gone is back, and the empty one has photos again.",
        ) as step:
            stage.put(FARM, {1: 116, 3: 113})
            stage.put(BARN, {0: 121, 1: 121, 2: 122})
            self._ask_table(step, FARM)
            self._ask_parts(step, BARN)

    # The three forms.

    def _ask_table(
        self,
        step: StepDraft,
        key: str,
        spoilt: Mapping[str, RawAnswer] = MappingProxyType({}),
        owed: str = "",
    ) -> None:
        """A COMPACT table. `spoilt` are answers of the pictures' host, by Object-ID."""
        answer = self.stage.mls.answer("GetObject", {"ID": f"{key}:*", "Location": "1"})
        assert answer
        self._ask(step, key, answer, spoilt, owed)

    def _ask_parts(
        self,
        step: StepDraft,
        key: str,
        spoilt: Mapping[str, RawAnswer] = MappingProxyType({}),
        owed: str = "",
    ) -> None:
        """A bundle of parts that hold a Location, the last one an ObjectData in its place (Q105)."""
        self._ask(step, key, QUOTED.bundle(self._parts(key, QUOTED)), spoilt, owed)

    def _parts(self, key: str, framing: Framing) -> Iterator[bytes]:
        *photos, last = self._photos(key)
        for photo in photos:
            yield framing.url_part(key, photo.bundled(photo.id), photo_url(key, photo.id), _stamp(photo))
        at = f"PropMediaURL={photo_url(key, last.id)}"
        yield framing.url_part(key, last.bundled(last.id), "", at, _stamp(last))

    def _ask_signed(
        self, step: StepDraft, query: str, answer: RawAnswer | None = None, owed: str = ""
    ) -> None:
        """One Location as the whole answer, its query signed."""
        (photo,) = self._photos(MILL)
        url = f"{photo_url(MILL, photo.id)}?{query}&size=large"
        head = (
            ("Content-Type", "text/xml"),
            ("Content-ID", MILL),
            ("Object-ID", photo.id),
            ("Location", url.replace("&", "&amp;")),  # Q42
            ("ObjectData", _stamp(photo)),
        )
        ok = RawAnswer(200, "OK", head, documents.reply(0, "Operation successful"))
        step.ask_answered(f"{MILL}:*", ok, lost={photo.id} if answer else (), owed=owed)
        step.fetch(url, answer or picture(photo))

    def _ask(
        self, step: StepDraft, key: str, answer: RawAnswer, spoilt: Mapping[str, RawAnswer], owed: str
    ) -> None:
        lost = spoilt.keys() if owed else ()
        step.ask_answered(f"{key}:*", answer, lost=lost, owed=owed)
        for photo in self._photos(key):
            step.fetch(photo_url(key, photo.id), spoilt.get(photo.id) or picture(photo))

    def _photos(self, key: str) -> tuple[Photo, ...]:
        listing = self.stage.mls.listing(key)
        assert listing
        return listing.photos

    def _photo(self, key: str, object_id: str) -> Photo:
        return next(photo for photo in self._photos(key) if photo.id == object_id)


def _stamp(photo: Photo) -> str:
    return f"PropMediaModificationTimestamp={iso(photo.changed)}"
