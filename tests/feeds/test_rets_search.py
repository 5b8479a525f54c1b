from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat

import pytest

from parsers.records import ListingState
from parsers.rets.compact import CompactListings
from parsers.rets.search import FieldNames
from service.errors import RetryLater, ServiceError, StopFeed, TransferCut
from service.feeds import endless as endless_answers
from service.feeds import rets_search
from service.feeds.rets_client import RetsClient
from service.feeds.rets_search import ListingSearch, in_batches
from tests.feeds.answers import reply
from tests.feeds.conftest import Configure
from tests.feeds.scripted import (
    Handler,
    Reply,
    Request,
    ScriptedServer,
    chunked,
    cut,
    ok,
    one_after_the_other,
)

NONE = ok('<RETS ReplyCode="20201" ReplyText="No Records Found"/>')

Search = Callable[..., ListingSearch]


def page(keys: Sequence[int | str], *, count: int | None = None, more: str = "", code: int = 0) -> Reply:
    """A COMPACT answer; `more` stands behind the rows."""
    return ok(document(keys, count=count, more=more, code=code))


def document(keys: Sequence[int | str], *, count: int | None = None, more: str = "", code: int = 0) -> str:
    rows = "".join(f"<DATA>\t{key}\t2024-01-01T00:00:00Z\t</DATA>\n" for key in keys)
    counted = "" if count is None else f'<COUNT Records="{count}"/>'
    columns = '<DELIMITER value="09"/><COLUMNS>\tKey\tModified\t</COLUMNS>'
    return f'<RETS ReplyCode="{code}" ReplyText="said">{counted}{columns}\n{rows}{more}</RETS>'


def paged(total: Sequence[int], *, cap: int = 10**9, counted: bool = True, more: str = "") -> Handler:
    """A server that pages: at most `cap` rows of `total` from Offset on; `more` where rows are left."""

    def answer(request: Request) -> Reply:
        offset, limit = int(request.params["Offset"]) - 1, int(request.params["Limit"])
        size = min(limit, cap)
        rows = total[offset : offset + size]
        if not rows:
            return NONE
        rest = more if len(rows) == size else ""
        return page(rows, count=len(total) if counted else None, more=rest)

    return answer


@pytest.fixture
def search(server: ScriptedServer, configure: Configure) -> Iterator[Search]:
    client = RetsClient("mls", configure())

    def build(handler: Handler, limit: int | None = 100, *, paged: bool = True) -> ListingSearch:
        server.handlers["/search"] = handler
        fields = FieldNames("key", "", "", "modified")
        query = {"Query": "(Key=*)"}
        return ListingSearch(client, "mls", query, lambda: CompactListings(fields), limit=limit, paged=paged)

    yield build
    client.logout()


def keys_of(listings: Iterator[ListingState]) -> list[str]:
    return [listing.key for listing in listings]


def texts(numbers: Sequence[int]) -> list[str]:
    return [str(number) for number in numbers]


def read_until_trouble(search: ListingSearch) -> tuple[list[str], ServiceError]:
    keys: list[str] = []
    with pytest.raises(ServiceError) as raised:
        keys.extend(listing.key for batch in in_batches(search.listings()) for listing in batch)
    return keys, raised.value


def offsets(server: ScriptedServer) -> list[int]:
    return [int(request.params["Offset"]) for request in server.asked("/search")]


@pytest.mark.parametrize("paged", [True, False])
def test_no_object_found_is_no_empty_search(search: Search, *, paged: bool) -> None:
    keys, trouble = read_until_trouble(search(lambda _: ok(reply(20403)), paged=paged))
    assert (keys, type(trouble)) == ([], RetryLater)
    assert "20403" in trouble.what


def endless(row: bytes) -> Reply:
    """Two good rows, then this one for ever."""
    opening, _, _ = document([1, 2]).encode().partition(b"</RETS>")
    return chunked(chain((opening,), repeat(row * 1000)))


def test_an_answer_that_repeats_its_rows_for_ever_is_left(search: Search) -> None:
    row = b"<DATA>\t2\t2024-01-01T00:00:00Z\t</DATA>\n"
    keys, trouble = read_until_trouble(search(lambda _: endless(row)))
    assert isinstance(trouble, RetryLater)
    assert "no end" in trouble.what
    assert set(keys) == {"1", "2"}


def test_an_answer_without_rows_that_goes_on_for_ever_is_left(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endless_answers, "MAX_ROWLESS", 2**20)
    _, trouble = read_until_trouble(search(lambda _: endless(b"<!-- still here -->" * 50)))
    assert isinstance(trouble, RetryLater)
    assert "no end" in trouble.what


def test_rows_that_come_twice_are_no_endless_answer(search: Search) -> None:
    some = [number for number in range(900) for _ in range(2)]
    assert keys_of(search(lambda _: page(some, count=900), paged=False).listings()) == texts(some)


def test_q56_no_records_found_is_an_empty_success(search: Search) -> None:
    assert list(search(lambda _request: NONE).listings()) == []


def test_q55_a_late_status_wins_over_the_code_of_the_head(search: Search) -> None:
    said = page([], more='<RETS-STATUS ReplyCode="20201" ReplyText="none"/>')
    assert keys_of(search(lambda _request: said).listings()) == []


def test_q55_a_late_status_may_announce_more(server: ScriptedServer, search: Search) -> None:
    status = '<RETS-STATUS ReplyCode="20208" ReplyText="max"/>'
    first = page([1, 2], more=status)
    assert keys_of(search(one_after_the_other(first, page([3]))).listings()) == ["1", "2", "3"]
    assert offsets(server) == [1, 3]


def test_q60_a_full_last_page_is_followed_until_20201(server: ScriptedServer, search: Search) -> None:
    handler = paged(range(1, 5), counted=False, more="<MAXROWS/>")
    assert keys_of(search(handler, limit=2).listings()) == ["1", "2", "3", "4"]
    assert offsets(server) == [1, 3, 5]


def test_q61_max_rows_after_everything_counted_is_the_end(server: ScriptedServer, search: Search) -> None:
    handler = paged(range(1, 5), more="<MAXROWS/>")
    assert keys_of(search(handler, limit=4).listings()) == ["1", "2", "3", "4"]
    assert offsets(server) == [1]


def test_q62_fewer_rows_than_count_are_followed_without_max_rows(
    server: ScriptedServer, search: Search
) -> None:
    assert keys_of(search(paged(range(7), cap=3)).listings()) == texts(range(7))
    assert offsets(server) == [1, 4, 7]


def test_q64_steps_follow_the_rows_received_and_not_the_limit(server: ScriptedServer, search: Search) -> None:
    handler = paged(range(12), cap=5, counted=False, more="<MAXROWS/>")
    assert keys_of(search(handler, limit=1000).listings()) == texts(range(12))
    assert offsets(server) == [1, 6, 11]


def test_q59_without_count_a_short_page_is_the_last(server: ScriptedServer, search: Search) -> None:
    assert keys_of(search(paged(range(5), counted=False), limit=2).listings()) == texts(range(5))
    assert offsets(server) == [1, 3, 5]


@pytest.mark.parametrize("count", [1, 1402])
def test_q57_a_count_without_rows_is_no_empty_success(search: Search, count: int) -> None:
    keys, error = read_until_trouble(search(lambda _request: page([], count=count)))
    assert isinstance(error, RetryLater)
    assert f"COUNT says {count} listings, 0 rows came" in str(error)
    assert keys == []


def test_q57_rows_that_stop_far_below_count_are_no_success(search: Search) -> None:
    keys, error = read_until_trouble(search(one_after_the_other(page(range(100), count=1402), NONE)))
    assert "COUNT says 1402 listings, 100 rows came" in str(error)
    assert len(keys) == 100


def test_q58_a_row_less_than_count_is_drift(search: Search) -> None:
    handler = one_after_the_other(page(range(1425), count=1426), NONE)
    assert len(keys_of(search(handler, limit=5000).listings())) == 1425


@pytest.mark.parametrize("repeated", [page(range(1425), count=1426), page([], code=20203)])
def test_q58_q63_drift_is_no_failure_where_offset_is_unknown(search: Search, repeated: Reply) -> None:
    handler = one_after_the_other(page(range(1425), count=1426), repeated)
    assert len(set(keys_of(search(handler, limit=5000).listings()))) == 1425


@pytest.mark.parametrize(
    "again", [page(range(10), count=50), page(range(5), count=50), page([], code=20203, count=50)]
)
def test_q63_a_server_without_offset_is_found_out(
    server: ScriptedServer, search: Search, again: Reply
) -> None:
    _, error = read_until_trouble(search(one_after_the_other(page(range(10), count=50), again), limit=10))
    assert isinstance(error, RetryLater)
    assert "set feeds.mls.paging" in str(error)
    assert len(offsets(server)) == 2


def test_q63_the_same_page_again_without_count_is_found_out(search: Search) -> None:
    keys, error = read_until_trouble(search(lambda _request: page([1, 2], more="<MAXROWS/>"), limit=2))
    assert "the same page again" in str(error)
    assert keys == ["1", "2", "1", "2"]


def test_q65_a_result_that_moves_between_pages_brings_every_key_that_it_shows(search: Search) -> None:
    handler = one_after_the_other(page([1, 2, 3], count=6), page([3, 4, 5], count=6), NONE)
    assert keys_of(search(handler, limit=3).listings()) == ["1", "2", "3", "3", "4", "5"]


def test_q77_an_answer_that_stops_in_the_middle_is_cut_after_its_good_rows(search: Search) -> None:
    keys, error = read_until_trouble(search(lambda _request: ok(document(range(50))[:-500])))
    assert isinstance(error, TransferCut)
    assert keys == texts(range(len(keys)))
    assert 0 < len(keys) < 50


def test_a_transfer_that_is_cut_raises_after_its_good_rows(search: Search) -> None:
    whole = document(range(50)).encode()
    keys, error = read_until_trouble(search(lambda _request: cut(whole, len(whole) - 500)))
    assert isinstance(error, TransferCut)
    assert 0 < len(keys) < 50


def test_listings_are_handed_on_in_batches_of_bounded_size(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rets_search, "BATCH", 20)
    found = search(paged(range(50), cap=30))
    sizes = [len(batch) for batch in in_batches(found.listings())]
    assert sizes == [20, 20, 10]


def test_rows_that_cannot_be_read_are_counted_and_stepped_over(
    server: ScriptedServer, search: Search
) -> None:
    first = page([1, "x\ty\tz\tw", 3], more="<MAXROWS/>")
    found = search(one_after_the_other(first, page([4])), limit=3)
    assert keys_of(found.listings()) == ["1", "3", "4"]
    assert found.quarantined == 1
    assert "row 2" in found.reason
    assert offsets(server) == [1, 4]


def test_rows_that_cannot_be_read_are_stepped_over_however_many_they_are(
    server: ScriptedServer, search: Search
) -> None:
    first = page([1, *["x\ty\tz\tw"] * 150, 3], more="<MAXROWS/>", count=153)
    found = search(one_after_the_other(first, page([4], count=153)), limit=152)
    assert keys_of(found.listings()) == ["1", "3", "4"]
    assert found.quarantined == 150
    assert offsets(server) == [1, 153]
    assert found.is_whole(early=3)


# One answer.


def test_q63_one_answer_is_asked_for_without_offset_and_limit(server: ScriptedServer, search: Search) -> None:
    found = search(lambda _request: page(range(700), count=700), limit=None, paged=False)
    assert keys_of(found.listings()) == texts(range(700))
    assert found.is_whole(early=0)
    (request,) = server.asked("/search")
    assert request.params["Limit"] == "NONE"
    assert "Offset" not in request.params


def test_one_answer_may_have_a_limit_of_its_own(server: ScriptedServer, search: Search) -> None:
    handler = one_after_the_other(page([1, 2], count=2, more="<MAXROWS/>"))
    assert keys_of(search(handler, limit=2, paged=False).listings()) == ["1", "2"]  # Q61
    assert server.asked("/search")[0].params["Limit"] == "2"


@pytest.mark.parametrize(
    "said",
    [
        page([1, 2], count=3, more="<MAXROWS/>"),
        page([1, 2], more="<MAXROWS/>"),
        page([1, 2], code=20208),
        page(range(100), count=1402),
        page([], count=3),
    ],
)
def test_one_answer_that_does_not_hold_everything_is_no_end(search: Search, said: Reply) -> None:
    keys, error = read_until_trouble(search(lambda _request: said, limit=None, paged=False))
    assert isinstance(error, RetryLater)
    assert "COUNT says" in str(error)
    assert len(keys) in {0, 2, 100}


@pytest.mark.parametrize(("count", "whole"), [(3, True), (None, True), (4, False)])
def test_q58_one_answer_may_drift_but_is_not_whole_then(
    search: Search, count: int | None, *, whole: bool
) -> None:
    found = search(lambda _request: page([1, 2, 3], count=count), limit=None, paged=False)
    assert keys_of(found.listings()) == ["1", "2", "3"]
    assert found.is_whole(early=3) is whole


def test_no_records_in_one_answer_are_an_empty_success(search: Search) -> None:
    found = search(lambda _request: NONE, limit=None, paged=False)
    assert keys_of(found.listings()) == []
    assert found.is_whole(early=0)


# Refusals.


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (20200, StopFeed, r"feeds.mls.query"),
        (20202, StopFeed, r"feeds.mls.fields"),
        (20206, StopFeed, r"feeds.mls.since_format"),
        (20207, StopFeed, r"feeds.mls.query"),
        (20209, RetryLater, r"20209 said"),
        (20211, RetryLater, r"lower feeds.mls.limit"),
        (29999, RetryLater, r"29999 said"),
    ],
)
def test_a_refused_search_says_what_to_do(
    search: Search, code: int, error: type[ServiceError], says: str
) -> None:
    _, raised = read_until_trouble(search(lambda _request: page([], code=code)))
    assert type(raised) is error
    assert str(raised).startswith("feed mls: Search was answered with")
    assert says in str(raised)


@pytest.mark.parametrize("body", ["<html>maintenance</html>", ""])
def test_an_answer_that_is_no_rets_is_tried_later(search: Search, body: str) -> None:
    _, error = read_until_trouble(search(lambda _request: ok(body)))
    assert isinstance(error, RetryLater)
    assert "feed mls: Search: " in str(error)
