import tracemalloc

import pytest

from parsers.rets.compact import CompactParser
from parsers.rets.search import MAX_REASON, read_count
from tests.parsers.rets.played import compact, play
from tests.parsers.splits import whole


@pytest.mark.parametrize(
    ("text", "count"),
    [
        *[("25", 25), (" 3 ", 3), ("0", 0), ("9" * 9, 999_999_999)],
        *[("many", None), ("", None), (None, None), ("-1", None), ("9" * 10, None), ("\u0664", None)],
    ],
)
def test_a_count_is_a_few_digits_or_unknown(text: str | None, count: int | None) -> None:
    assert read_count(text) == count


def test_long_cells_that_are_no_counts_are_not_remembered() -> None:
    tracemalloc.start()
    for number in range(100):
        assert read_count(f"{number} " + "9" * 100_000) is None
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 1_000_000


def test_the_reason_for_a_quarantine_is_kept_short() -> None:
    key = "k" * 10_000
    _, end = play(CompactParser([key], keyed=True), whole(compact("<DATA>\tv\t</DATA>")))
    assert [len(reason) for reason in end.quarantined] == [MAX_REASON]
