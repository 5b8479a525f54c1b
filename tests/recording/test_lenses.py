import re
from collections.abc import Iterable

import pytest

from parsers.mime import Headers
from parsers.multipart import MultipartParser, PartData, PartStart
from service.recording.lenses import MAX_HELD, BodyLens, DocumentLens, ObjectLens
from service.recording.links import PhotoLinks
from service.recording.scrub import Scrubber
from service.recording.words import ObjectWords
from service.rets_config import RetsFields
from tests.parsers.pictures import noise, saved
from tests.parsers.splits import cut_at, every_way

SECRET = "planted-secret"
PICTURE = b"\xff\xd8\xff\xe0" + b"planted-secret\n--b2\r\nX: y\r\n?a=b\r\n--bx" * 9 + b"\xff\xd9"
"""No picture to look at, but what one may hold: words, lines, all but a delimiter (Q16)."""


def objects(kind: str = 'multipart/parallel; boundary="b"', *, people: bool = False) -> ObjectLens:
    scrubber = Scrubber([SECRET])
    links = PhotoLinks(scrubber)
    links.base = "https://mls.example/rets/getobject"
    words = ObjectWords(scrubber, links, RetsFields(), people=people)
    return ObjectLens(Headers([("Content-Type", kind)]), words)


def through(lens: BodyLens, chunks: Iterable[bytes]) -> bytes:
    out = b"".join(map(lens.receive_data, chunks)) + lens.close()
    assert lens.close() == b""
    return out


def seen(body: bytes, kind: str = 'multipart/parallel; boundary="b"', *, people: bool = False) -> bytes:
    """What is seen of a body, the same whichever way it comes."""
    whole = through(objects(kind, people=people), [body])
    for chunks in every_way(body):
        assert through(objects(kind, people=people), chunks) == whole
    return whole


def parts_of(body: bytes, boundary: bytes = b"b") -> list[tuple[dict[str, str], bytes]]:
    parser = MultipartParser(boundary)
    parts: list[tuple[dict[str, str], bytes]] = []
    for event in [*parser.receive_data(body), *parser.close()]:
        if isinstance(event, PartStart):
            parts.append((dict(event.headers), b""))
        elif isinstance(event, PartData):
            parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
    return parts


def test_pictures_pass_and_texts_are_cleaned() -> None:
    body = (
        b"--b\r\nContent-Type: image/jpeg\r\nObject-ID: 1\r\n\r\n" + PICTURE + b"\r\n"
        b"--b\r\nContent-Type: text/xml\r\nX-Token: abc\r\n\r\n"
        b'<RETS ReplyCode="20403" ReplyText="not for planted-secret"/>\r\n--b--\r\n'
    )
    (one, picture), (two, text) = parts_of(seen(body))
    assert one == {"Content-Type": "image/jpeg", "Object-ID": "1"}
    assert picture == PICTURE
    assert two == {"Content-Type": "text/xml", "X-Token": "scrubbed"}
    assert text == b'<RETS ReplyCode="20403" ReplyText="not for scrubbed"/>'


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_every_kind_of_picture_passes_byte_for_byte(form: str) -> None:
    picture = saved(noise(24, 18), form)
    body = b"--b\r\nObject-ID: 1\r\n\r\n" + picture + b"\r\n--b--\r\n"
    for size in (1, 7, 4096):
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        assert through(objects(), chunks) == body
    assert through(objects("image/jpeg"), [picture]) == picture


ONE = b"--b\r\nObject-ID: 1\r\n\r\n" + PICTURE
TWO_HEADS = b"--b\r\nObject-ID: 1\r\n--b\r\nObject-ID: 2\r\n\r\n\r\n--b--"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(ONE.replace(b"\r\n", b"\n") + b"\n--b--\n", "multipart/mixed;boundary=b", id="Q8"),
        pytest.param(TWO_HEADS, "x/y; boundary=b", id="Q9"),
        pytest.param(b"\r\n\r\n" + ONE + b"\r\n--b--", "mutipart/x", id="Q4"),
        pytest.param(ONE + b"\r\n--b--", "x/y; boundary='b'", id="Q3"),
        pytest.param(b"one\r\n" + ONE + b"\r\n--b--", "x/y; boundary=--b", id="hyphens in the boundary"),
        pytest.param(ONE, "x/y; boundary=b", id="Q7"),
        pytest.param(ONE + b"\r\n--b", "x/y; boundary=b", id="cut"),
        pytest.param(PICTURE, "image/jpeg", id="one picture"),
        pytest.param(PICTURE, "text/xml", id="one picture under another type"),
        pytest.param(b"", "multipart/parallel; boundary=b", id="Q22"),
    ],
)
def test_any_framing_comes_through_as_it_is(body: bytes, kind: str) -> None:
    assert seen(body, kind) == body


def test_q10_an_error_among_the_header_lines_is_cleaned_and_stays_where_it_is() -> None:
    body = b'--b\r\nObject-ID: 1\r\n<RETS ReplyCode="20403" ReplyText="%b"/>\r\n\r\n--b--\r\n'
    assert seen(body % SECRET.encode()) == body % b"scrubbed"


def test_q11_what_continues_a_dropped_header_is_dropped_too() -> None:
    body = (
        b"--b\r\nX-Note: one\r\n two\r\nthree\r\nObject-ID: 1\r\nDescription: nice\r\nview\r\n\r\nx\r\n--b--"
    )
    scrubbed = b"--b\r\nX-Note: scrubbed\r\nscrubbed\r\nscrubbed\r\nObject-ID: 1\r\n"
    assert seen(body) == scrubbed + b"Description: nice\r\nview\r\n\r\nx\r\n--b--"
    assert seen(body, people=True) == scrubbed + b"Description: scrubbed\r\nscrubbed\r\n\r\nx\r\n--b--"


def test_q19_a_picture_in_base64_passes() -> None:
    picture = b"--b\r\nContent-Transfer-Encoding: BASE64\r\n\r\n/9j/planted-secret==\r\n"
    text = b"--b\r\n\r\n%b\r\n--b--"
    assert seen(picture + text % b"planted-secret") == picture + text % b"scrubbed"
    empty = b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + text
    assert seen(empty % b"planted-secret") == empty % b"scrubbed"


def test_an_answer_that_is_one_text_is_cleaned() -> None:
    text = b'<RETS ReplyCode="20403" ReplyText="planted-secret"/>'
    assert seen(text, "text/xml") == text.replace(b"planted-secret", b"scrubbed")
    assert seen(text, "multipart/parallel; boundary=b") == text.replace(b"planted-secret", b"scrubbed")


def test_a_picture_is_never_held_back() -> None:
    lens, body = objects(), b"--b\r\nObject-ID: 1\r\n\r\n" + b"\xff\xd8\xff" + b"\n--" * 40_000
    out = sum(len(lens.receive_data(chunk)) for chunk in cut_at(body, list(range(0, len(body), 1000))))
    assert len(body) - out < 100


def test_a_line_without_end_is_not_held_for_ever() -> None:
    lens = objects("text/plain")
    out = b"".join(lens.receive_data(b"x" * 65536) for _ in range(3 * MAX_HELD // 65536))
    assert len(out) > MAX_HELD


def documents() -> DocumentLens:
    return DocumentLens(Scrubber([SECRET]).clean)


@pytest.mark.parametrize(
    "body",
    [
        b'<RETS ReplyCode="0"><COLUMNS>\tA\tB\t</COLUMNS>\n<DATA>\t1 < 2\tplanted-secret\t</DATA></RETS>',
        b"<RETS><A Token='abc'>planted-secret</A><B><![CDATA[x <planted-secret> y]]></B>",
        b"<!-- <planted-secret> --><A>planted-secret</A>",
        b"no markup at all, planted-secret",
        b"<cut in the middle of planted-sec",
        b"",
    ],
)
def test_a_document_is_cleaned_the_same_whichever_way_it_comes(body: bytes) -> None:
    whole = Scrubber([SECRET]).clean(body)
    assert SECRET.encode() not in whole
    for chunks in every_way(body):
        assert through(documents(), chunks) == whole


def test_a_document_without_markup_is_not_held_for_ever() -> None:
    lens = documents()
    out = b"".join(lens.receive_data(b"x" * 65536) for _ in range(3 * MAX_HELD // 65536))
    assert len(out) > MAX_HELD


LINK = r"photos/[0-9a-f]{16}"
URL = "https://cdn.example/t/planted/1.jpg?sig=planted"


def test_q25_a_location_is_a_name_that_nothing_can_be_added_to() -> None:
    body = f"--b\r\nObject-ID: 1\r\nlocation:{URL}\r\n&more=planted\r\n planted\r\nContent-ID: 7\r\n\r\n--b--"
    clean = seen(body.encode(), people=True).decode()
    assert re.fullmatch(rf"--b\r\nObject-ID: 1\r\nlocation:{LINK}\r\nContent-ID: 7\r\n\r\n--b--", clean)


def test_q42_a_location_is_read_as_its_reader_reads_it() -> None:
    plain, escaped = (
        seen(f"--b\r\nLocation: /1.jpg?a=1{mark}b=2\r\n\r\n".encode()) for mark in ("&", "&amp;")
    )
    assert plain == escaped


@pytest.mark.parametrize("people", [False, True])
def test_q105_the_url_in_objectdata_is_a_name_and_its_time_stays(people: bool) -> None:  # noqa: FBT001 - a case
    stamp = "ObjectData: PropMediaModificationTimestamp=2024-01-01T00:00:00\r\n"
    body = f"--b\r\nObjectData: PROPMediaURL={URL}\r\n{stamp}ObjectData: Remarks=Doe\r\n\r\n--b--"
    clean = seen(body.encode(), people=people).decode()
    remarks = "scrubbed" if people else "Remarks=Doe"
    assert re.fullmatch(
        rf"--b\r\nObjectData: PROPMediaURL={LINK}\r\n{stamp}ObjectData: {remarks}\r\n\r\n--b--", clean
    )


def test_q46_an_empty_location_stays_empty() -> None:
    body = b"--b\r\nLocation: \r\nObjectData: PropMediaURL=\r\n\r\n--b--"
    assert seen(body) == body


def test_the_head_of_a_single_answer_is_read_like_the_head_of_a_part() -> None:
    scrubber = Scrubber([SECRET])
    links = PhotoLinks(scrubber)
    words = ObjectWords(scrubber, links, RetsFields(photo_url="Url"), people=False)
    links.base = "https://mls.example/rets/getobject"
    head = [
        ("Location", URL),
        ("ObjectData", f"URL={URL}"),
        ("ObjectData", "PropMediaURL=x"),
        ("ETag", "planted"),
    ]
    clean = words.head(Headers([*head, ("Content-Length", "9"), ("Content-Type", "a/b; c=planted-secret")]))
    name = links.name(URL)
    assert list(clean) == [
        ("Location", name),
        ("ObjectData", f"URL={name}"),
        ("ObjectData", "PropMediaURL=x"),
        ("Content-Type", "a/b; c=planted-secret"),
    ]


@pytest.mark.parametrize("kind", ["text/xml", "multipart/parallel; boundary=b", ""])
def test_an_answer_that_is_a_table_of_urls_holds_names(kind: str) -> None:
    table = (
        "<RETS ReplyCode='0' ReplyText='planted-secret'><COLUMNS>\tOrder\tMediaUrl\t</COLUMNS>\r\n"
        "<DATA>\t1\t{}\t</DATA></RETS>"
    )
    clean = seen(table.format(URL).encode(), kind).decode()
    assert re.fullmatch(
        re.escape(table).replace("planted\\-secret", "scrubbed").replace("\\{\\}", LINK), clean
    )
