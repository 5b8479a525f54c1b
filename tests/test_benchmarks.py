"""Every benchmark works on small inputs; what it measures is for people to look at.

Each benchmark itself checks that both of its sides give the same photos or rows.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import BENCHMARKS, app
from benchmarks.figures import Effort, Row, interleaved, memory_row, speed_row
from benchmarks.peak import peak_of
from benchmarks.pictures import CHUNK, bundle, in_chunks, picture, size_of
from parsers.image import ImageProbe
from parsers.records import ImageFacts

TARGETS = {
    "multipart": 2,
    "memory": 2,
    "compact": 3,
    "standard-xml": 2,
    "ingest": 2,
    "unchanged": 2,
    "photo": 0,
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_gives_a_figure_for_each_of_its_targets(name: str) -> None:
    rows = BENCHMARKS[name](Effort(runs=1, quick=True))
    assert len([row for row in rows if row.must_reach]) == TARGETS[name]
    for row in rows:
        assert (row.ok is None) == (row.must_reach is None)
        assert row.theirs > 0, row
        assert row.ratio > 0, row


def test_the_command_prints_one_json_document_and_ends_well_whatever_was_reached() -> None:
    done = CliRunner().invoke(app, ["multipart", "--quick", "--json", "--runs", "1"])
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["runs"] == 1
    assert [row["peer"].split()[0] for row in document["rows"]] == ["requests_toolbelt", "a"]


def test_an_unknown_name_is_refused() -> None:
    done = CliRunner().invoke(app, ["multipart", "speed"])
    assert done.exit_code == 2
    assert "no benchmark speed" in done.stderr


def test_sides_take_turns_and_the_median_counts() -> None:
    turns: list[str] = []
    ours, theirs = iter([3.0, 1.0, 2.0]), iter([9.0, 7.0, 8.0])

    def side(name: str, seconds: Iterator[float]) -> float:
        turns.append(name)
        return next(seconds)

    assert interleaved(3, lambda: side("A", ours), lambda: side("B", theirs)) == [2.0, 8.0]
    assert turns == ["A", "B"] * 3


def test_a_target_is_met_or_missed() -> None:
    assert speed_row("w", 1.0, "p", 3.0, at_least=3) == Row(
        "w", "ms", 1000.0, "p", 3000.0, 3.0, "at least 3 times", ok=True
    )
    assert speed_row("w", 1.0, "p", 2.9, at_least=3).ok is False
    assert memory_row("w", 4.0, "p", 8.0, at_most=4).ok is True
    assert memory_row("w", 4.1, "p", 8.0, at_most=4).ok is False


def takes(megabytes: int) -> Iterator[None]:
    before = bytearray(30 * 2**20)
    del before
    yield
    assert any(bytearray(b"x" * (megabytes * 2**20)))


def test_a_peak_is_what_a_function_takes_beyond_what_it_began_with() -> None:
    assert 64 < peak_of("tests.test_benchmarks:takes", 64) < 64 * 3


def test_pictures_are_whole_images_of_the_size_that_was_asked_for() -> None:
    probe = ImageProbe()
    probe.receive_data(picture(7, 300_000))
    assert len(picture(7, 300_000)) == 300_000
    assert probe.result() == ImageFacts("image/jpeg", 1024, 768, complete=True)
    assert picture(7) != picture(8)


def test_sizes_go_from_the_smallest_to_the_largest() -> None:
    assert [size_of(number, 3, 100, 300) for number in range(3)] == [100, 200, 300]
    assert size_of(0, 1, 100, 300) == 100


def test_chunks_are_the_same_bytes_in_other_pieces() -> None:
    body = b"".join(bundle([1000, 200_000, 3000]))
    chunks = list(in_chunks(bundle([1000, 200_000, 3000])))
    assert b"".join(chunks) == body
    assert {len(chunk) for chunk in chunks[:-1]} == {CHUNK}


def test_the_page_explains_every_benchmark() -> None:
    page = Path("docs/BENCHMARKS.md").read_text(encoding="utf-8")
    for name in BENCHMARKS:
        assert f"`{name}`" in page
