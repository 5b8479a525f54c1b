"""A RETS server in a process of its own: its work must not be measured with the client's.

Pictures are made while they are sent. Every search is rendered once: what the server takes for its
texts would else be the slowest part of a cycle in which nothing changes.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from benchmarks.pictures import CHUNK, PHOTO, picture, size_of
from benchmarks.programs import Program, answer_parent, program
from service.simulator.answers import RawAnswer
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Listing, Mls, Photo
from service.simulator.server import LoopbackServer

FEED = "mls"
USER, PASSWORD = "reader", "loopback"
NOTHING_CHANGED_SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stock:
    """Listings with their photos, which go evenly from the smallest to the largest size in bytes.

    `pace` is how many bytes a second a GetObject answer is sent with; 0: as fast as it goes.
    """

    listings: int
    photos: int
    smallest: int = PHOTO
    largest: int = PHOTO
    pace: float = 0.0

    @property
    def keys(self) -> list[str]:
        """The listing keys."""
        return [f"R{number:06}" for number in range(self.listings)]


class Shop:
    """A feed's `Answers`, counted."""

    def __init__(self, stock: Stock) -> None:
        self.asked: Counter[str] = Counter()
        self._pace = stock.pace
        self._mls = Mls(_listings(stock))
        self._searches: dict[tuple[tuple[str, str], ...], RawAnswer | None] = {}

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """As the MLS answers."""
        self.asked[transaction] += 1
        if transaction == "Search":
            search = tuple(sorted(params.items()))
            if search not in self._searches:
                self._searches[search] = self._mls.answer(transaction, params)
            return self._searches[search]
        answer = self._mls.answer(transaction, params)
        if answer is None or isinstance(answer.body, bytes) or not self._pace:
            return answer
        return replace(answer, body=_paced(answer.body, self._pace))


def _listings(stock: Stock) -> Iterator[Listing]:
    when = NOTHING_CHANGED_SINCE
    sizes = [size_of(n, stock.photos, stock.smallest, stock.largest) for n in range(stock.photos)]
    for row, key in enumerate(stock.keys):
        photos = (
            Photo(str(n + 1), partial(picture, row * stock.photos + n, size), when)
            for n, size in enumerate(sizes)
        )
        yield Listing(key, when, when, tuple(photos))


def _paced(pieces: Iterable[bytes], pace: float) -> Iterator[bytes]:
    began, sent = time.monotonic(), 0
    for piece in pieces:
        for at in range(0, len(piece), CHUNK):
            time.sleep(max(0.0, began + sent / pace - time.monotonic()))
            part = piece[at : at + CHUNK]
            yield part
            sent += len(part)


@dataclass(frozen=True)
class Source:
    """The running server."""

    login_url: str
    _program: Program

    def asked(self) -> dict[str, Any]:
        """How many transactions of each kind it has answered."""
        return self._program.ask()


@contextmanager
def source_of(stock: Stock) -> Iterator[Source]:
    """A server with this stock."""
    with program("benchmarks.source", asdict(stock)) as child:
        yield Source(child.hello["login_url"], child)


def main() -> None:
    """The process of the server."""
    shop = Shop(Stock(**json.loads(sys.argv[1])))
    with LoopbackServer({FEED: Site(Account(USER, PASSWORD), shop)}) as server:
        answer_parent({"login_url": server.login_url(FEED)}, lambda: dict(shop.asked))


if __name__ == "__main__":
    main()
