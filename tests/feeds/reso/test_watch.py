from datetime import UTC, datetime

import pytest

from service.feeds.reso.dialect import Clock
from service.feeds.reso.watch import Pass, read_marks, write_marks

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE = (Clock("ModificationTimestamp"),)
TWO = (Clock("PhotosChangeTimestamp"), Clock("ModificationTimestamp", "Media"))
MODIFIED = "ModificationTimestamp"


def over(facts: dict[str, str] | None = None) -> Pass:
    return Pass("f", NOW, {} if facts is None else facts)


def see(one: Pass, *times: str) -> Pass:
    for number, time in enumerate(times):
        one.see(str(number), {MODIFIED: time})
    return one


def test_one_clocks_cursor_is_its_mark_and_several_are_json() -> None:
    assert write_marks({MODIFIED: "2026-01-01T00:00:00.1234567Z"}, ONE) == "2026-01-01T00:00:00.1234567Z"
    marks = {"PhotosChangeTimestamp": "2026-01-01", "Media.ModificationTimestamp": "2026-01-02"}
    assert read_marks(write_marks(marks, TWO), TWO) == marks


@pytest.mark.parametrize(
    "text", [None, "", "tomorrow", "[]", "{", '{"PhotosChangeTimestamp": "2026-01-01"}', "2026-01-01"]
)
def test_what_does_not_hold_every_clock_asks_for_everything(text: str | None) -> None:
    assert read_marks(text, TWO) is None


def test_x5_the_newest_raw_text_is_the_mark() -> None:
    raws = ("2026-02-01T00:00:00.1234567Z", "2026-02-01T01:00:00.1234568+01:00", "2026-02-01T00:00:00Z")
    assert see(over(), *raws).settle(MODIFIED, None) == raws[1]


def test_a_row_that_changed_while_the_pass_ran_does_not_move_the_clock() -> None:
    one = see(over(), "2026-03-01T11:00:00Z", "2026-03-01T11:59:30Z", "2031-01-01T00:00:00Z")
    assert one.settle(MODIFIED, None) == "2026-03-01T11:00:00Z"


def test_the_servers_own_time_counts_unless_it_is_none_of_this_world() -> None:
    one = over()
    one.date("Sun, 01 Mar 2026 13:00:00 GMT")
    assert see(one, "2026-03-01T12:30:00Z").settle(MODIFIED, None) == "2026-03-01T12:30:00Z"
    two = over()
    two.date("Sun, 01 Mar 2099 13:00:00 GMT")
    assert see(two, "2026-03-01T12:30:00Z").settle(MODIFIED, "2026-01-01T00:00:00Z") == "2026-01-01T00:00:00Z"


def test_without_a_row_a_clock_stays_and_a_first_pass_ends_where_it_began() -> None:
    assert over().settle(MODIFIED, "2026-01-01T00:00:00Z") == "2026-01-01T00:00:00Z"
    assert over().settle(MODIFIED, None) == "2026-03-01T11:59:00Z"


def test_an_older_row_does_not_set_a_clock_back() -> None:
    one = see(over(), "2026-01-01T00:00:00Z")
    assert one.settle(MODIFIED, "2026-02-01T00:00:00Z") == "2026-02-01T00:00:00Z"


def test_x3_a_pass_that_may_have_missed_a_row_moves_the_clock_only_as_far_as_the_one_before() -> None:
    facts: dict[str, str] = {}
    mark = "2026-01-01T00:00:00Z"
    for expected, newest in (
        (mark, "2026-02-01T00:00:00Z"),
        ("2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"),
    ):
        one = see(over(facts), newest)
        one.count(2)
        assert "2 rows were counted, 1 came" in one.trouble
        assert one.settle(MODIFIED, mark) == expected


def test_a_row_without_a_key_is_trouble() -> None:
    one = over()
    one.see(None, {})
    assert one.trouble == "1 rows have no key"
