import pytest
from structlog.testing import capture_logs

from parsers.records import WHOLE_SET, Absent, Unknown
from service.core.ports import Wanted
from tests.feeds.answers import ALL_THREE, PARALLEL, THREE, Photos, Read, bundle, jpeg, part, reply
from tests.feeds.scripted import ok

WANTED_AB = (Wanted("a"), Wanted("b"))


def test_q38_interleaved_listings_are_told_apart_by_content_id(read: Read) -> None:
    parts = [part(jpeg(f"{n}"), id_=str(n), listing=key) for n, key in enumerate(("a", " b ", "a", "b"))]
    assert [(listing, id_) for listing, id_, _ in read(ok(bundle(*parts), PARALLEL), WANTED_AB)] == [
        ("a", "0"),
        ("b", "1"),
        ("a", "2"),
        ("b", "3"),
    ]


def test_photos_that_nobody_asked_for_are_dropped(read: Read) -> None:
    parts = [*THREE, part(jpeg("4"), id_="4", listing="999"), part(jpeg("5"), id_="5", listing="")]
    with capture_logs() as logs:
        came = read(ok(bundle(*parts), PARALLEL), [Wanted("100", ("2", "5"))])
    assert [(entry["event"], entry["asked"]) for entry in logs] == [("photo.unasked", ["100:2:5"])]
    assert came == [ALL_THREE[1], ("100", "5", jpeg("5"))]


def test_a_photo_without_an_id_among_several_is_nobody_s(read: Read) -> None:
    came = read(ok(bundle(THREE[0], part(jpeg("?"))), PARALLEL))
    assert came == [ALL_THREE[0], ("100", WHOLE_SET, Unknown("a photo came without an Object-ID"))]


@pytest.mark.parametrize("head", [[], [("Content-ID", ""), ("Object-ID", "")]])
def test_q32_a_single_object_without_ids_is_the_one_that_was_asked(
    read: Read, head: list[tuple[str, str]]
) -> None:
    said = ok(jpeg("x"), "image/jpeg", headers=head)
    assert read(said, [Wanted("100", ("7",))]) == [("100", "7", jpeg("x"))]


@pytest.mark.parametrize("ids", [None, ("1", "2")])
def test_q32_a_single_object_without_an_id_is_not_guessed_among_several(
    read: Read, ids: tuple[str, ...] | None
) -> None:
    came = read(ok(jpeg("x"), "image/jpeg"), [Wanted("100", ids)])
    assert came == [("100", WHOLE_SET, Unknown("a photo came without an Object-ID"))]


def test_a_single_object_names_its_photo(read: Read) -> None:
    said = ok(jpeg("x"), "image/jpeg", headers=[("Content-ID", " 100"), ("Object-ID", "4")])
    assert read(said) == [("100", "4", jpeg("x"))]


def test_q36_one_photo_asked_and_one_answered_are_the_same(read: Read) -> None:
    single = ok(jpeg("1"), "image/jpeg", headers=[("Object-ID", "1")])
    assert read(single, [Wanted("100", ("0",))]) == [("100", "0", jpeg("1"))]
    assert read(ok(bundle(THREE[0]), PARALLEL), [Wanted("100", ("0",))]) == [("100", "0", jpeg("1"))]
    absent = bundle(part(reply(20403), "Content-Type: text/xml", id_="*"))
    assert read(ok(absent, PARALLEL), [Wanted("100", ("0",))]) == [("100", "0", Absent("20403 said"))]


def test_q36_a_photo_has_the_order_of_the_id_that_was_asked(photos: Photos) -> None:
    single = ok(jpeg("1"), "image/jpeg", headers=[("Object-ID", "1")])
    for said in (single, ok(bundle(THREE[0]), PARALLEL)):
        (photo,) = photos(said, [Wanted("100", ("0",))])
        assert (photo.ref.id, photo.ref.order) == ("0", 0)


@pytest.mark.parametrize("wanted", ["1", "2", "3"])
def test_q36_of_several_answered_the_one_that_was_asked_is_taken(read: Read, wanted: str) -> None:
    came = read(ok(bundle(*THREE), PARALLEL), [Wanted("100", (wanted,))])
    assert came == [("100", wanted, jpeg(wanted))]


def test_q36_of_several_answered_none_is_taken_for_another(read: Read) -> None:
    assert read(ok(bundle(*THREE), PARALLEL), [Wanted("100", ("9",))]) == []


def test_q36_a_held_photo_is_bounded(photos: Photos) -> None:
    big = jpeg("1") + bytes(3 * 10**6)
    found = photos(ok(bundle(part(big, id_="1")), PARALLEL), [Wanted("100", ("0",))])
    (size,) = [sum(map(len, photo.chunks)) for photo in found]
    assert 10**6 < size < 2 * 10**6


def test_q32_photos_without_an_id_are_not_guessed_for_the_one_that_was_asked(read: Read) -> None:
    wanted = [Wanted("100", ("7",))]
    assert read(ok(bundle(part(jpeg("x"))), PARALLEL), wanted) == [("100", "7", jpeg("x"))]
    assert read(ok(bundle(part(jpeg("x")), part(jpeg("y"))), PARALLEL), wanted) == []
