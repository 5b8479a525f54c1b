"""Floods: no more memory than the limits, and time that grows with the bytes and not with their square."""

import tracemalloc
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from benchmarks.peak import peak_of
from service.errors import RetryLater, TransferCut
from tests.fuzz.budget import is_long_run
from tests.fuzz.hostile import (
    BUNDLES,
    COLUMNS,
    COMPACT,
    MEGABYTE,
    OPENINGS,
    SEGMENT,
    STANDARD,
    Flood,
    bomb,
    parse_bundle,
    play_bomb,
    play_bundle,
    play_search,
)
from tests.parsers.deadline import bounded

DRIBBLE = 70_000
"""Bytes that come one by one: past the limits of 64 KB, where each look at what is held costs most."""


def of(floods: Mapping[str, Flood], *some: str) -> pytest.MarkDecorator:
    """All floods in the long run; in the suite some, or all that are not slow."""
    names = some or [name for name, flood in floods.items() if not flood.slow]
    if is_long_run():
        names = tuple(floods)
    return pytest.mark.parametrize("flood", [floods[name] for name in names], ids=names)


def peak_of_python(run: Callable[[], object]) -> int:
    """Bytes at most, above what is held before."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@of(BUNDLES)
def test_a_flood_in_a_bundle_stays_within_4_mb(flood: Flood) -> None:
    with bounded():
        assert peak_of_python(lambda: play_bundle(flood.packets())) < 4 * MEGABYTE


@of(BUNDLES, "header lines", "text")
def test_a_flood_in_a_bundle_takes_time_by_its_bytes(flood: Flood) -> None:
    with bounded():
        played = play_bundle(flood.packets(SEGMENT, MEGABYTE))
    assert played.trouble in {None, RetryLater, TransferCut}
    assert not played.pictures
    with bounded():
        parse_bundle(flood.packets(1, DRIBBLE))


def test_a_compressed_flood_stays_within_4_mb() -> None:
    packed = bomb(MEGABYTE // 10)
    with bounded():
        assert peak_of_python(lambda: play_bomb(packed)) < 4 * MEGABYTE


@of(OPENINGS)
def test_a_flood_before_a_search_answer_begins_stays_within_1_mb(flood: Flood) -> None:
    for form in ("COMPACT", "STANDARD-XML"):
        assert peak_of_python(partial(play_search, form, flood.packets())) < MEGABYTE


@of(OPENINGS, "comment", "attributes of the root", "name of the root")
def test_a_flood_before_a_search_answer_begins_takes_time_by_its_bytes(flood: Flood) -> None:
    for form in ("COMPACT", "STANDARD-XML"):
        play_search(form, flood.packets(1, DRIBBLE))


@of(COMPACT)
def test_a_flood_in_a_compact_answer_stays_within_4_mb(flood: Flood) -> None:
    with bounded():
        assert peak_of_python(lambda: play_search("COMPACT", flood.packets())) < 4 * MEGABYTE


@of(COMPACT, "row", "tag", "names of tags")
def test_a_flood_in_a_compact_answer_takes_time_by_its_bytes(flood: Flood) -> None:
    play_search("COMPACT", flood.packets(SEGMENT, MEGABYTE))
    play_search("COMPACT", flood.packets(1, DRIBBLE))


def test_cells_that_are_no_numbers_are_not_kept_for_ever() -> None:
    rows = [b"<DATA>1\t%d" % number + b"9" * 100_000 + b"\t</DATA>" for number in range(100)]
    assert peak_of_python(lambda: play_search("COMPACT", [COLUMNS, *rows])) < 4 * MEGABYTE


@of(STANDARD, "text")
def test_a_flood_in_a_standard_answer_takes_time_by_its_bytes(flood: Flood) -> None:
    play_search("STANDARD-XML", flood.packets(SEGMENT, MEGABYTE))
    play_search("STANDARD-XML", flood.packets(1, DRIBBLE // 5))


# Past the limit of 16 MB in the long run, but for references, each of which costs microseconds.
LONG = {name: 8 * MEGABYTE if name == "references" else 24 * MEGABYTE for name in STANDARD}
SHORT = {"elements": 3 * MEGABYTE, "listings without keys": 16 * MEGABYTE}


@pytest.mark.parametrize(("name", "size"), (LONG if is_long_run() else SHORT).items())
def test_a_flood_in_a_standard_answer_stays_within_40_mb(name: str, size: int) -> None:
    assert peak_of("tests.fuzz.hostile:standard_flood", name, size) < 40
