import re
from collections.abc import Callable

import pytest

from service.errors import RetryLater
from service.feeds.keyed_search import QUERY_CHARS, in_lists
from tests.feeds.answers import reply
from tests.feeds.conftest import Open
from tests.feeds.scripted import Reply, Request, ScriptedServer, ok


def rows(*lines: str, columns: str = "Key\tModified", count: int | None = None, more: str = "") -> Reply:
    head = f'<COUNT Records="{len(lines) if count is None else count}"/><COLUMNS>\t{columns}\t</COLUMNS>'
    body = "".join(f"<DATA>\t{line}\t</DATA>" for line in lines)
    return ok(f'<RETS ReplyCode="0" ReplyText="ok">{head}{body}{more}</RETS>')


def without_offset(keys: list[str], gone: tuple[str, ...] = ()) -> Callable[[Request], Reply]:
    """A server that gives all keys at once, and records by lists of keys; some go in between."""

    def answer(request: Request) -> Reply:
        if request.params["Select"] == "Key":
            return rows(*keys, columns="Key")
        asked = re.findall(r'[^=(),"]+', request.params["Query"])[1:]
        here = [f"{key}\t2024-01-0{key}" for key in asked if key not in gone]
        return rows(*here) if here else ok(reply(20201))

    return answer


def test_q63_q65_keys_come_first_and_records_by_lists_of_them(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/search"] = without_offset(list("12345"))
    source = open_source(paging="keys", limit=2)
    pages = list(source.changes(None))
    assert [(said.key, said.modified) for page in pages for said in page.listings] == [
        (str(number), f"2024-01-0{number}") for number in range(1, 6)
    ]
    assert pages[-1].cursor == "2024-01-05"
    params = [request.params for request in server.asked("/search")]
    assert not [asked for asked in params if "Offset" in asked]
    assert [(asked["Query"], asked["Select"], asked["Limit"]) for asked in params] == [
        ("(ModificationTimestamp=1970-01-01T00:00:00Z)", "Key", "NONE"),
        ("(Key=1,2)", "Key,Photos,Count,Modified", "2"),
        ("(Key=3,4)", "Key,Photos,Count,Modified", "2"),
        ("(Key=5)", "Key,Photos,Count,Modified", "1"),
    ]


def test_q65_a_listing_that_goes_between_keys_and_records_takes_no_other_with_it(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/search"] = without_offset(list("12345"), gone=("2", "5"))
    pages = list(open_source(paging="keys", limit=2).changes(None))
    assert [said.key for page in pages for said in page.listings] == ["1", "3", "4"]
    assert pages[-1].cursor == "2024-01-04"


def test_records_that_disagree_with_their_count_keep_the_cursor_one_pass_behind(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/search"] = lambda request: (
        rows("1", "2", columns="Key") if request.params["Select"] == "Key" else rows("1\t2024-01-01", count=2)
    )
    source = open_source(paging="keys")
    assert [list(source.changes(None))[-1].cursor for _ in range(2)] == [None, "2024-01-01"]


@pytest.mark.parametrize("said", [rows("1\t2024-01-01", more="<MAXROWS/>", count=2), rows(count=2)])
def test_records_that_are_cut_short_are_asked_for_again(
    server: ScriptedServer, open_source: Open, said: Reply
) -> None:
    server.handlers["/search"] = lambda request: (
        rows("1", "2", columns="Key") if request.params["Select"] == "Key" else said
    )
    with pytest.raises(RetryLater, match="COUNT says 2"):
        list(open_source(paging="keys").changes(None))


def test_crea_s_master_list_is_read_by_lists_of_ids(server: ScriptedServer, open_source: Open) -> None:
    def answer(request: Request) -> Reply:
        ids = re.findall(r"\d+", request.params["Query"])
        inside = "<Photo><PropertyPhoto><SequenceId>1</SequenceId></PropertyPhoto></Photo>"
        listings = [f'<PropertyDetails ID="{id_}">{inside}</PropertyDetails>' for id_ in ids]
        if "*" in request.params["Query"]:
            listings = ['<PropertyDetails ID="7"/>', f'<PropertyDetails ID="8">{inside}</PropertyDetails>']
        count = f'<COUNT Records="{len(listings)}"/>'
        return ok(f'<RETS ReplyCode="0" ReplyText="ok">{count}{"".join(listings)}</RETS>')

    server.handlers["/search"] = answer
    source = open_source(paging="keys", query="(ID=*)", search_format="STANDARD-XML")
    found = [said for page in source.changes(None) for said in page.listings]
    # 8 came as a whole record: there is nothing left to ask.
    assert [(said.key, len(said.photos or ())) for said in found] == [("8", 1), ("7", 1)]
    assert [request.params["Query"] for request in server.asked("/search")] == ["(ID=*)", "(ID=7)"]


def test_all_keys_come_in_one_answer(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/search"] = without_offset(list("123"))
    for paging in ("keys", "none"):
        snapshot = open_source(paging=paging).keys()
        assert (snapshot.keys, snapshot.complete, snapshot.paged) == (frozenset("123"), True, False)
    assert {request.params["Limit"] for request in server.asked("/search")} == {"NONE"}


def test_the_field_of_the_keys_is_that_of_the_query_for_all_keys(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/search"] = without_offset(["1"])
    list(open_source(paging="keys", keys_query="( sysid = *)").changes(None))
    list(open_source(paging="keys", keys_query="*").changes(None))
    assert [request.params["Query"] for request in server.asked("/search")[1::2]] == ["(sysid=1)", "(Key=1)"]


def test_lists_of_keys_are_bounded_by_number_and_by_length() -> None:
    assert list(in_lists("abcde", 2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(in_lists([], 2)) == []
    long = ["Ü" * 100] * 5
    assert [len(some) for some in in_lists(long, 100)] == [2, 2, 1]
    assert list(in_lists(["x" * QUERY_CHARS * 2], 2)) == [["x" * QUERY_CHARS * 2]]
