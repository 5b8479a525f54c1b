"""A GetObject answer on its whole way: the wire, the bundle's parts, whose they are, what was accepted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from structlog.testing import capture_logs

from parsers.records import Image, Outcome, Redirect
from service.core.ports import IncomingPhoto, Wanted
from service.errors import ServiceError
from service.feeds.answer import Answer
from service.feeds.asked import Asked
from service.feeds.rets_objects import read_objects
from service.ingest.transfer import receive
from tests.fuzz.bundles import Bundle
from tests.fuzz.wire import FEED, Transfer, answer_of
from tests.parsers.deadline import bounded

Split = Callable[[bytes], Sequence[bytes]]

MAX_PHOTO_BYTES = 2**20


@dataclass(frozen=True)
class Came:
    """What was said of a photo. `mark` is an image's sha256, a redirect's URL and time, else ""."""

    listing: str
    id: str
    order: int
    kind: str
    mark: str = ""
    caption: str | None = None
    preferred: bool = False
    picture: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True)
class Played:
    """Everything that an answer gave, and the error that ended it."""

    came: list[Came]
    trouble: type[ServiceError] | None = None

    @property
    def pictures(self) -> list[bytes]:
        """The accepted ones."""
        return [said.picture for said in self.came if said.kind == "Image"]


def play(answer: Answer, wanted: Sequence[Wanted]) -> Played:
    """Read the answer to its end, or to the error that a feed may raise; any other error is a bug."""
    came: list[Came] = []
    try:
        with answer, capture_logs():
            for photo in read_objects(FEED, answer, Asked(FEED, wanted, MAX_PHOTO_BYTES)):
                came.append(_received(photo))  # noqa: PERF401 - what came before an error counts too
    except ServiceError as error:
        return Played(came, type(error))
    return Played(came)


def sent(
    bundle: Bundle, transfer: Transfer, wanted: Sequence[Wanted], split: Split, most: int | None = None
) -> Played:
    """What is made of a bundle, of which at most so many coded bytes come."""
    coded = transfer.coded(bundle.body)
    head = transfer.head(bundle.content_type, len(coded))
    with bounded():
        return play(answer_of(head, split(coded[:most])), wanted)


def _received(photo: IncomingPhoto) -> Came:
    received = receive(photo, MAX_PHOTO_BYTES)
    picture = b""
    if received.body is not None:
        with received.body as body:
            picture = body.read()
    ref, outcome = received.ref, received.outcome
    kind = type(outcome).__name__
    return Came(
        received.listing, ref.id, ref.order, kind, mark_of(outcome), ref.caption, ref.preferred, picture
    )


def mark_of(outcome: Outcome) -> str:
    """What must be exact of an outcome; the words of the others are for people."""
    match outcome:
        case Image():
            return outcome.sha256
        case Redirect(url, stamp):
            return f"{url} {stamp}"
        case _:
            return ""
