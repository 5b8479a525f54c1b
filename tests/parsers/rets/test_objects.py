import pytest

from parsers.mime import Headers
from parsers.records import (
    Image,
    ImageFacts,
    Retryable,
    Unknown,
)
from parsers.rets.objects import (
    ObjectHead,
    is_image_start,
    judge_image,
    judge_text,
    photo_order,
    read_object_head,
)
from tests.parsers.pictures import JPEGS, PICTURES, probe
from tests.parsers.rets.object_parts import head

JPEG = JPEGS["baseline"]


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
