import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.errors import LimitExceeded, Malformed, ParseError, Truncated
from parsers.records import ListingState
from parsers.rets.compact import CompactListings, CompactParser
from parsers.rets.reply import Reply, Verdict
from parsers.rets.search import MAX_REASONS, FieldNames, SearchEnd
from parsers.rets.table import Row
from tests.parsers.deadline import bounded
from tests.parsers.rets.played import FIELDS, compact, play, play_every_way
from tests.parsers.splits import byte_by_byte, cuts, in_chunks, whole


def rows_of(body: bytes, *wanted: str) -> tuple[list[Row], SearchEnd]:
    return play_every_way(lambda: CompactParser(wanted or None), body)


def listings_of(body: bytes, fields: FieldNames = FIELDS) -> tuple[list[ListingState], SearchEnd]:
    return play_every_way(lambda: CompactListings(fields), body)


def test_rows_hold_the_wanted_cells_in_the_wanted_order() -> None:
    body = (
        b'<RETS ReplyCode="0" ReplyText="Operation Success.">\r\n<COUNT Records="2" />\r\n'
        b'<DELIMITER value="09" />\r\n<COLUMNS>\tA\tB\tC\t</COLUMNS>\r\n'
        b"<DATA>\t1\tx &amp; y\t\t</DATA>\r\n<DATA>\t2\tcaf\xc3\xa9\t3\t</DATA>\r\n<MAXROWS/>\r\n</RETS>\r\n"
    )
    rows, end = rows_of(body, "c", "Missing", "A", "B", "a")
    assert rows == [("", None, "1", "x & y", "1"), ("3", None, "2", "caf\u00e9", "2")]
    assert end == SearchEnd(Reply(0, "Operation Success."), 2, 2, max_rows=True, ended=True, quarantined=())


def test_without_a_choice_rows_hold_every_cell() -> None:
    assert CompactParser().columns == ()
    parser = CompactParser()
    rows, _ = play(parser, whole(compact("<DATA>\tk\tt\t3\t</DATA>")))
    assert parser.columns == ("ListingKey", "PhotosChangeTimestamp", "PhotosCount")
    assert rows == [("k", "t", "3")]


def test_listings_say_nothing_of_single_photos() -> None:
    body = compact(
        "<DATA>\tk1\t2024-01-01T00:00:00.000\t25\t2024-02-01T00:00:00\t</DATA>",
        "<DATA>\t k2 \t\tmany\t\t</DATA>",
        columns="\tlistingkey\tPHOTOSCHANGETIMESTAMP\tPhotosCount\tModificationTimestamp\t",
    )
    listings, end = listings_of(body)
    assert listings == [
        ListingState("k1", "2024-01-01T00:00:00.000", "2024-02-01T00:00:00", expected_count=25),
        ListingState("k2"),
    ]
    assert end.rows == 2


def test_a_listing_without_its_key_is_quarantined_with_its_row() -> None:
    body = compact("<DATA>\tk1\tt\t1\t</DATA>", "<DATA>\t \tt\t2\t</DATA>", "<DATA>\tk3\tt\t3\t</DATA>")
    listings, end = listings_of(body)
    assert [listing.key for listing in listings] == ["k1", "k3"]
    assert (end.rows, end.quarantined) == (2, ("row 2: it has no ListingKey",))


def test_a_table_without_the_key_column_gives_nothing_and_says_why() -> None:
    listings, end = listings_of(compact("<DATA>\t1\t</DATA>", columns="\tMLSNumber\t"))
    assert (listings, end.rows, end.quarantined) == ([], 0, ("row 1: it has no ListingKey",))


def test_q55_rets_status_wins_over_the_root() -> None:
    body = compact("<DATA>\tk\tt\t1\t</DATA>", '<RETS-STATUS ReplyCode="20208" ReplyText="Maximum records"/>')
    listings, end = listings_of(body)
    assert len(listings) == 1
    assert end.reply == Reply(20208, "Maximum records")
    nothing = b'<RETS ReplyCode="0" ReplyText="ok"><RETS-STATUS replycode="20201" ReplyText="None"/></RETS>'
    assert listings_of(nothing)[1].reply.verdict is Verdict.NOTHING


@pytest.mark.parametrize("form", ["/>", "></RETS>", ">\r\n</RETS>\r\n"])
def test_q56_no_records_is_an_empty_end(form: str) -> None:
    listings, end = listings_of(f'<RETS ReplyCode="20201" ReplyText="No Records Found."{form}'.encode())
    assert listings == []
    assert end == SearchEnd(
        Reply(20201, "No Records Found."), None, 0, max_rows=False, ended=True, quarantined=()
    )


def test_q57_q58_the_end_holds_both_the_count_and_the_rows() -> None:
    _, end = listings_of(b'<RETS ReplyCode="0" ReplyText="ok"><COUNT Records="1402"/></RETS>')
    assert (end.count, end.rows, end.ended) == (1402, 0, True)
    _, end = listings_of(compact('<COUNT records="2"/>', "<DATA>\tk\tt\t1\t</DATA>"))
    assert (end.count, end.rows) == (2, 1)


def test_q59_no_count_is_unknown_not_zero() -> None:
    assert listings_of(compact("<DATA>\tk\tt\t1\t</DATA>"))[1].count is None
    assert listings_of(compact('<COUNT Records=""/>'))[1].count is None
    assert listings_of(compact('<COUNT Records="0"/>'))[1].count == 0


@pytest.mark.parametrize("mark", ["<MAXROWS/>", "<MAXROWS></MAXROWS>", "<maxrows />"])
def test_q60_q61_maxrows_is_reported(mark: str) -> None:
    assert listings_of(compact("<DATA>\tk\tt\t1\t</DATA>", mark))[1].max_rows


def test_q62_q64_without_maxrows_the_rows_received_are_still_counted() -> None:
    body = compact('<COUNT Records="9000"/>', *("<DATA>\tk\tt\t1\t</DATA>" for _ in range(3)))
    _, end = listings_of(body)
    assert (end.rows, end.max_rows, end.count) == (3, False, 9000)


def test_q66_no_delimiter_means_tab() -> None:
    assert listings_of(compact("<DATA>\tk\tt\t1\t</DATA>"))[0] == [ListingState("k", "t", expected_count=1)]


@pytest.mark.parametrize("attribute", ['value="9"', 'value = "09"', 'Value="09"', "VALUE='0009'"])
def test_q67_the_delimiter_is_hexadecimal_of_any_length(attribute: str) -> None:
    body = (
        f'<RETS ReplyCode="0"><DELIMITER {attribute}/><COLUMNS>\tA\tB\t</COLUMNS><DATA>\t1\t2\t</DATA></RETS>'
    )
    assert rows_of(body.encode())[0] == [("1", "2")]


@pytest.mark.parametrize(("value", "mark"), [("7C", "|"), ("7c", "|"), ("2C", ","), ("5E", "^"), ("23", "#")])
def test_q68_the_delimiter_is_never_decimal(value: str, mark: str) -> None:
    cells = mark.join(("", "1", "a\tb", ""))
    body = f'<DELIMITER value="{value}"/><COLUMNS>{mark}A{mark}B{mark}</COLUMNS><DATA>{cells}</DATA>'
    assert rows_of(f'<RETS ReplyCode="0">{body}</RETS>'.encode())[0] == [("1", "a\tb")]


def test_a_delimiter_behind_the_columns_still_counts() -> None:
    body = b'<RETS ReplyCode="0"><COLUMNS>|A|B|</COLUMNS><DELIMITER value="7C"/><DATA>|1|2|</DATA></RETS>'
    assert rows_of(body, "B")[0] == [("2",)]


@pytest.mark.parametrize("value", ["tab", "", "110000", "-9", "D800"])
def test_a_delimiter_that_is_no_character_is_malformed(value: str) -> None:
    with pytest.raises(Malformed, match="DELIMITER"):
        rows_of(f'<RETS ReplyCode="0"><DELIMITER value="{value}"/></RETS>'.encode())


@pytest.mark.parametrize(
    ("columns", "row", "cells"),
    [
        ("\tA\tB\t", "\t1\t2\t", ("1", "2")),
        ("A\tB", "1\t2", ("1", "2")),
        ("A\tB", "\t2", ("", "2")),
        ("A\tB", "1\t", ("1", "")),
        ("\tA\tB", "\t1\t2", ("1", "2")),
        ("\tA\tB", "\t1\t", ("1", "")),
        ("A\tB\t", "1\t2\t", ("1", "2")),
        ("A\tB\t", "\t2\t", ("", "2")),
        ("\tA\tB\t", "\t\t\t", ("", "")),
        ("\tA\tB\t", "1\t2", ("1", "2")),
        ("\tA\tB\t", "\r\n\t1\t2\t\r\n", ("1", "2")),
    ],
)
def test_q69_an_empty_edge_is_dropped_only_where_columns_has_it_too(
    columns: str, row: str, cells: Row
) -> None:
    rows, end = rows_of(compact(f"<DATA>{row}</DATA>", columns=columns))
    assert (rows, end.quarantined) == ([cells], ())


@pytest.mark.parametrize("row", ["\t1\t", "\t1", "1"])
def test_q70_a_short_row_is_padded(row: str) -> None:
    assert rows_of(compact(f"<DATA>{row}</DATA>"))[0] == [("1", "", "")]


def test_q70_a_longer_row_is_quarantined_and_the_rest_goes_on() -> None:
    body = compact("<DATA>\t1\t2\t3\t</DATA>", "<DATA>\t1\t2\t3\t4\t</DATA>", "<DATA>\t5\t6\t7\t</DATA>")
    rows, end = rows_of(body)
    assert rows == [("1", "2", "3"), ("5", "6", "7")]
    assert (end.rows, end.quarantined) == (2, ("row 2: 4 values for 3 columns",))


@pytest.mark.parametrize(("columns", "row"), [("A", ""), ("\tA\t", "\t\t"), ("\tA", "\t"), ("A\t", "\t")])
def test_q71_one_column_with_an_empty_value_is_a_row_of_one_empty_string(columns: str, row: str) -> None:
    assert rows_of(compact(f"<DATA>{row}</DATA>", columns=columns))[0] == [("",)]


def test_q72_control_characters_and_bad_references_are_filtered() -> None:
    body = compact("<DATA>\tk\x0b1\ta&#x10;b\t&#55357;&#56832;\t</DATA>")
    assert rows_of(body)[0] == [("k1", "ab", "\U0001f600")]


@pytest.mark.parametrize("text", ["R&D", "3 < 5", "<b>bold</b>", "a > b", '"', "it's"])
def test_q73_bare_markup_in_a_cell_is_text(text: str) -> None:
    rows, end = rows_of(compact(f"<DATA>\tk\t{text}\t1\t</DATA>", "<DATA>\tk2\tx\t1\t</DATA>"))
    assert rows == [("k", text, "1"), ("k2", "x", "1")]
    assert end.quarantined == ()


@pytest.mark.parametrize("first", ["<DATA>\tk\tt\t1\t", "<DATA>k", "<DATA>\tk\t<![CDATA[t]]>\t1\t</DATA>"])
def test_q73_rows_that_run_into_each_other_are_quarantined(first: str) -> None:
    rows, end = rows_of(compact(first, "<DATA>\tk2\tx\t1\t</DATA>", "<DATA>\tk3\tx\t1\t</DATA>"))
    assert rows[-1] == ("k3", "x", "1")
    assert end.quarantined == ("row 1: another element stands inside it",)


def test_q74_doubly_encoded_references_stay_text() -> None:
    assert rows_of(compact("<DATA>\tk\t&amp;#233; &amp;amp;\t1\t</DATA>"))[0] == [("k", "&#233; &amp;", "1")]


@pytest.mark.parametrize(
    "declaration", [b"", b'<?xml version="1.0" encoding="utf-8"?>', b'<?xml encoding="latin-1"?>']
)
def test_q75_windows_1252_bytes_under_any_declaration(declaration: bytes) -> None:
    body = declaration + compact("<DATA>\tk\tQu\u00e9bec \u201cx\u201d\t1\t</DATA>").decode().encode("cp1252")
    assert rows_of(body)[0] == [("k", "Qu\u00e9bec \u201cx\u201d", "1")]


def test_q76_blank_lines_before_the_declaration() -> None:
    body = b'\r\n\r\n <?xml version="1.0"?>\r\n' + compact("<DATA>\tk\tt\t1\t</DATA>")
    assert len(listings_of(body)[0]) == 1


def test_q77_rows_before_the_cut_are_good_and_the_end_says_that_it_did_not_come() -> None:
    body = compact("<DATA>\tk1\tt\t1\t</DATA>", "<DATA>\tk2\tt\t1\t</DATA>")
    for length in range(body.index(b"<COLUMNS>"), len(body.rstrip())):
        listings, end = play(CompactListings(FIELDS), in_chunks(body[:length], 7))
        assert [listing.key for listing in listings] == ["k1", "k2"][: body[:length].count(b"</DATA>")]
        assert not end.ended


def test_q78_attribute_names_in_any_case() -> None:
    _, end = listings_of(b'<RETS replyCode="20206" replytext="Invalid Query Syntax"></RETS>')
    assert end.reply == Reply(20206, "Invalid Query Syntax")


def test_q103_the_photo_time_is_a_field_of_its_own() -> None:
    body = compact("<DATA>\t1\tphotos\tlisting\t</DATA>", columns="\tLIST_1\tLIST_134\tLIST_87\t")
    listings, _ = listings_of(body, FieldNames("LIST_1", "LIST_134", "", "LIST_87"))
    assert listings == [ListingState("1", stamp="photos", modified="listing")]
    listings, _ = listings_of(body, FieldNames("LIST_1", "LIST_87", "", ""))
    assert listings == [ListingState("1", stamp="listing")]


@pytest.mark.parametrize(
    "row",
    [
        "<DATA >\tk\tt\t1\t</DATA>",
        "<data>\tk\tt\t1\t</data>",
        '<DATA n="1">\tk\tt\t1\t</DATA >',
        "<!-- <DATA> --><DATA>\tk\tt\t1\t</DATA>",
    ],
)
def test_odd_tags_around_a_row_do_no_harm(row: str) -> None:
    rows, end = rows_of(compact(row, "<DATA>\tk2\tt\t2\t</DATA>"), "ListingKey")
    assert (rows, end.quarantined) == ([("k",), ("k2",)], ())


def test_other_elements_and_text_between_rows_are_passed_over() -> None:
    body = compact("<X a='>'/> < 5 <?pi?><DATA>\tk\tt\t1\t</DATA>", "<!-- </RETS> -->", "text")
    rows, end = rows_of(body, "ListingKey")
    assert (rows, end.ended) == ([("k",)], True)


def test_a_row_before_its_columns_is_quarantined() -> None:
    rows, end = rows_of(
        b'<RETS ReplyCode="0"><DATA>\t1\t</DATA><COLUMNS>\tA\t</COLUMNS><DATA>\t2\t</DATA></RETS>'
    )
    assert (rows, end.quarantined) == ([("2",)], ("row 1: no COLUMNS came before it",))


def test_reasons_are_kept_up_to_a_limit() -> None:
    body = compact(*["<DATA>\t1\t2\t3\t4\t</DATA>"] * (MAX_REASONS + 20))
    _, end = play(CompactParser(), whole(body))
    assert len(end.quarantined) == MAX_REASONS
    assert end.rows_quarantined == MAX_REASONS + 20


def test_what_follows_the_root_is_not_read() -> None:
    body = compact("<DATA>\tk\tt\t1\t</DATA>") + b"\r\n<DATA>\tk2\tt\t1\t</DATA><html>"
    listings, end = listings_of(body)
    assert (len(listings), end.ended) == (1, True)


@pytest.mark.parametrize("body", [b"", b"\r\n", b"<RETS ReplyCode="])
def test_an_empty_or_cut_answer_without_rets_is_truncated(body: bytes) -> None:
    with pytest.raises(Truncated):
        listings_of(body)


@pytest.mark.parametrize(
    "body", [b"<html><DATA>1</DATA></html>", b"\xff\xd8\xff\xe0", b"<RETS><DATA>1</DATA></RETS>"]
)
def test_what_is_no_rets_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        listings_of(body)


def test_a_row_that_does_not_end_passes_a_limit() -> None:
    body = compact()[: -len("</RETS>")] + b"<DATA>" + b"x" * 2000
    with pytest.raises(LimitExceeded, match="row 1 is longer than 1000 bytes"):
        play(CompactParser(max_row_bytes=1000), in_chunks(body, 100))


@pytest.mark.parametrize("start", [b"<DATA>" + b"x" * 70_000, b"<a " + b'b="" ' * 14_000, b"<a" * 35_000])
def test_a_long_row_that_comes_byte_by_byte_takes_time_by_its_bytes(start: bytes) -> None:
    with bounded():
        rows, end = play(CompactParser(), byte_by_byte(compact()[: -len("</RETS>")] + start))
    assert (rows, end.ended) == ([], False)


CELL = st.text(alphabet="ab\t|&;#<>/DATA\u00e9\x0b \r\n", max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(CELL.map(lambda cell: f"<DATA>{cell}</DATA>"), max_size=4), CELL)
def test_any_rows_read_the_same_however_they_are_cut(
    data: st.DataObject, rows: list[str], columns: str
) -> None:
    body = compact(*rows, columns=columns.replace("<", ""))
    assert play(CompactParser(), data.draw(cuts(body))) == play(CompactParser(), whole(body))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=3)), max_size=3))
def test_mutated_answers_never_raise_anything_but_a_parse_error(
    data: st.DataObject, wounds: list[tuple[int, bytes]]
) -> None:
    body = compact(
        '<COUNT Records="2"/>', "<DATA>\tk\tt\t1\t</DATA>", "<DATA>\tk2\tt\t2\t</DATA>", "<MAXROWS/>"
    )
    for at, bytes_ in wounds:
        body = body[:at] + bytes_ + body[at + 2 :]
    played = []
    for chunks in (whole(body), data.draw(cuts(body))):
        try:
            played.append(play(CompactListings(FIELDS), chunks))
        except ParseError as error:
            played.append(([], type(error)))  # type: ignore[arg-type]  # only compared
    assert played[0] == played[1]
