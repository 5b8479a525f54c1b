import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.mime import Headers
from parsers.records import (
    Absent,
    Denied,
    Redirect,
    Retryable,
    Unknown,
)
from parsers.rets.objects import (
    is_image_start,
    judge_text,
    location_refused,
    outcome_of_reply,
    read_object_head,
)
from parsers.rets.reply import Reply, Verdict
from tests.parsers.bundles import parts_everywhere
from tests.parsers.pictures import JPEGS
from tests.parsers.rets.object_parts import FINE, NAMED, NAMELESS, NO_OBJECT, bundle, head, judged, part

JPEG = JPEGS["baseline"]


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
