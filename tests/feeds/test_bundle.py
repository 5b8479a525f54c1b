import pytest

from service.errors import RetryLater, TransferCut
from tests.feeds.answers import (
    ALL_THREE,
    PARALLEL,
    THREE,
    Photos,
    Read,
    bundle,
    jpeg,
    part,
    read_photo,
    until_trouble,
)
from tests.feeds.scripted import chunked, cut, ok


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ('multipart/parallel; boundary="simple boundary"; charset=utf-8', "simple boundary"),  # Q1
        ("multipart/parallel;boundary=xyz;charset=US-ASCII", "xyz"),  # Q2
        ("multipart/parallel; boundary='xyz'", "xyz"),  # Q3
        ("multipart/parallel; boundary='xyz'", "'xyz'"),  # Q3
        ("MULTIPART/Mixed; BOUNDARY=xyz", "xyz"),  # Q4
        ("mutipart/parallel; boundary=xyz", "xyz"),  # Q4
        ("multipart/parallel", "sniffed"),  # Q4
        ("multipart/parallel; boundary=wrong", "sniffed"),  # Q4
        ("", "sniffed"),  # Q4
    ],
)
def test_q1_q2_q3_q4_the_boundary_is_found(read: Read, kind: str, boundary: str) -> None:
    assert read(ok(bundle(*THREE, boundary=boundary), kind)) == ALL_THREE


def test_q6_a_long_preamble_is_passed_over(read: Read) -> None:
    assert read(ok(b"This is a message.\r\n" * 500 + bundle(*THREE), PARALLEL)) == ALL_THREE


def test_q18_parts_may_come_in_any_chunks(read: Read) -> None:
    body = bundle(*THREE)
    assert read(chunked([body[i : i + 7] for i in range(0, len(body), 7)], PARALLEL)) == ALL_THREE


def test_q7_without_its_closing_delimiter_a_vouched_bundle_is_whole(read: Read) -> None:
    body = bundle(*THREE)[: -len("\r\n--xyz--\r\n")]
    assert read(ok(body, PARALLEL)) == ALL_THREE
    assert read(chunked([body], PARALLEL)) == ALL_THREE


def test_q7_without_its_closing_delimiter_an_unvouched_bundle_is_cut(
    photos: Photos,
) -> None:
    body = bundle(*THREE)[: -len("\r\n--xyz--\r\n")]
    came, error = until_trouble(photos(ok(body, PARALLEL, length=False)))
    assert came == ALL_THREE[:2]
    assert isinstance(error, TransferCut)
    assert "feed mls: the bundle of http://127.0.0.1" in str(error)


def test_a_bundle_without_a_length_is_whole_with_its_closing_delimiter(read: Read) -> None:
    assert read(ok(bundle(*THREE), PARALLEL, length=False)) == ALL_THREE


def test_a_cut_inside_a_photo_raises_there_and_never_looks_like_an_end(
    photos: Photos,
) -> None:
    body = bundle(*THREE[:2], part(jpeg("3" * 100), id_="3"))
    found = photos(cut(body, len(body) - 500, PARALLEL))
    assert [read_photo(next(found)) for _ in range(2)] == ALL_THREE[:2]
    last = next(found)
    with pytest.raises(TransferCut):
        list(last.chunks)
    with pytest.raises(TransferCut):
        next(found)


def test_a_cut_behind_the_closing_delimiter_takes_nothing_away(read: Read) -> None:
    body = bundle(*THREE) + b"epilogue"
    assert read(cut(body + b"?", len(body), PARALLEL)) == ALL_THREE


def test_a_photo_that_is_not_read_is_passed_over(
    photos: Photos,
) -> None:
    found = photos(ok(bundle(*THREE), PARALLEL))
    assert [photo.ref.id for photo in found] == ["1", "2", "3"]


def test_a_photo_s_chunks_are_views_and_not_copies(
    photos: Photos,
) -> None:
    for photo in photos(ok(bundle(*THREE), PARALLEL)):
        assert all(isinstance(chunk, memoryview) for chunk in photo.chunks)


def test_a_bundle_of_another_boundary_is_tried_later(
    photos: Photos,
) -> None:
    _, error = until_trouble(photos(ok(b"no delimiter here\r\n", PARALLEL)))
    assert type(error) is RetryLater
