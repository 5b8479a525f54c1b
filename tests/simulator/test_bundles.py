"""Bundles, read back by requests_toolbelt where it can read them."""

from requests_toolbelt.multipart.decoder import MultipartDecoder

from service.simulator.answers import RawAnswer
from service.simulator.bundles import BundledPhoto, Framing, single

PHOTO = BundledPhoto("3", b"\xff\xd8 picture \r\n\xff\xd9", caption="K\u00fcche", preferred=True)


def body_of(answer: RawAnswer) -> bytes:
    return b"".join([answer.body] if isinstance(answer.body, bytes) else answer.body)


def decoded(framing: Framing, *parts: bytes) -> list[tuple[dict[str, str], bytes]]:
    answer = framing.bundle(parts)
    found = MultipartDecoder(body_of(answer), answer.header("Content-Type"), "utf-8").parts
    return [
        ({name.decode(): value.decode() for name, value in part.headers.items()}, part.content)
        for part in found
    ]


def test_a_bundle_can_be_read_by_another_library() -> None:
    framing = Framing()
    other = BundledPhoto("4", b"", media_type="image/png")
    assert decoded(framing, framing.image_part("A 7", PHOTO), framing.image_part("A 7", other)) == [
        (
            {
                "Content-Type": "image/jpeg",
                "Content-ID": "A 7",
                "Object-ID": "3",
                "Content-Description": "K\u00fcche",
                "Preferred": "1",
            },
            PHOTO.picture,
        ),
        ({"Content-Type": "image/png", "Content-ID": "A 7", "Object-ID": "4"}, b""),
    ]


def test_q1_a_boundary_may_be_quoted_with_more_parameters_behind() -> None:
    framing = Framing(
        boundary="simple boundary", content_type='multipart/x; boundary="{boundary}"; charset=utf-8'
    )
    assert (
        framing.bundle(()).header("Content-Type") == 'multipart/x; boundary="simple boundary"; charset=utf-8'
    )
    assert [body for _, body in decoded(framing, framing.image_part("1", PHOTO))] == [PHOTO.picture]


def test_q6_a_preamble_stands_before_the_first_delimiter() -> None:
    framing = Framing(boundary="b", preamble=b"hello\r\n")
    assert body_of(framing.bundle([b"X: 1\r\n\r\nbody"])) == b"hello\r\n--b\r\nX: 1\r\n\r\nbody\r\n--b--\r\n"


def test_q12_q13_q53_header_lines_are_spelled_as_the_server_spells_them() -> None:
    framing = Framing(colon=":", lower_names=True, caption_name="Description", no_caption="null")
    part = framing.image_part("7", BundledPhoto("1", b"x"))
    assert part == b"content-type:image/jpeg\r\ncontent-id:7\r\nobject-id:1\r\ndescription:null\r\n\r\nx"


def test_q24_an_error_part_says_in_rets_xml_why() -> None:
    framing = Framing()
    ((headers, body),) = decoded(framing, framing.error_part("7", "*", 20403, "No Object Found."))
    assert headers == {"Content-Type": "text/xml", "Content-ID": "7", "Object-ID": "*"}
    assert body == b'<RETS ReplyCode="20403" ReplyText="No Object Found."/>\r\n'


def test_q10_the_xml_can_stand_where_the_last_header_line_should_be() -> None:
    framing = Framing(boundary="b")
    body = body_of(framing.bundle([framing.error_part_in_head("7", "1", 20403, "None")]))
    assert body == (
        b"--b\r\nContent-Type: text/xml\r\nContent-ID: 7\r\nObject-ID: 1\r\n"
        b'<RETS ReplyCode="20403" ReplyText="None"/>\r\n\r\n--b--\r\n'
    )


def test_q25_q105_a_part_can_say_where_its_picture_is() -> None:
    framing = Framing()
    located = framing.url_part("7", PHOTO, "photos/7/3.jpg")
    ((headers, body),) = decoded(framing, located)
    assert body == b'<RETS ReplyCode="0" ReplyText="Operation successful"/>\r\n'
    assert (headers["Content-Type"], headers["Content-ID"], headers["Object-ID"]) == ("text/xml", "7", "3")
    assert (headers["Location"], headers["Content-Description"]) == ("photos/7/3.jpg", "K\u00fcche")
    ((headers, _),) = decoded(framing, framing.url_part("7", PHOTO, "", "PropMediaURL=photos/7/3.jpg"))
    assert "Location" not in headers
    assert headers["ObjectData"] == "PropMediaURL=photos/7/3.jpg"


def test_a_bundle_is_written_part_by_part() -> None:
    made: list[int] = []

    def part(number: int) -> bytes:
        made.append(number)
        return b"X: 1\r\n\r\n"

    body = iter(Framing().bundle(map(part, range(3))).body)
    next(body)
    assert made == []
    next(body)
    assert made == [0]


def test_a_bundle_is_chunked_unless_its_server_does_not_chunk() -> None:
    assert Framing().bundle(()).header("transfer-encoding") == "chunked"
    assert Framing(chunked=False).bundle(()).header("transfer-encoding") is None


def test_a_single_object_is_described_by_the_responses_own_headers() -> None:
    answer = single("A \u00dc", PHOTO)
    assert answer.body == PHOTO.picture
    assert (answer.header("Object-ID"), answer.header("Preferred")) == ("3", "1")
    # UTF-8 goes onto the wire, one latin-1 character per byte.
    assert answer.header("Content-ID") == "A \u00c3\u009c"
    assert answer.header("Content-Description") == "K\u00c3\u00bcche"
