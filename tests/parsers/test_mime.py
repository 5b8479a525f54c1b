from base64 import encodebytes
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import Malformed, ParseError, Truncated
from parsers.mime import ContentType, Headers, boundaries, decode_body, parse_content_type, parse_header_block
from tests.parsers.splits import cuts, every_way


def decoded(encoding: str, chunks: list[bytes]) -> bytes:
    return b"".join(decode_body(encoding, iter(chunks)))


# Header lines.


def test_headers_are_found_whatever_their_case_and_kept_in_order() -> None:
    headers = Headers([("Content-ID", "1"), ("content-id", "2"), ("Object-ID", "3")])
    assert headers.get("CONTENT-ID") == "1"
    assert headers.get_all("Content-Id") == ("1", "2")
    assert headers.get("Location") is None
    assert headers.get("Location", "none") == "none"
    assert headers.get_all("Location") == ()
    assert list(headers) == [("Content-ID", "1"), ("content-id", "2"), ("Object-ID", "3")]
    assert len(headers) == 3
    assert "object-id" in headers
    assert "location" not in headers
    assert 3 not in headers


def test_headers_are_values() -> None:
    pairs = [("A", "1")]
    assert Headers(pairs) == Headers(iter(pairs))
    assert hash(Headers(pairs)) == hash(Headers(pairs))
    assert Headers(pairs) != Headers([("A", "2")])
    assert Headers(pairs) != pairs


def test_repr_of_headers_shows_no_values() -> None:
    assert repr(Headers([("Set-Cookie", "RETS-Session-ID=planted")])) == "Headers(Set-Cookie)"


@pytest.mark.parametrize(
    ("block", "pairs"),
    [
        (b"Content-ID: 1\r\nObject-ID: 2\r\n", [("Content-ID", "1"), ("Object-ID", "2")]),
        (b"Content-ID: 1\nObject-ID: 2", [("Content-ID", "1"), ("Object-ID", "2")]),
        (b"Content-ID: 1\r\r\nObject-ID: 2\r\n\r\n", [("Content-ID", "1"), ("Object-ID", "2")]),
        (b"ObjectData: A=b:c=d\r\n", [("ObjectData", "A=b:c=d")]),
        (b"Location:\r\nObject-ID: 2\r\n", [("Location", ""), ("Object-ID", "2")]),
        (b"", []),
        (b"\r\n", []),
    ],
)
def test_q8_header_lines_end_in_crlf_or_lf(block: bytes, pairs: list[tuple[str, str]]) -> None:
    assert list(parse_header_block(block)) == pairs


def test_q11_description_over_several_lines_without_a_leading_blank() -> None:
    block = (
        b"Content-Description: Bright kitchen\r\nwith island & view. See http://example.org/a:b\r\n"
        b"\r\n  and 2 baths\r\n\tupstairs\r\nObject-ID: 1\r\n"
    )
    headers = parse_header_block(block)
    description = "Bright kitchen with island & view. See http://example.org/a:b and 2 baths upstairs"
    assert list(headers) == [("Content-Description", description), ("Object-ID", "1")]


def test_q11_a_folded_line_with_a_colon_is_no_header() -> None:
    headers = parse_header_block(b"Content-Description:\r\n Note: sold\r\nObject-ID: 1\r\n")
    assert list(headers) == [("Content-Description", "Note: sold"), ("Object-ID", "1")]


def test_q12_no_blank_behind_the_colon() -> None:
    headers = parse_header_block(b"Content-ID:311602\r\nObject-ID :\t1 \r\n")
    assert list(headers) == [("Content-ID", "311602"), ("Object-ID", "1")]


def test_q13_header_names_in_any_case() -> None:
    headers = parse_header_block(b"Content-type: image/jpeg\r\nObject-id: 1\r\n")
    assert headers.get("Content-Type") == "image/jpeg"
    assert headers.get("Object-ID") == "1"


@pytest.mark.parametrize(
    ("block", "pairs"),
    [
        (b"no colon\r\nObject-ID: 1\r\n", [("Object-ID", "1")]),
        (b"Object-ID: 1\r\n: nameless\r\n", [("Object-ID", "1")]),
        (b": nameless\r\nObject-ID: 1\r\n", [("Object-ID", "1")]),
        (b"Content-Description: a\r\nno colon\r\n", [("Content-Description", "a no colon")]),
        (b"Content-Description: a\r\ntwo words: b\r\n", [("Content-Description", "a two words: b")]),
        (b"Content-Description:\r\n: nameless\r\n", [("Content-Description", "")]),
    ],
)
def test_q14_a_line_without_a_field_name_is_continuation_or_nothing(
    block: bytes, pairs: list[tuple[str, str]]
) -> None:
    assert list(parse_header_block(block)) == pairs


def test_q23_a_folded_duplicate_header_is_kept_as_sent() -> None:
    assert parse_header_block(b"MIME-Version: 1.0, 1.0\r\n").get("mime-version") == "1.0, 1.0"


@pytest.mark.parametrize("raw", ["caf\u00e9".encode(), "caf\u00e9".encode("latin-1")])
def test_header_text_is_utf_8_or_latin_1(raw: bytes) -> None:
    assert parse_header_block(b"Content-Description: " + raw).get("content-description") == "caf\u00e9"


@given(st.binary())
def test_any_bytes_are_a_header_block(block: bytes) -> None:
    for name, value in parse_header_block(block):
        assert name
        assert value == value.strip(" \t\r\n")
        assert "\n" not in value


# Content-Type.


@pytest.mark.parametrize(
    ("value", "media_type", "params"),
    [
        (None, "", {}),
        ("", "", {}),
        ("image/jpeg", "image/jpeg", {}),
        (" Image/JPEG ;", "image/jpeg", {}),
        (
            'multipart/parallel; boundary="simple boundary"; charset=utf-8',
            "multipart/parallel",
            {"boundary": "simple boundary", "charset": "utf-8"},
        ),
        (
            "multipart/parallel;boundary=abc;charset=US-ASCII",
            "multipart/parallel",
            {"boundary": "abc", "charset": "US-ASCII"},
        ),
        ("mutipart/mixed; BOUNDARY = abc ", "mutipart/mixed", {"boundary": "abc"}),
        ("multipart/mixed; boundary=----=_Part_1.2=", "multipart/mixed", {"boundary": "----=_Part_1.2="}),
        ("multipart/mixed; boundary='abc'", "multipart/mixed", {"boundary": "'abc'"}),
        (r'multipart/mixed; boundary="a\"b\\;c"; x=1', "multipart/mixed", {"boundary": r'a"b\;c', "x": "1"}),
        ('multipart/mixed; boundary="abc', "multipart/mixed", {"boundary": "abc"}),
        (
            "multipart/mixed; boundary=abc, multipart/mixed; boundary=abc",
            "multipart/mixed",
            {"boundary": "abc"},
        ),
        ("multipart/mixed; boundary=first; boundary=second", "multipart/mixed", {"boundary": "first"}),
        ("multipart/mixed; boundary=", "multipart/mixed", {"boundary": ""}),
        ("multipart/mixed; boundary", "multipart/mixed", {}),
    ],
)
def test_q1_q2_content_type_is_read_by_its_grammar(
    value: str | None, media_type: str, params: dict[str, str]
) -> None:
    assert parse_content_type(value) == ContentType(media_type, params)


@pytest.mark.parametrize(
    ("said", "candidates"),
    [
        ("abc", (b"abc",)),
        ('"abc "', (b"abc",)),
        ("'abc'", (b"'abc'", b"abc")),
        ("'abc", (b"'abc",)),
        ("''", (b"''",)),
        ("'", (b"'",)),
        ("", ()),
    ],
)
def test_q3_a_boundary_in_single_quotes_is_tried_with_and_without(
    said: str, candidates: tuple[bytes, ...]
) -> None:
    assert boundaries(parse_content_type(f"multipart/mixed; boundary={said}")) == candidates


def test_no_boundary_no_candidates() -> None:
    assert boundaries(parse_content_type("image/jpeg")) == ()


@given(st.text())
def test_any_text_is_a_content_type(value: str) -> None:
    content_type = parse_content_type(value + "; boundary=" + value)
    assert all(boundaries(content_type))


# Transfer encodings.


@pytest.mark.parametrize("encoding", ["", "binary", "8bit", "7bit", "BINARY", "x-unknown"])
def test_q19_every_encoding_but_base64_is_the_bytes_themselves(encoding: str) -> None:
    chunks: list[bytes | memoryview] = [b"\xff\xd8", memoryview(b"=\r\n")]
    assert [*decode_body(encoding, iter(chunks))] == chunks


@pytest.mark.parametrize("encoding", ["base64", " Base64 "])
def test_q19_base64_is_decoded_at_any_split(encoding: str) -> None:
    for length in (0, 1, 2, 3, 58, 100):
        photo = bytes(range(length))
        for chunks in every_way(encodebytes(photo).replace(b"\n", b"\r\n")):
            assert decoded(encoding, chunks) == photo


def test_q19_base64_is_decoded_from_views_before_the_body_has_ended() -> None:
    def body() -> Iterator[bytes | memoryview]:
        yield memoryview(b"/9j/4AAQ")
        raise AssertionError("read on")

    assert next(decode_body("base64", body())) == b"\xff\xd8\xff"


@pytest.mark.parametrize(
    "text", [b"AA==AAAA", b"A===", b"====", b"AA=A", b"AA*A", b"\xff\xd8\xff\xe0", b"AAAA===="]
)
def test_q19_illegal_base64_is_malformed_at_any_split(text: bytes) -> None:
    for chunks in every_way(text):
        with pytest.raises(Malformed):
            decoded("base64", chunks)


@pytest.mark.parametrize("text", [b"A", b"AA", b"AAA", b"AAAAA", b"AAAAAA="])
def test_q19_base64_that_ends_inside_a_group_is_truncated(text: bytes) -> None:
    for chunks in every_way(text):
        with pytest.raises(Truncated):
            decoded("base64", chunks)


@given(st.one_of(st.binary(), st.text("AQgw=+/ \r\n").map(str.encode)), st.data())
def test_q19_any_bytes_decode_or_raise_a_parse_error_the_same_at_any_split(
    body: bytes, data: st.DataObject
) -> None:
    def outcome(chunks: list[bytes]) -> bytes | type[ParseError]:
        try:
            return decoded("base64", chunks)
        except ParseError as error:
            return type(error)

    assert outcome([body]) == outcome(data.draw(cuts(body)))
