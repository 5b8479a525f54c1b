import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.mime import Headers
from parsers.records import (
    Absent,
    Denied,
    Image,
    ImageFacts,
    Outcome,
    PhotoRef,
    Redirect,
    Retryable,
    Unknown,
)
from parsers.rets.objects import (
    ObjectHead,
    UrlRow,
    UrlTable,
    is_image_start,
    is_url_table,
    judge_image,
    judge_text,
    location_refused,
    outcome_of_reply,
    photo_order,
    read_object_head,
)
from parsers.rets.reply import Reply, Verdict
from tests.parsers.bundles import parts_everywhere
from tests.parsers.pictures import JPEGS, PICTURES, probe
from tests.parsers.rets.played import play_every_way

JPEG = JPEGS["baseline"]
NO_OBJECT = b'<RETS ReplyCode="20403" ReplyText="No Object Found"/>'
FINE = b'<RETS ReplyCode="0" ReplyText="Success"/>'
NAMED = {"Content-ID": "111", "Object-ID": "3"}


def head(**headers: str) -> ObjectHead:
    """A head of these headers, with `_` for `-`; a part of listing 111, photo 3."""
    return read_object_head(
        Headers({**NAMED, **{key.replace("_", "-"): v for key, v in headers.items()}}.items())
    )


NAMELESS = read_object_head(Headers([("Content-Type", "text/xml")]))


def judged(bundle: bytes) -> list[tuple[str | None, str | None, Outcome | None]]:
    """Listing, id and outcome of each part of a bundle; None for a picture."""
    found: list[tuple[str | None, str | None, Outcome | None]] = []
    for headers, body in parts_everywhere(bundle):
        part = read_object_head(headers)
        found.append((part.listing, part.id, None if is_image_start(part, body) else judge_text(part, body)))
    return found


def part(*lines: str, body: bytes = JPEG) -> bytes:
    return "\r\n".join(("--b", *lines, "", "")).encode() + body + b"\r\n"


def bundle(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


# The head.


def test_a_head_is_read_in_the_fields_own_terms() -> None:
    found = read_object_head(
        Headers(
            [
                ("content-type", 'Image/JPEG; name="x.jpg"'),
                ("CONTENT-ID", " 111 "),
                ("Object-Id", "3"),
                ("Location", "https://h.test/3.jpg"),
                ("Content-Description", "Front"),
                ("Preferred", "1"),
                ("Content-Length", "29"),
            ]
        )
    )
    assert found == ObjectHead(
        "111", "3", "image/jpeg", "https://h.test/3.jpg", "Front", True, {}, False, 29, ""
    )


@pytest.mark.parametrize("encoding", ["binary", "8bit", "BASE64"])
def test_q19_the_transfer_encoding_is_in_the_head(encoding: str) -> None:
    assert head(Content_Transfer_Encoding=f" {encoding}").transfer_encoding == encoding.lower()


@pytest.mark.parametrize("headers", [[], [("Content-ID", ""), ("Object-ID", " ")]])
def test_q32_missing_or_empty_ids_are_none(headers: list[tuple[str, str]]) -> None:
    found = read_object_head(Headers(headers))
    assert (found.listing, found.id) == (None, None)


@pytest.mark.parametrize("value", ["null", "NULL", "", " "])
def test_q53_a_null_caption_is_none(value: str) -> None:
    assert head(Content_Description=value).caption is None


def test_q53_description_stands_in_for_content_description() -> None:
    assert head(Description="Kitchen").caption == "Kitchen"
    assert head(Description="Kitchen", Content_Description="Hall").caption == "Hall"


def test_q54_object_data_repeats_and_is_split_at_the_first_equals_sign() -> None:
    pairs = [
        ("ObjectData", "PropMediaURL=https://h.test/x?a=1"),
        ("objectdata", "Note = a=b "),
        ("ObjectData", "odd"),
    ]
    assert read_object_head(Headers(pairs)).object_data == {
        "propmediaurl": "https://h.test/x?a=1",
        "note": "a=b",
        "odd": "",
    }


@pytest.mark.parametrize(
    ("value", "error"), [("1", True), (" 1", True), ("true", True), ("0", False), ("", False)]
)
def test_q28_rets_error_in_the_head(value: str, *, error: bool) -> None:
    assert head(RETS_Error=value).error is error


@pytest.mark.parametrize("value", ["-1", "many", "1 2", ""])
def test_q15_a_content_length_that_is_no_number_is_none(value: str) -> None:
    assert head(Content_Length=value).content_length is None


@pytest.mark.parametrize(
    ("id_", "position", "order"),
    [("27", 3, 27), ("0", 3, 0), ("007", 3, 7), ("A3", 3, 3), ("*", 1, 1), ("-2", 5, 5)],
)
def test_q37_q39_photos_are_ordered_by_their_number_else_by_their_place(
    id_: str, position: int, order: int
) -> None:
    assert photo_order(id_, position) == order


# Pictures.


@pytest.mark.parametrize("name", PICTURES)
def test_magic_bytes_make_a_picture_whatever_the_type_says(name: str) -> None:
    picture, media_type = PICTURES[name]
    assert is_image_start(head(Content_Type="text/xml"), picture[:64])
    facts = probe([picture])
    outcome = judge_image(facts, len(picture), "ab" * 32, picture[:64])
    assert outcome == Image("ab" * 32, len(picture), media_type, 40, 30)


def test_q26_text_under_an_image_type_is_no_picture() -> None:
    assert not is_image_start(head(Content_Type="image/jpeg"), b"Object 111285:* not found")
    assert judge_image(None, 25, "00", b"Object 111285:* not found") == Unknown(
        "no image: 'Object 111285:* not found'"
    )


def test_q28_rets_error_wins_over_the_type_and_the_bytes() -> None:
    assert not is_image_start(head(Content_Type="image/jpeg", RETS_Error="1"), JPEG)
    assert isinstance(judge_text(head(Content_Type="image/jpeg", RETS_Error="1"), JPEG), Unknown)


def test_a_cut_picture_is_retried() -> None:
    cut = JPEG[:-20]
    assert judge_image(probe([cut]), len(cut), "00", cut[:64]) == Retryable(
        f"the image/jpeg is cut after {len(cut)} bytes"
    )
    assert isinstance(
        judge_image(ImageFacts("image/png", None, None, complete=False), 9, "00", b""), Retryable
    )


# Replies.


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (20403, Absent),
        *((code, Denied) for code in (20402, 20406, 20407, 20413)),
        *((code, Retryable) for code in (20408, 20409, 20410, 20411, 20412, 20701, 10000, 20050, 20499)),
        *((code, Unknown) for code in (0, 20208, 20201, 20400, 20401, 20601, 20036, 20037)),
    ],
)
def test_each_reply_code_of_an_object_has_its_outcome(code: int, outcome: type) -> None:
    body = f'<RETS ReplyCode="{code}" ReplyText="words"></RETS>'.encode()
    found = judge_text(head(Content_Type="text/xml"), body)
    assert type(found) is outcome
    assert f"{code} words" in repr(found)
    assert type(outcome_of_reply(Reply(code, "words"))) is outcome


def test_q24_an_absent_photo_between_pictures_does_not_end_the_bundle() -> None:
    ids = ["Content-ID: 111", "Object-ID: {}"]
    body = bundle(
        part("Content-Type: image/jpeg", ids[0], "Object-ID: 1"),
        part("Content-Type: text/xml", ids[0], "Object-ID: 2", body=NO_OBJECT),
        part("Content-Type: image/jpeg", ids[0], "Object-ID: 3"),
    )
    assert judged(body) == [
        ("111", "1", None),
        ("111", "2", Absent("20403 No Object Found")),
        ("111", "3", None),
    ]


def test_q25_a_reply_of_zero_with_a_location_is_a_redirect() -> None:
    assert judge_text(head(Location="https://h.test/3.jpg"), FINE) == Redirect("https://h.test/3.jpg")


def test_a_part_with_a_location_and_no_body_is_a_redirect() -> None:
    assert judge_text(head(Content_Type="image/jpeg", Location="/3.jpg"), b"") == Redirect("/3.jpg")


@pytest.mark.parametrize(
    "body",
    [
        b"Object 111285:* not found",
        b"<html><body>Please log in. ReplyCode=20403</body></html>",
        b"<Error>20403</Error>",
        b"20403",
        b"\x00\x01\x02",
    ],
)
def test_q26_q30_text_without_a_reply_is_unknown_with_its_evidence(body: bytes) -> None:
    found = judge_text(head(Content_Type="text/xml"), body)
    assert isinstance(found, Unknown)
    assert found.evidence.startswith("no image")


def test_q27_a_whole_answer_of_xml_speaks_for_all_that_was_asked() -> None:
    assert judge_text(NAMELESS, b"\r\n<?xml version='1.0'?>" + NO_OBJECT) == Absent("20403 No Object Found")


def test_q29_what_follows_the_element_in_a_part_is_dropped() -> None:
    body = NO_OBJECT + b"\x00\r\n<RETS ReplyCode='0'/>garbage"
    assert judge_text(head(), body) == Absent("20403 No Object Found")


@pytest.mark.parametrize("body", [NO_OBJECT[:-2], NO_OBJECT[:-2] + b">", NO_OBJECT[:30]])
def test_an_element_that_is_cut_is_no_absence(body: bytes) -> None:
    assert isinstance(judge_text(head(), body), Unknown)


def test_q30_one_part_that_cannot_be_parsed_does_not_lose_the_bundle() -> None:
    body = bundle(
        part("Content-Type: text/xml", "Content-ID: 111", "Object-ID: 1", body=b"Server too busy <<<"),
        part("Content-Type: image/jpeg", "Content-ID: 111", "Object-ID: 2"),
    )
    assert judged(body) == [("111", "1", Unknown("no image: 'Server too busy <<<'")), ("111", "2", None)]


def test_q31_ids_without_type_and_body_are_an_absent_photo() -> None:
    assert judged(bundle(part("Content-ID: 111", "Object-ID: 2", body=b""))) == [
        ("111", "2", Absent("an empty part"))
    ]


def test_q9_a_header_only_part_is_empty_and_its_neighbours_are_whole() -> None:
    body = (
        part("Content-ID: 111", "Object-ID: 1")
        + b"--b\r\nContent-ID: 111\r\nObject-ID: 2\r\n"
        + b"--b\r\nContent-Type: image/jpeg\r\nContent-ID: 111\r\nObject-ID: 3\r\n"
        + b"Location: //h.test/3.jpg\r\n"
        + bundle(part("Content-ID: 111", "Object-ID: 4"))
    )
    assert judged(body) == [
        ("111", "1", None),
        ("111", "2", Absent("an empty part")),
        ("111", "3", Redirect("//h.test/3.jpg")),
        ("111", "4", None),
    ]


def test_q22_an_empty_answer_that_names_no_photo_is_unknown() -> None:
    assert judge_text(NAMELESS, b"") == Unknown("an empty answer that names no photo")
    assert isinstance(judge_text(head(Object_ID="*"), b" \r\n"), Unknown)


@pytest.mark.parametrize(
    "headers", [{"Content_Type": "image/jpeg"}, {"Content_Length": "5000"}, {"RETS_Error": "1"}]
)
def test_an_empty_part_that_announced_something_is_unknown(headers: dict[str, str]) -> None:
    assert isinstance(judge_text(head(**headers), b""), Unknown)


def test_q33_object_id_star_on_nothing_found_speaks_for_the_set() -> None:
    body = bundle(part("Content-Type: text/xml", "Content-ID: 111", "Object-ID: *", body=NO_OBJECT))
    assert judged(body) == [("111", "*", Absent("20403 No Object Found"))]


def test_q34_q35_q40_equal_bytes_under_many_ids_are_many_photos() -> None:
    body = bundle(*(part("Content-ID: 111", f"Object-ID: {n}", f"Preferred: {n == 0:d}") for n in (0, 1, 2)))
    assert judged(body) == [("111", "0", None), ("111", "1", None), ("111", "2", None)]
    assert [read_object_head(headers).preferred for headers, _ in parts_everywhere(body)] == [
        True,
        False,
        False,
    ]


def test_q36_the_answer_keeps_its_own_id_whatever_was_asked() -> None:
    assert judged(bundle(part("Content-ID: 111", "Object-ID: 1")))[0][1] == "1"


def test_q37_q38_q39_ids_are_kept_as_sent_across_interleaved_listings() -> None:
    names = [("111", "1"), ("222", "27"), ("111", "28"), ("222", "A-3"), ("111", "3")]
    body = bundle(*(part(f"Content-ID:{listing}", f"Object-ID:{id_}") for listing, id_ in names))
    assert judged(body) == [(listing, id_, None) for listing, id_ in names]


def test_q41_a_protocol_relative_location_is_kept_as_sent() -> None:
    assert judge_text(head(Location="//h.test/3.jpg"), FINE) == Redirect("//h.test/3.jpg")


def test_q42_a_location_is_unescaped_once() -> None:
    location = "https://h.test/?a=1&amp;b=2&amp;amp;c"
    assert judge_text(head(Location=location), FINE) == Redirect("https://h.test/?a=1&b=2&amp;c")
    assert head(Location="/?a=1&copy=2&lt=3").location == "/?a=1&copy=2&lt=3"


def test_q43_pictures_that_come_in_spite_of_location_one_are_pictures() -> None:
    assert is_image_start(head(Content_Type="image/jpeg", Location="https://h.test/3.jpg"), JPEG[:32])


@pytest.mark.parametrize(
    ("reply", "refused"),
    [
        (Reply(20413, "Location=1 is disabled"), True),
        (Reply(20413, "LOCATION not supported"), True),
        (Reply(20413, "Miscellaneous error"), False),
        (Reply(20409, "Location=1"), False),
    ],
)
def test_q44_a_refused_location_can_be_told(reply: Reply, *, refused: bool) -> None:
    assert location_refused(reply) is refused
    assert reply.code != 20413 or isinstance(outcome_of_reply(reply), Denied)


@pytest.mark.parametrize("code", [20409, 20411, 20412])
def test_q45_q49_an_object_that_is_not_available_now_is_retried(code: int) -> None:
    body = f'<RETS ReplyCode="{code}" ReplyText="Unavailable"/>'.encode()
    assert judge_text(head(), body) == Retryable(f"{code} Unavailable")


def test_q46_an_empty_location_is_none() -> None:
    assert head(Location=" ").location is None
    assert judge_text(head(Location="", Content_Type="text/xml"), b"") == Absent("an empty part")
    denied = b'<RETS ReplyCode="20407" ReplyText="Unauthorized"/>'
    assert judge_text(head(Location=""), denied) == Denied("20407 Unauthorized")
    assert isinstance(judge_text(head(Location=""), FINE), Unknown)


def test_q51_a_listing_asked_for_by_the_wrong_key_is_denied_or_absent() -> None:
    assert judge_text(head(), b'<RETS ReplyCode="20402" ReplyText="Invalid"/>') == Denied("20402 Invalid")


def test_q52_a_wrong_type_is_seen_by_the_feed_and_never_an_absence() -> None:
    reply = Reply(20401, "Invalid Type")
    assert reply.verdict is Verdict.STOP_CONFIGURATION
    assert isinstance(outcome_of_reply(reply), Unknown)


def test_q105_object_data_offers_a_url_and_its_time() -> None:
    part_ = Headers(
        [
            *NAMED.items(),
            ("Content-Type", "text/xml"),
            ("ObjectData", "PropMediaURL=https://h.test/3.jpg?a=1&amp;b=2"),
            ("ObjectData", "PropMediaBytes=12345"),
            ("ObjectData", "PropMediaModificationTimestamp=2024-01-01T00:00:00"),
        ]
    )
    found = read_object_head(part_)
    assert judge_text(found, FINE) == Redirect("https://h.test/3.jpg?a=1&b=2", "2024-01-01T00:00:00")
    assert judge_text(found, FINE, url_keys=("Other",)) == Unknown("0 Success, but neither image nor URL")
    assert judge_text(found, FINE, url_keys=("x", "propmediaurl"), stamp_keys=()) == Redirect(
        "https://h.test/3.jpg?a=1&b=2"
    )
    assert judge_text(found, NO_OBJECT) == Absent("20403 No Object Found")


def test_a_session_that_was_lost_in_a_part_is_retried() -> None:
    assert judge_text(head(), b'<RETS ReplyCode="20701" ReplyText="Not Logged In"/>') == Retryable(
        "20701 Not Logged In"
    )


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_are_ever_taken_for_an_absence(body: bytes, named: bool) -> None:  # noqa: FBT001 - drawn
    found = judge_text(head() if named else NAMELESS, b"x" + body)
    assert isinstance(found, Unknown)


# The table of URLs.


def table(
    columns: str, *rows: str, end: str = "</RETS>", reply: str = 'ReplyCode="0" ReplyText="ok"'
) -> bytes:
    body = "".join(f"<DATA>{row}</DATA>" for row in rows)
    return f"<RETS {reply}><COLUMNS>{columns}</COLUMNS>{body}{end}".encode()


@pytest.mark.parametrize(
    "columns",
    [
        "\tResourceRecordKey\tObjectID\tMediaURL\t",
        "\tRESOURCERECORDID\tObject-ID\tMEDIAURL\t",
        "\tresourcerecordkey\torder\tmediaurl\t",
    ],
)
def test_columns_of_a_table_are_known_by_their_usual_spellings(columns: str) -> None:
    body = table(columns, "\tK\t5\thttps://h.test/5\t")
    rows, end = play_every_way(UrlTable, body)
    url = "https://h.test/5"
    assert rows == [UrlRow("K", PhotoRef("5", 5, None, url), Redirect(url))]
    assert end.complete
    assert is_url_table(body)


def test_a_table_without_a_listing_column_leaves_it_to_who_asked() -> None:
    rows, _ = play_every_way(UrlTable, table("\tObjectID\tMediaURL\t", "\t5\tu\t"))
    assert rows[0].listing == ""


def test_an_object_id_is_preferred_to_an_order() -> None:
    rows, _ = play_every_way(UrlTable, table("\tOrder\tObjectID\tMediaURL\t", "\t1\tx9\tu\t"))
    assert (rows[0].ref.id, rows[0].ref.order) == ("x9", 1)


def test_a_row_without_a_url_is_unknown_and_one_without_an_id_makes_the_table_incomplete() -> None:
    rows, end = play_every_way(UrlTable, table("\tOrder\tMediaURL\t", "\t1\t\t", "\t2\tu\t"))
    assert rows[0].outcome == Unknown("a row without a URL")
    assert end.complete
    rows, end = play_every_way(UrlTable, table("\tOrder\tMediaURL\t", "\t\tu\t", "\t2\tu\t"))
    assert [row.ref.id for row in rows] == ["2"]
    assert (end.complete, end.outcome) == (False, None)


@pytest.mark.parametrize(
    "body",
    [
        table("\tOrder\tMediaURL\t", "\t1\tu\t", end=""),
        table("\tOrder\tMediaURL\t", "\t1\tu\t", end="<MAXROWS/></RETS>"),
        table("\tOrder\tMediaURL\t", "\t1\tu\t", end='<COUNT Records="2"/></RETS>'),
        table("\tOrder\tMediaURL\t", "\t1\tu\t", "\t2\tu\tx\t"),
        table("\tOrder\tMediaURL\t", "\t1\tu\t", end='<RETS-STATUS ReplyCode="20403" ReplyText="x"/></RETS>'),
    ],
)
def test_a_table_that_is_cut_or_contradicts_itself_is_not_complete(body: bytes) -> None:
    rows, end = play_every_way(UrlTable, body)
    assert ([row.ref.id for row in rows], end.complete, end.outcome) == (["1"], False, None)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (table("\tOrder\tMediaURL\t"), Unknown("a table of URLs without rows")),
        (
            table("\tOrder\tMediaURL\t", reply='ReplyCode="20403" ReplyText="x"', end=""),
            Unknown("a table of URLs without rows"),
        ),
        (table("\tOrder\tMediaURL\t", reply='ReplyCode="20403" ReplyText="x"'), Absent("20403 x")),
        (table("\tOrder\tMediaURL\t", reply='ReplyCode="20409" ReplyText="x"'), Retryable("20409 x")),
    ],
)
def test_a_table_without_rows_speaks_for_all_that_was_asked(body: bytes, outcome: Outcome) -> None:
    rows, end = play_every_way(UrlTable, body)
    assert (rows, end.outcome) == ([], outcome)


@pytest.mark.parametrize(
    "answer", [b"", NO_OBJECT, FINE, JPEG[:64], b"<html>", table("\tListingKey\tPhotosCount\t", "\t1\t2\t")]
)
def test_other_answers_are_no_table_of_urls(answer: bytes) -> None:
    assert not is_url_table(answer)
