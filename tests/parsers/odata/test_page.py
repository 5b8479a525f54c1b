import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import LimitExceeded, Malformed, ParseError, Truncated
from parsers.odata.page import Page, flag, read_failure, read_page, rows_of, text, whole


def page(**members: object) -> bytes:
    return json.dumps({"value": [], **members}).encode()


@pytest.mark.parametrize("at", ["@", "@@"])
def test_c4_annotations_are_read_in_both_spellings(at: str) -> None:
    document = {
        f"{at}odata.context": "https://api.example/$metadata#Property",
        f"{at}odata.count": 1,
        f"{at}odata.totalCount": 2295,
        f"{at}odata.nextLink": "https://api.example/property/skiptoken/FGlu==",
        "value": [{"ListingKey": "1"}],
        "group": [],
        "debug": {},
    }
    link = "https://api.example/property/skiptoken/FGlu=="
    assert read_page(json.dumps(document).encode()) == Page(({"ListingKey": "1"},), link, 1, 2295)


def test_a_count_without_a_total_is_of_the_whole_answer() -> None:
    assert read_page(page(**{"@odata.count": 7})).total == 7


def test_c7_a_page_that_counts_nothing_is_the_last_whatever_it_links_to() -> None:
    assert read_page(page(**{"@odata.count": 0, "@odata.nextLink": "https://api.example/more"})).is_last


def test_a_page_with_a_link_is_not_the_last_even_without_rows() -> None:
    assert not read_page(page(**{"@odata.nextLink": "https://api.example/more"})).is_last


def test_c6_a_field_that_is_absent_is_as_good_as_null() -> None:
    (row,) = read_page(b'{"value": [{"A": null}]}').rows
    assert text(row, "A") is text(row, "B") is None


def test_numbers_keep_every_digit() -> None:
    (row,) = read_page(b'{"value": [{"Key": 20100912153422758914000000, "Price": 1.10, "Order": -3}]}').rows
    assert text(row, "Key") == "20100912153422758914000000"
    assert text(row, "Price") == "1.10"
    assert whole(row, "Order") == -3


@pytest.mark.parametrize("value", ["1.5", '"abc"', "null", "true", "[1]", '"\\u0663x"', "1" * 400])
def test_what_is_no_whole_number_is_none(value: str) -> None:
    (row,) = read_page(b'{"value": [{"Order": %b}]}' % value.encode()).rows
    assert whole(row, "Order") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("1", True),
        ('"Y"', True),
        ('"True"', True),
        ("false", False),
        ("0", False),
        ("{}", False),
    ],
)
def test_a_flag_comes_as_a_boolean_or_as_text(value: str, *, expected: bool) -> None:
    (row,) = read_page(b'{"value": [{"PreferredPhotoYN": %b}]}' % value.encode()).rows
    assert flag(row, "PreferredPhotoYN") is expected


@pytest.mark.parametrize("media", ["null", "{}", "[1]", '"x"'])
def test_an_expansion_that_is_no_list_of_objects_is_none_and_not_empty(media: str) -> None:
    (row,) = read_page(b'{"value": [{"Media": %b}]}' % media.encode()).rows
    assert rows_of(row, "Media") is None


@pytest.mark.parametrize("end", range(1, 40))
def test_x7_a_page_that_is_cut_anywhere_is_truncated(end: int) -> None:
    whole_page = b'{"value": [{"ListingKey": "1"}, {"ListingKey": "2"}]}'
    with pytest.raises(Truncated):
        read_page(whole_page[:end])


@pytest.mark.parametrize(
    "document",
    [
        b"<html>busy</html>",
        b"[]",
        b"{}",
        b'{"value": {}}',
        b'{"value": [1]}',
        b'{"value": [NaN]}',
        b"\xff\xfe{",
    ],
)
def test_what_is_no_page_is_malformed(document: bytes) -> None:
    with pytest.raises(Malformed):
        read_page(document)


def test_nesting_without_end_is_a_limit() -> None:
    with pytest.raises(LimitExceeded):
        read_page(b'{"value": ' + b"[" * 200_000)


@given(st.binary(max_size=200))
def test_nothing_but_a_parse_error_is_raised(document: bytes) -> None:
    try:
        read_page(document)
    except ParseError:
        return


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b'{"error": {"code": "429", "message": "Slow\\n down"}}', "429: Slow down"),
        (b'{"error": "invalid_client", "error_description": "no such id"}', "invalid_client: no such id"),
        (b'{"D": {"Success": false, "Code": 1020, "Message": "Session expired"}}', "1020: Session expired"),
        (b'{"message": "Unauthorized"}', "Unauthorized"),
        (b"<html>", ""),
        (b"[1]", ""),
        (b'{"error": 5}', "5"),
    ],
)
def test_a_failure_is_told_in_a_line(document: bytes, said: str) -> None:
    assert read_failure(document) == said


def test_what_no_database_can_hold_is_a_question_mark() -> None:
    rows = rb'{"value": [{"a": "x\u0000y", "b": ["\ud83d"], "c": "\ud83c\udfe0", "d": "\\u0000"}]}'
    assert read_page(rows).rows == ({"a": "x?y", "b": ["?"], "c": "\U0001f3e0", "d": "\\u0000"},)
