"""Ways to cut bytes: a parser must give the same whichever way they come off a socket."""

import itertools
import random
from collections.abc import Iterator

from hypothesis import strategies as st


def whole(body: bytes) -> list[bytes]:
    return [body]


def byte_by_byte(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


def in_chunks(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def cut_at(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(edges)]


def every_way(body: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, at every split into two, and at some random splits (the same each time)."""
    yield whole(body)
    yield byte_by_byte(body)
    yield from (cut_at(body, [at]) for at in range(len(body) + 1))
    dice = random.Random(len(body))  # noqa: S311 - not a secret: repeatable cuts
    yield from (cut_at(body, [dice.randrange(len(body) + 1) for _ in range(4)]) for _ in range(20))


def cuts(body: bytes) -> st.SearchStrategy[list[bytes]]:
    """For hypothesis: the body cut at up to eight places."""
    return st.lists(st.integers(0, len(body)), max_size=8).map(lambda places: cut_at(body, places))
