"""Passes over a result that changes while it is read, page by page, over HTTP."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from structlog.testing import capture_logs

from service.core.ports import Facts
from service.feeds.rets import RetsSource
from tests.feeds.answers import reply
from tests.feeds.conftest import Open
from tests.feeds.scripted import Reply, Request, ScriptedServer, ok

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = 86_400


def stamp(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Result:
    """Rows by key, with the second of their last change; `before` happens before each answer."""

    rows: dict[int, int]
    clock: int = 1000
    before: Callable[[int], None] = lambda _answer: None
    off_by: int = 0
    dated: bool = True
    by_time: bool = False
    answers: int = 0
    versions: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for key, second in self.rows.items():
            self.put(key, second)

    def put(self, key: int, second: int | None = None) -> None:
        if second is None:
            self.clock += 1
            second = self.clock
        self.rows[key] = second
        self.versions.add((str(key), second))

    def __call__(self, request: Request) -> Reply:
        self.before(self.answers)
        self.answers += 1
        since = re.search(r"=([^+)]+)", request.params["Query"])
        assert since
        found = [(key, second) for key, second in self.rows.items() if stamp(second) >= since[1]]
        found.sort(key=lambda row: (row[1], row[0]) if self.by_time else row)
        start = int(request.params["Offset"]) - 1
        page = found[start : start + int(request.params["Limit"])]
        if not page:
            return ok(reply(20201))
        lines = "".join(f"<DATA>\t{key}\t{stamp(second)}\t</DATA>" for key, second in page)
        head = f'<COUNT Records="{len(found) + self.off_by}"/><COLUMNS>\tKey\tModified\t</COLUMNS>'
        date = [("Date", format_datetime(START + timedelta(seconds=self.clock), usegmt=True))]
        body = f'<RETS ReplyCode="0" ReplyText="ok">{head}{lines}</RETS>'
        return ok(body, headers=date if self.dated else [])


@pytest.fixture
def follow(server: ScriptedServer, open_source: Open) -> Callable[..., RetsSource]:
    """A source of pages of three rows, at the real time of the result."""

    def build(result: Result, facts: Facts | None = None, day: int = 0) -> RetsSource:
        server.handlers["/search"] = result
        now = START + timedelta(seconds=1000, days=day)
        return open_source(facts, now, query="(Modified={since}+)", limit=3)

    return build


Follow = Callable[..., RetsSource]


def read_pass(source: RetsSource, mark: str | None) -> tuple[list[str], str | None]:
    """The keys of one pass, and the mark that is safe behind it."""
    pages = list(source.changes(mark))
    return [said.key for page in pages for said in page.listings], pages[-1].cursor


def once(answer: int, happens: Callable[[], object]) -> Callable[[int], None]:
    """Something that happens before the answer of this number."""

    def before(number: int) -> None:
        if number == answer:
            happens()

    return before


def six() -> Result:
    """Two pages, last changed at the seconds 10 to 60."""
    return Result({key: 10 * key for key in range(1, 7)})


def test_a_result_that_stands_still_moves_the_cursor_to_its_last_change(follow: Follow) -> None:
    assert read_pass(follow(six()), None) == (list("123456"), stamp(60))


# Rows that move between pages.


def test_q65_a_row_that_slipped_to_a_page_already_read_comes_in_the_next_pass(follow: Follow) -> None:
    result = six()
    result.before = once(1, lambda: result.rows.pop(1))
    source = follow(result)
    assert read_pass(source, None) == (list("12356"), None)
    assert read_pass(source, None) == (list("23456"), stamp(60))


def test_q65_a_row_that_slipped_is_missed_though_the_count_is_the_same(follow: Follow) -> None:
    result = six()

    def swap() -> None:
        del result.rows[1]
        result.put(7)

    result.before = once(1, swap)
    source = follow(result)
    assert read_pass(source, stamp(5)) == (list("123567"), stamp(5))
    keys, mark = read_pass(source, stamp(5))
    assert (keys, mark) == (list("234567"), stamp(60))


def test_q65_a_row_that_went_to_the_end_pulls_another_one_past_the_reader(follow: Follow) -> None:
    result = six()
    result.by_time = True
    result.before = once(1, lambda: result.put(1))
    source = follow(result)
    assert read_pass(source, None) == (list("123561"), None)
    assert read_pass(source, None) == (list("234561"), stamp(60))


def test_q65_a_row_that_came_in_front_only_repeats_another(follow: Follow) -> None:
    result = six()
    result.before = once(1, lambda: result.put(0))
    source = follow(result)
    # 0 was not seen, but it changed after the pass began, and the cursor stays before that.
    assert read_pass(source, None) == (list("1233456"), stamp(60))
    result.clock += 60
    assert read_pass(source, stamp(60)) == (["0", "6"], stamp(1001))


def test_what_changed_after_a_pass_began_does_not_move_the_cursor(follow: Follow) -> None:
    result = six()
    source = follow(result)
    result.before = once(1, lambda: result.put(5))
    keys, mark = read_pass(source, None)
    # 5 was counted, and came as another one: nobody can say that nothing else is missing.
    assert (keys, mark) == (list("123456"), None)
    result.clock += 60
    assert read_pass(source, None) == (list("123456"), stamp(1001))


def test_one_answer_is_whole_and_its_later_rows_come_again(follow: Follow) -> None:
    result = Result({1: 10, 2: 1005})
    source = follow(result)
    assert read_pass(source, None) == (["1", "2"], stamp(10))
    assert read_pass(source, stamp(10)) == (["1", "2"], stamp(10))
    result.clock = 1064
    assert read_pass(source, stamp(10)) == (["1", "2"], stamp(10))
    result.clock = 1065
    assert read_pass(source, stamp(10)) == (["1", "2"], stamp(1005))


def test_q58_q65_a_count_that_is_always_wrong_keeps_the_cursor_one_pass_behind(follow: Follow) -> None:
    result = six()
    result.off_by = 1
    source = follow(result)
    assert read_pass(source, None) == (list("123456"), None)
    for key in (7, 8, 9):
        result.put(key)
    result.clock += 60
    keys, mark = read_pass(source, None)
    assert (keys, mark) == (list("123456789"), stamp(60))
    result.put(10)
    assert read_pass(source, mark) == (["6", "7", "8", "9", "10"], stamp(1003))


def test_q65_what_a_pass_may_have_missed_is_known_after_a_restart(follow: Follow) -> None:
    result = six()
    result.off_by = 1
    facts: dict[str, str] = {}
    assert read_pass(follow(result, facts), None)[1] is None
    assert read_pass(follow(result, facts), None)[1] == stamp(60)


def test_a_doubt_about_another_mark_does_not_move_this_one(follow: Follow) -> None:
    result = six()
    result.off_by = 1
    source = follow(result)
    assert read_pass(source, stamp(10))[1] == stamp(10)
    assert read_pass(source, None)[1] is None
    assert read_pass(source, None)[1] == stamp(60)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("by_time", [False, True])
def test_q65_no_change_is_ever_lost_while_the_result_moves(
    follow: Follow, seed: int, *, by_time: bool
) -> None:
    """Every version of every row was seen, or is still found by the cursor, or was replaced or removed."""
    dice = random.Random(seed)  # noqa: S311 - a test's dice
    result = Result({key: 10 * key for key in range(1, 12)}, by_time=by_time)
    source = follow(result)

    def stir(_answer: int) -> None:
        for _ in range(dice.choice((0, 0, 1, 2))):
            if dice.random() < 0.4 and result.rows:
                del result.rows[dice.choice(list(result.rows))]
            else:
                result.put(dice.randrange(1, 30))

    result.before = stir
    mark: str | None = None
    seen: set[tuple[str, str | None]] = set()
    for _ in range(6):
        result.clock += 60
        pages = list(source.changes(mark))
        seen |= {(said.key, said.modified) for page in pages for said in page.listings}
        mark = pages[-1].cursor
        for key, second in result.rows.items():
            assert (str(key), stamp(second)) in seen or mark is None or stamp(second) >= mark, (key, second)
    assert mark is not None


# Clocks.


@pytest.mark.parametrize("dated", [False, True])
def test_a_time_in_the_future_does_not_move_the_cursor_and_is_told_once(
    follow: Follow, *, dated: bool
) -> None:
    result = Result({1: 10, 2: 1000 + 2 * DAY, 3: 1000 + 9 * DAY}, dated=dated)
    source = follow(result)
    with capture_logs() as logs:
        assert read_pass(source, None)[1] == stamp(10)
        assert read_pass(source, stamp(10))[1] == stamp(10)
    assert [said.key for page in source.changes(None) for said in page.listings] == ["1", "2", "3"]
    (event,) = [entry for entry in logs if entry["event"] == "search.future_stamp"]
    assert (event["feed"], event["listing"], event["stamp"]) == ("mls", "2", stamp(1000 + 2 * DAY))


def test_a_time_of_the_next_hours_moves_nothing_and_is_no_wonder(follow: Follow) -> None:
    source = follow(Result({1: 10, 2: 1000 + DAY // 2}))
    with capture_logs() as logs:
        assert read_pass(source, None)[1] == stamp(10)
    assert not [entry for entry in logs if entry["event"] == "search.future_stamp"]


@pytest.mark.parametrize(("day", "mark"), [(0, stamp(10)), (30, stamp(1500))])
def test_a_date_far_from_our_own_clock_is_not_believed(follow: Follow, day: int, mark: str) -> None:
    assert read_pass(follow(Result({1: 10, 2: 1500}), day=day), None)[1] == mark


def test_an_unreadable_date_is_none(server: ScriptedServer, open_source: Open) -> None:
    head = '<COUNT Records="1"/><COLUMNS>\tKey\tModified\t</COLUMNS>'
    body = f'<RETS ReplyCode="0" ReplyText="ok">{head}<DATA>\t1\t{stamp(10)}\t</DATA></RETS>'
    server.handlers["/search"] = lambda _request: ok(body, headers=[("Date", "today")])
    assert read_pass(open_source(), None) == (["1"], stamp(10))
