"""Every bundle here is parsed whole, byte by byte and at every split, with the same parts each time."""

import pytest

from parsers.errors import Malformed, Truncated
from parsers.mime import boundaries, parse_content_type
from parsers.multipart import MultipartParser, PartEnd, sniff_boundary
from tests.parsers.bundles import bodies, collect, ids, parts_everywhere
from tests.parsers.splits import byte_by_byte, cut_at, every_way

TAILS = [b"\r", b"\n", b"\r\n", b"\r\r", b"\n\r", b"\r\n\r\n", b"-", b"--", b"\r\n-", b"\r\n--", b"--b", b" "]
PICTURE = b"\xff\xd8\xff\xe0picture\xff\xd9"


# Framing quirks of the field guide.


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/parallel; boundary="simple boundary"; charset=utf-8',
        "multipart/parallel;boundary=simple boundary;charset=US-ASCII",
        "MUTIPART/mixed; Boundary='simple boundary'",
    ],
    ids=["q1_quoted", "q2_token", "q3_single_quotes"],
)
def test_q1_q2_q3_the_boundary_of_the_content_type_frames_the_body(content_type: str) -> None:
    body = b"--simple boundary\r\nObject-ID: 1\r\n\r\nabc\r\n--simple boundary--\r\n"
    boundary = boundaries(parse_content_type(content_type))[-1]
    assert bodies(parts_everywhere(body, boundary)) == [b"abc"]


def test_q3_single_quotes_that_are_part_of_the_boundary_are_kept() -> None:
    said, bare = boundaries(parse_content_type("multipart/mixed; boundary='b'"))
    assert bodies(parts_everywhere(b"--'b'\r\n\r\nabc\r\n--'b'--", said)) == [b"abc"]
    assert bodies(parts_everywhere(b"--b\r\n\r\nabc\r\n--b--", bare)) == [b"abc"]


@pytest.mark.parametrize(
    ("head", "boundary"),
    [
        (b"--xyz\r\nContent-ID: 1\r\n", b"xyz"),
        (b"\r\n\r\n--simple boundary \nContent-ID: 1\n", b"simple boundary"),
        (b"--x\n", b"x"),
        (b"--xyz", None),
        (b"--\r\n", None),
        (b"<RETS ReplyCode='20403'/>\r\n--xyz\r\n", None),
        (b"\xff\xd8\xff\xe0--xyz\r\n", None),
        (b"", None),
        (b"--" + b"x" * 1001 + b"\r\n", None),
    ],
)
def test_q4_the_first_line_names_the_boundary_that_the_content_type_does_not(
    head: bytes, boundary: bytes | None
) -> None:
    assert sniff_boundary(head) == boundary


def test_q4_a_sniffed_boundary_frames_the_body() -> None:
    body = b"--xyz\r\nObject-ID: 1\r\n\r\nabc\r\n--xyz--\r\n"
    boundary = sniff_boundary(body)
    assert boundary is not None
    assert bodies(parts_everywhere(body, boundary)) == [b"abc"]


def test_q5_no_line_end_before_the_first_delimiter() -> None:
    assert bodies(parts_everywhere(b"--b\r\nObject-ID: 1\r\n\r\nabc\r\n--b--\r\n")) == [b"abc"]


@pytest.mark.parametrize(
    "preamble",
    [
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"This is a multi-part message.\r\n",
        b"--\r\n-\r\n--bogus\r\n--",
        b"see --b\r\nfor more\r\r\n",
    ],
)
def test_q6_junk_before_the_first_delimiter_is_discarded(preamble: bytes) -> None:
    body = preamble + b"\r\n--b\r\nObject-ID: 1\r\n\r\nabc\r\n--b--\r\n"
    assert bodies(parts_everywhere(body)) == [b"abc"]


def test_q7_without_its_closing_delimiter_a_body_is_truncated() -> None:
    whole = b"--b\r\nObject-ID: 1\r\n\r\nabc\r\n--b\r\nObject-ID: 2\r\n\r\ndef\r\n--b--"
    for end in range(len(whole)):
        with pytest.raises(Truncated):
            collect(MultipartParser(b"b"), [whole[:end]])
    assert bodies(parts_everywhere(whole)) == [b"abc", b"def"]


@pytest.mark.parametrize(
    ("tail", "last"),
    [
        (b"", b"def"),
        (b"\r\n", b"def\r\n"),
        (b"\r", b"def\r"),
        (b"\r\n-", b"def\r\n-"),
        (b"\r\n--", b"def\r\n--"),
        (b"\r\n--bc", b"def\r\n--bc"),
        # The end of the body ends the delimiter's line too.
        (b"\r\n--b", b"def"),
        (b"\r\n--b\r", b"def"),
        (b"\r\n--b\r\n", b"def"),
        (b"\r\n--b\r\n\r", b"def"),
        (b"\n--b ", b"def"),
    ],
)
def test_q7_a_vouched_body_ends_its_last_part(tail: bytes, last: bytes) -> None:
    body = b"--b\r\nObject-ID: 1\r\n\r\nabc\r\n--b\r\nObject-ID: 2\r\n\r\ndef" + tail
    assert bodies(parts_everywhere(body, vouched=True)) == [b"abc", last]


@pytest.mark.parametrize("tail", [b"\r\n--b", b"\n--b\n", b"\n\n--b--"])
def test_q7_a_vouched_body_may_end_in_a_header_only_part(tail: bytes) -> None:
    parts = parts_everywhere(b"--b\r\n\r\nabc\r\n--b\r\nObject-ID: 2" + tail, vouched=True)
    assert bodies(parts) == [b"abc", b""]
    assert ids(parts) == [None, "2"]


@pytest.mark.parametrize("tail", [b"", b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n", b"\n\n \n\t"])
def test_q7_a_vouched_body_that_ends_before_a_part_says_anything_is_truncated(tail: bytes) -> None:
    body = b"--b\r\n\r\nabc\r\n--b\r\nObject-ID: 2" + tail
    for chunks in every_way(body):
        with pytest.raises(Truncated, match="part 2"):
            collect(MultipartParser(b"b"), chunks, vouched=True)


def test_q7_a_body_that_begins_with_blanks_says_something() -> None:
    body = b"--b\r\nObject-ID: 2\r\n\r\n" + b" \r\n" * 9 + b"no"
    assert bodies(parts_everywhere(body, vouched=True)) == [b" \r\n" * 9 + b"no"]


def test_a_vouched_body_that_holds_no_delimiter_is_malformed() -> None:
    for body in (b"", b"\r\n", b"<RETS ReplyCode='20403'/>", b"--", b"--other\r\n\r\nabc\r\n--other--"):
        with pytest.raises(Malformed, match="without any delimiter"):
            parts_everywhere(body, vouched=True)


def test_close_may_be_called_again() -> None:
    parser = MultipartParser(b"b")
    parser.receive_data(b"--b\r\n\r\nabc")
    assert parser.close(vouched=True) == [PartEnd()]
    assert parser.close() == []


@pytest.mark.parametrize("first", [b"\n", b"\r\n"])
@pytest.mark.parametrize("other", [b"\n", b"\r\n"])
def test_q8_lines_end_in_crlf_or_lf_in_any_mixture(first: bytes, other: bytes) -> None:
    body = first.join([b"--b", b"Object-ID: 1" + other, b"abc" + other + b"--b", b"", b"d", b"--b--", b""])
    parts = parts_everywhere(body)
    assert bodies(parts) == [b"abc", b"d"]
    assert ids(parts) == ["1", None]


def test_q9_header_only_part_ends_at_the_delimiter() -> None:
    body = (
        b"--b\r\nContent-ID: 7\r\nObject-ID: 1\r\n--b\r\nContent-ID: 7\r\nObject-ID: 2\r\n\r\nabc"
        b"\r\n--b\r\nObject-ID: 3\r\n--b\r\nObject-ID: 4\r\n--b--\r\n"
    )
    parts = parts_everywhere(body)
    assert ids(parts) == ["1", "2", "3", "4"]
    assert bodies(parts) == [b"", b"abc", b"", b""]


def test_q9_header_line_that_only_looks_like_the_delimiter_is_a_header_line() -> None:
    body = b"--b\r\nObject-ID: 1\r\n--bogus: x\r\n--\r\nContent-ID: 7\r\n\r\nabc\r\n--b--"
    [(headers, data)] = parts_everywhere(body)
    assert (headers.get("--bogus"), headers.get("content-id"), data) == ("x --", "7", b"abc")


def test_q9_two_delimiters_in_a_row_hold_no_part() -> None:
    body = b"--b\r\n--b\r\nObject-ID: 1\r\n\r\nabc\r\n--b\r\n--b--\r\n"
    assert bodies(parts_everywhere(body)) == [b"abc"]


def test_q10_header_line_that_begins_with_a_tag_begins_the_body() -> None:
    body = (
        b"--b\r\nContent-Type: text/xml\r\nContent-ID: 20270724\r\nObject-ID: 9\r\n"
        b'<RETS ReplyCode="20403" ReplyText="No Object Found"/>\r\n\r\n'
        b"--b\r\nObject-ID: 10\r\n\r\nabc\r\n--b--"
    )
    parts = parts_everywhere(body)
    assert ids(parts) == ["9", "10"]
    assert bodies(parts) == [b'<RETS ReplyCode="20403" ReplyText="No Object Found"/>\r\n', b"abc"]


def test_q10_body_may_begin_right_behind_the_delimiter() -> None:
    parts = parts_everywhere(b'--b\r\n<RETS ReplyCode="20403"/>\r\n--b\n<p>\n--b--')
    assert bodies(parts) == [b'<RETS ReplyCode="20403"/>', b"<p>"]


def test_q11_description_over_several_lines_continues_its_header() -> None:
    body = b"--b\r\nContent-Description: A home\r\nwith a view\r\nObject-ID: 1\r\n\r\nabc\r\n--b--"
    [(headers, data)] = parts_everywhere(body)
    assert headers.get("content-description") == "A home with a view"
    assert (headers.get("object-id"), data) == ("1", b"abc")


def test_q12_q13_header_names_in_any_case_and_no_blank_behind_the_colon() -> None:
    [(headers, _)] = parts_everywhere(b"--b\r\nContent-type:image/jpeg\r\nObject-id:3\r\n\r\nabc\r\n--b--")
    assert headers.get("Content-Type") == "image/jpeg"
    assert headers.get("OBJECT-ID") == "3"


def test_q14_lines_that_are_no_headers_lose_neither_the_part_nor_the_others() -> None:
    body = b"--b\r\nno colon here\r\n: nameless\r\nObject-ID: 1\r\n: nameless\r\n\r\nabc\r\n--b--"
    [(headers, data)] = parts_everywhere(body)
    assert list(headers) == [("Object-ID", "1")]
    assert data == b"abc"


@pytest.mark.parametrize("length", [b"29", b"1", b"999999999", b"-1", b"many"])
def test_q15_the_delimiter_decides_not_the_content_length(length: bytes) -> None:
    body = b"--b\r\nContent-Length: " + length + b"\r\n\r\nabc\r\n--b\r\n\r\ndef\r\n--b--"
    assert bodies(parts_everywhere(body)) == [b"abc", b"def"]


@pytest.mark.parametrize(
    "inside",
    [
        b"x--b\r\n",
        b"\r\n--bc",
        b"\r\n--B\r\n",
        b"\r--b\r\n",
        b"\r\n --b\r\n",
        b"\r\n--b\rx",
        b"\r\n--b-x",
        b"\n-b--",
    ],
)
def test_q16_boundary_text_inside_image_bytes_is_data(inside: bytes) -> None:
    body = b"--b\r\n\r\n" + PICTURE + inside + PICTURE + b"\r\n--b\r\n\r\n" + inside + b"\r\n--b--"
    assert bodies(parts_everywhere(body)) == [PICTURE + inside + PICTURE, inside]


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b" \r\n", b"\t \t\n", b" what ever\r\n"])
def test_q16_a_delimiter_may_carry_transport_padding(end: bytes) -> None:
    body = b"--b" + end + b"Object-ID: 1\r\n\r\nabc\r\n--b" + end + b"\r\ndef\r\n--b--" + end
    parts = parts_everywhere(body)
    assert bodies(parts) == [b"abc", b"def"]
    assert ids(parts) == ["1", None]


@pytest.mark.parametrize(
    ("tail", "line_end"),
    [
        *((tail, b"\r\n") for tail in TAILS),
        # CR and LF are one line end together, so a bare LF cannot follow a CR of the picture.
        *((tail, b"\n") for tail in TAILS if not tail.endswith(b"\r")),
    ],
)
def test_q17_exactly_one_line_end_is_removed_before_a_delimiter(tail: bytes, line_end: bytes) -> None:
    body = b"--b\r\n\r\n" + PICTURE + tail + line_end + b"--b\r\n\r\nx" + tail + line_end + b"--b--"
    assert bodies(parts_everywhere(body)) == [PICTURE + tail, b"x" + tail]


def test_q18_reads_split_at_every_place_give_the_same_events() -> None:
    photo = bytes(range(256)) + b"\r\n--fram"
    body = b"".join(
        b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-ID: 1\r\nObject-ID: %d\r\n\r\n%b" % (id_, photo)
        for id_ in range(2)
    )
    parts = parts_everywhere(body + b"\r\n--frame--\r\n", b"frame")
    assert bodies(parts) == [photo, photo]


def test_q18_bytes_after_the_closing_delimiter_are_ignored() -> None:
    body = b"--b\r\n\r\nabc\r\n--b--\r\nepilogue\r\n--b\r\n\r\nno part\r\n--b\r\n0\r\n\r\n"
    assert bodies(parts_everywhere(body)) == [b"abc"]


def test_q20_a_charset_does_not_touch_the_bytes_of_an_image() -> None:
    photo = bytes(range(256))
    body = b"--b\r\nContent-Type: image/jpeg; charset=utf-8\r\n\r\n" + photo + b"\r\n--b--"
    assert bodies(parts_everywhere(body)) == [photo]


def test_q23_a_folded_duplicate_header_is_harmless() -> None:
    body = b"--b\r\nMIME-Version: 1.0, 1.0\r\nObject-ID: 1\r\n\r\nabc\r\n--b--"
    assert ids(parts_everywhere(body)) == ["1"]


def test_q40_the_same_bytes_under_many_ids_are_as_many_parts() -> None:
    body = b"".join(b"--b\r\nObject-ID: %d\r\n\r\n%b\r\n" % (id_, PICTURE) for id_ in range(5)) + b"--b--"
    parts = parts_everywhere(body)
    assert ids(parts) == ["0", "1", "2", "3", "4"]
    assert bodies(parts) == [PICTURE] * 5


# What no quirk names.


@pytest.mark.parametrize("body", [b"--b--", b"\r\n--b--\r\n", b"--b--\r\n--b\r\n\r\nabc"])
def test_a_bundle_may_be_empty(body: bytes) -> None:
    assert parts_everywhere(body) == []


def test_a_part_may_have_no_headers_and_no_bytes() -> None:
    parts = parts_everywhere(b"--b\r\n\r\n\r\n--b\r\n\r\n--b\n\n\n--b\nA: 1\n\n--b--")
    assert bodies(parts) == [b"", b"", b"", b""]
    assert [len(headers) for headers, _ in parts] == [0, 0, 0, 1]


@pytest.mark.parametrize("boundary", [b"--b", b"----=_b", b"---b"])
def test_a_boundary_may_be_declared_with_its_leading_hyphens(boundary: bytes) -> None:
    for delimiter in (boundary, b"--" + boundary):
        other = b"----" + boundary if delimiter == boundary else boundary
        inside = b"abc\r\n" + other + b"\r\ndef"
        body = b"\r\n".join(
            [b"junk", delimiter, b"Object-ID: 1", b"", inside, delimiter, b"", b"x", delimiter + b"--"]
        )
        assert bodies(parts_everywhere(body, boundary)) == [inside, b"x"]


@pytest.mark.parametrize("boundary", [b"-", b"--", b"---"])
def test_a_boundary_of_hyphens_alone_is_taken_as_said(boundary: bytes) -> None:
    delimiter = b"--" + boundary
    body = b"junk\r\n" + delimiter + b"\r\n\r\nabc\r\n" + delimiter + b"\r\n\r\ndef\r\n" + delimiter + b"--"
    assert bodies(parts_everywhere(body, boundary)) == [b"abc", b"def"]


@pytest.mark.parametrize("boundary", [b"", b"x" * 1001, b"a\nb", b"a\rb"])
def test_what_cannot_be_a_boundary_is_malformed(boundary: bytes) -> None:
    with pytest.raises(Malformed):
        MultipartParser(boundary)


def test_a_boundary_of_a_thousand_bytes_works_at_every_split() -> None:
    boundary = b"0123456789" * 100
    body = b"--" + boundary + b"\r\n\r\nabc\r\n--" + boundary[:-1] + b"\r\n--" + boundary + b"--"
    for chunks in (byte_by_byte(body), *(cut_at(body, [at]) for at in range(0, len(body), 7))):
        assert bodies(collect(MultipartParser(boundary), chunks)) == [b"abc\r\n--" + boundary[:-1]]
