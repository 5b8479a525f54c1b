"""Several listings in one request: what shares it, and what a bad answer may cost."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from service.simulator.answers import RawAnswer, text_answer
from service.simulator.bundles import Framing
from service.simulator.documents import reply
from service.simulator.mls import Mls
from service.stores.embedded import EmbeddedStore
from tests.ingest.support import World, listing, photo, world

Make = Callable[..., AbstractContextManager[World]]

pytestmark = pytest.mark.parametrize("form", ["STANDARD-XML", "COMPACT"])


@pytest.fixture
def make(s3: EmbeddedStore, tmp_path: Path, form: str) -> Make:
    return partial(world, s3, tmp_path, form)


def fill(mls: Mls, *sizes: int, day: int = 0) -> None:
    """Listings a, b, ... with so many photos."""
    for place, size in enumerate(sizes):
        key = "abcdefgh"[place]
        mls.put(listing(key, *(photo(n, 10 * place + n, day) for n in range(1, size + 1)), day=day))


@pytest.mark.parametrize(
    ("sizes", "bounds", "asked"),
    [
        ((2, 2, 2), {}, ["a:*", "b:*", "c:*"]),
        ((2, 2, 2, 2), {"batch_listings": 3}, ["a:*,b:*,c:*", "d:*"]),
        ((2, 2, 2, 2), {"batch_listings": 9, "batch_objects": 4}, ["a:*,b:*", "c:*,d:*"]),
        ((2, 9, 2, 2), {"batch_listings": 9, "batch_objects": 4}, ["a:*", "b:*", "c:*,d:*"]),
    ],
)
def test_q48_listings_share_requests_up_to_the_bounds(
    make: Make, sizes: tuple[int, ...], bounds: Mapping[str, int], asked: list[str]
) -> None:
    with make(**bounds) as house:
        fill(house.mls, *sizes)
        report = house.cycle()
        assert report.ok, report
        assert house.asked() == asked
        assert [len(house.shas("abcdefgh"[place])) for place in range(len(sizes))] == list(sizes)
        assert house.cycle().snapshot()["downloaded"] == 0


def test_listings_without_photos_and_with_nothing_to_ask_stand_in_no_one_s_way(make: Make) -> None:
    with make(batch_listings=4) as house:
        fill(house.mls, 2, 0, 2)
        assert house.cycle().ok
        assert [len(house.shas(key)) for key in "abc"] == [2, 0, 2]


def test_only_what_changed_is_asked_for_in_a_batch(make: Make, form: str) -> None:
    with make(batch_listings=4) as house:
        fill(house.mls, 3, 3)
        house.cycle()
        house.mls.put(listing("a", photo(1), photo(2, 77, 1), photo(3), day=1))
        house.mls.put(listing("b", photo(1, 78, 1), photo(2, 12), photo(3, 79, 1), day=1))
        assert house.cycle().ok
        assert house.asked()[-1] == ("a:2,b:1:3" if form == "STANDARD-XML" else "a:*,b:*")


class Wall:
    """An MLS whose answers to requests for several listings are replaced."""

    def __init__(self, mls: Mls) -> None:
        self.mls = mls
        self.instead: Callable[[str], RawAnswer] | None = None

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        ids = params.get("ID", "")
        if self.instead is not None and "," in ids:
            return self.instead(ids)
        return self.mls.answer(transaction, params)


@pytest.fixture
def walled(make: Make) -> Iterator[tuple[World, Wall]]:
    wall = Wall(Mls())
    with make(answers=wall, mls=wall.mls, batch_listings=2) as house:
        yield house, wall


def test_q48_a_refusal_of_several_is_found_out_once_a_cycle(walled: tuple[World, Wall]) -> None:
    house, wall = walled
    wall.instead = lambda _ids: text_answer(reply(20402, "One listing, please."))
    fill(house.mls, 2, 2, 2, 2)
    assert house.cycle().ok
    assert house.asked() == ["a:*,b:*", "a:*", "b:*", "c:*", "d:*"]
    fill(house.mls, 2, 2, day=1)
    assert house.cycle().ok
    assert len(house.asked()) == 8
    assert "," in house.asked()[5]


def cut_in_the_last_photo(mls: Mls, ids: str) -> RawAnswer:
    framing = Framing(chunked=False)
    whole = framing.bundle(mls.parts(ids, framing))
    body = whole.body if isinstance(whole.body, bytes) else b"".join(whole.body)
    return RawAnswer(200, "OK", (*whole.headers, ("Content-Length", str(len(body)))), body[:-300])


def test_a_cut_batch_keeps_what_is_certain_and_owes_the_rest(walled: tuple[World, Wall], form: str) -> None:
    house, wall = walled
    fill(house.mls, 2, 2)
    house.cycle()
    before = {key: house.shas(key) for key in "ab"}
    for place, key in enumerate("ab"):
        house.mls.put(listing(key, *(photo(n, 50 + 10 * place + n, 1) for n in (1, 2)), day=1))
    wall.instead = partial(cut_in_the_last_photo, house.mls)
    report = house.cycle()
    new = {key: sum(sha not in before[key] for sha in house.shas(key)) for key in "ab"}
    if form == "STANDARD-XML":
        # The record lists the photos: those that came are certain, and only the last one is owed.
        assert (new, set(report.owed)) == ({"a": 2, "b": 1}, {"b"})
    else:
        # Only a complete answer tells a whole set: more photos of `a` might have followed.
        assert (new, set(report.owed)) == ({"a": 0, "b": 0}, {"a", "b"})
    assert house.named() <= house.objects()
    assert house.cycle().ok
    assert not set(house.shas("a") + house.shas("b")) & set(before["a"] + before["b"])


def test_what_failed_in_a_batch_is_asked_for_alone(walled: tuple[World, Wall], form: str) -> None:
    house, wall = walled
    fill(house.mls, 2, 2)
    wall.instead = partial(cut_in_the_last_photo, house.mls)
    house.cycle()
    assert house.asked() == ["a:*,b:*"]
    assert house.cycle().ok
    assert sorted(house.asked()[1:]) == (["b:2"] if form == "STANDARD-XML" else ["a:*", "b:*"])


def test_a_batch_that_says_nothing_of_its_listings_is_asked_for_again_one_by_one(
    walled: tuple[World, Wall],
) -> None:
    house, wall = walled
    framing = Framing()
    fill(house.mls, 2, 2)
    wall.instead = lambda ids: framing.bundle(house.mls.parts(ids.partition(",")[0], framing))
    assert house.cycle().ok
    assert house.asked() == ["a:*,b:*", "b:*"]
