import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import LimitExceeded, Malformed, ParseError, Truncated
from parsers.rets.opening import MAX_OPENING_BYTES, OpeningReader, maybe_opening
from tests.parsers.deadline import bounded
from tests.parsers.splits import byte_by_byte, every_way

FULL = (
    b'\r\n \n<?xml version="1.0" encoding="ISO-8859-1"?>\r\n'
    b'<!DOCTYPE RETS [<!ENTITY lol "a>b"> <!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
    b'<!-- <RETS ReplyCode="1"> -->\n<RETS ReplyCode="0" Note="a > b" >rest'
)


def test_q76_blank_lines_declaration_doctype_and_comments_are_passed_over_at_every_split() -> None:
    for chunks in every_way(FULL):
        reader = OpeningReader()
        rest = b""
        for chunk in chunks:
            rest += reader.receive_data(chunk) if reader.opening is None else chunk
        opening = reader.close()
        assert opening.attributes == {"replycode": "0", "note": "a > b"}
        assert (opening.name, opening.encoding, opening.empty) == ("RETS", "cp1252", False)
        assert rest == b'<RETS ReplyCode="0" Note="a > b" >rest'


@pytest.mark.parametrize("length", range(FULL.index(b">rest")))
def test_every_start_of_an_opening_may_need_more(length: int) -> None:
    assert maybe_opening(FULL[:length]) is None


@pytest.mark.parametrize(
    "answer",
    [
        b"<html><head><title>Log in</title>",
        b"Server too busy",
        b"\x89PNG\r\n\x1a\n",
        b'{"error": 1}',
        b"< RETS>",
    ],
)
def test_q100_what_is_no_rets_answer_is_malformed_at_the_end_only(answer: bytes) -> None:
    for chunks in every_way(answer):
        reader = OpeningReader()
        assert not any(map(reader.receive_data, chunks))
        with pytest.raises(Malformed, match="not a RETS answer"):
            reader.close()


@pytest.mark.parametrize(
    "answer", [b"", b" \r\n", b"<?xml version=", b"<!-- ", b"<RETS", b'<RETS ReplyCode="0']
)
def test_an_answer_that_ends_before_its_element_is_truncated(answer: bytes) -> None:
    reader = OpeningReader()
    assert reader.receive_data(answer) == b""
    with pytest.raises(Truncated):
        reader.close()


def test_an_opening_without_an_end_is_held_up_to_a_limit() -> None:
    reader = OpeningReader()
    assert reader.receive_data(b"<!--" + b"x" * (MAX_OPENING_BYTES - 4)) == b""
    with pytest.raises(LimitExceeded, match=str(MAX_OPENING_BYTES)):
        reader.receive_data(b"x")


@pytest.mark.parametrize(
    "opening", [b"<!--" + b"- " * 32_000, b'<RETS a="' + b"b" * 64_000, b"<" + b"R" * 64_000]
)
def test_a_long_opening_that_comes_byte_by_byte_takes_time_by_its_bytes(opening: bytes) -> None:
    reader = OpeningReader()
    with bounded():
        assert not any(map(reader.receive_data, byte_by_byte(opening)))
        with pytest.raises(Truncated):
            reader.close()


def test_a_prefixed_root_is_known_by_its_local_name() -> None:
    opening = maybe_opening(b'<r:RETS xmlns:r="u" ReplyCode="0"/>')
    assert opening is not None
    assert (opening.name, opening.empty) == ("RETS", True)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise_anything_but_a_parse_error(answer: bytes) -> None:
    try:
        opening = maybe_opening(answer)
    except ParseError:
        return
    assert opening is None or opening.start < opening.end <= len(answer)
