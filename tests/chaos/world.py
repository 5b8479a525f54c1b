"""A small MLS that keeps changing, by seed: the same changes in the same order, whenever they are made.

The n-th change and its time depend on the seed and on n alone. So two worlds of one seed are equal
after equally many changes, however a run has spread them over its cycles.
"""

import io
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from PIL import Image as Pillow

from service.simulator.answers import RawAnswer
from service.simulator.mls import Listing, Mls, Photo

START = datetime(2026, 1, 1, tzinfo=UTC)

STEP = timedelta(minutes=1)
"""Between two changes. Stamps in STANDARD-XML have whole seconds: no two changes share one."""

MOST_PHOTOS = 8


@lru_cache(maxsize=4096)
def picture(number: int) -> bytes:
    """A JPEG, different for every number, of 1 to 40 KB: a body has a middle to be cut in."""
    out = io.BytesIO()
    colour = (number * 37 % 256, number * 91 % 256, number * 153 % 256)
    padding = random.Random(number).randbytes(number % 5 * 10_000)  # noqa: S311 - to be repeatable
    Pillow.new("RGB", (48, 36), colour).save(out, "JPEG", comment=b"%d " % number + padding)
    return out.getvalue()


class ChangingWorld:
    """Listings that come and go, and photos that are added, replaced, moved, renamed and removed.

    `by_set`: the feed says of a listing only that its photos changed, so a change of any photo moves
    `photos_changed`. Then no photo has the number 0, since nobody could tell when it is missing.
    Without `captions` photos have none, as a table of URLs cannot say them. `removed` are the keys of
    listings that went, in order, whether they came back or not.
    """

    def __init__(self, seed: int, *, listings: int, by_set: bool, captions: bool = True) -> None:
        self.mls = Mls()
        self.changes = 0
        self.removed: list[str] = []
        self._chance = random.Random(f"world {seed}")  # noqa: S311 - to be repeatable
        self._listings, self._by_set, self._captions = listings, by_set, captions
        self._pictures = 0
        self._keys: list[str] = []
        self._gone: list[Listing] = []
        self._added = 0
        self._numbers: dict[str, int] = {}  # the next photo's, by listing
        self._lock = threading.Lock()
        for _ in range(listings):
            self._change(self._add_listing)

    @property
    def keys(self) -> list[str]:
        """The listings that there are."""
        return list(self._keys)

    def now(self) -> datetime:
        """The time of the latest change."""
        return START + self.changes * STEP

    def change(self) -> None:
        """Make the next change."""
        with self._lock:
            self._change(self._chance.choices(*zip(*self._kinds(), strict=True))[0])

    def touch(self, key: str) -> None:
        """The feed says that the listing's photos changed, though they did not."""
        with self._lock:
            self._change(lambda: self._put(key, self._photos(key)))

    def _change(self, make: Callable[[], None]) -> None:
        self.changes += 1
        make()

    def _kinds(self) -> list[tuple[Callable[[], None], float]]:
        """What may happen, and how often; the number of listings stays about the same."""
        few, many = len(self._keys) < self._listings, len(self._keys) > self._listings
        return [
            (self._add_listing, 2 if few else 1),
            (self._remove_listing, 2 if many else 1),
            (self._bring_back, 0.5),
            (self._add_photo, 3),
            (self._remove_photo, 2),
            (self._replace_photo, 4),
            (self._swap_photos, 3),
            (self._repeat_photo, 1),
            (self._caption_photo, 2),
            (self._empty, 0.3),
            (self._touch_any, 1),
        ]

    # Listings.

    def _add_listing(self) -> None:
        self._added += 1
        key = f"{1000 + self._added}"
        if not self._by_set and self._chance.random() < 0.2:
            self._numbers[key] = 0
        count = self._chance.randint(0, MOST_PHOTOS - 2)
        self._keys.append(key)
        self._put(key, tuple(self._next_photo(key) for _ in range(count)))

    def _remove_listing(self) -> None:
        key = self._any_key()
        if key is None or len(self._keys) < 3:
            return
        listing = self.mls.listing(key)
        self._keys.remove(key)
        self.removed.append(key)
        self.mls.remove(key)
        if listing:
            self._gone.append(listing)

    def _bring_back(self) -> None:
        """A listing that was gone is there again, with what it had."""
        if self._gone:
            listing = self._gone.pop(self._chance.randrange(len(self._gone)))
            self._keys.append(listing.key)
            self._put(listing.key, listing.photos)

    def _touch_any(self) -> None:
        key = self._any_key()
        if key:
            self._put(key, self._photos(key))

    def _empty(self) -> None:
        key = self._any_key()
        if key:
            self._put(key, ())

    # Photos.

    def _add_photo(self) -> None:
        self._with_photos(lambda key, photos: (*photos, self._next_photo(key)), least=0)

    def _remove_photo(self) -> None:
        self._with_photos(lambda _, photos: _without(photos, self._index(photos)))

    def _replace_photo(self) -> None:
        def changed(_: str, photos: tuple[Photo, ...]) -> tuple[Photo, ...]:
            index = self._index(photos)
            return _with(
                photos, index, replace(photos[index], picture=self._new_picture(), changed=self.now())
            )

        self._with_photos(changed)

    def _swap_photos(self) -> None:
        """Another order: two numbers exchange their pictures."""

        def changed(_: str, photos: tuple[Photo, ...]) -> tuple[Photo, ...]:
            one, other = self._chance.sample(range(len(photos)), 2)
            here, there = photos[one], photos[other]
            photos = _with(photos, one, replace(there, id=here.id, changed=self.now()))
            return _with(photos, other, replace(here, id=there.id, changed=self.now()))

        self._with_photos(changed, least=2)

    def _repeat_photo(self) -> None:
        """The same picture under one more number (Q40)."""

        def changed(key: str, photos: tuple[Photo, ...]) -> tuple[Photo, ...]:
            again = photos[self._index(photos)].picture
            return (*photos, replace(self._next_photo(key), picture=again))

        self._with_photos(changed)

    def _caption_photo(self) -> None:
        def changed(_: str, photos: tuple[Photo, ...]) -> tuple[Photo, ...]:
            index = self._index(photos)
            caption = f"Caption {self.changes}, \u00e9 & <b>" if self._captions else None
            return _with(photos, index, replace(photos[index], caption=caption, changed=self.now()))

        self._with_photos(changed)

    def _with_photos(
        self, change: Callable[[str, tuple[Photo, ...]], tuple[Photo, ...]], *, least: int = 1
    ) -> None:
        key = self._any_key(least)
        if key:
            self._put(key, change(key, self._photos(key))[:MOST_PHOTOS])

    # What they are made of.

    def _any_key(self, least: int = 0) -> str | None:
        fitting = [key for key in self._keys if len(self._photos(key)) >= least]
        return self._chance.choice(fitting) if fitting else None

    def _index(self, photos: tuple[Photo, ...]) -> int:
        return self._chance.randrange(len(photos))

    def _photos(self, key: str) -> tuple[Photo, ...]:
        listing = self.mls.listing(key)
        return listing.photos if listing else ()

    def _new_picture(self) -> bytes:
        self._pictures += 1
        return picture(self._pictures)

    def _next_photo(self, key: str) -> Photo:
        """A photo under a number that the listing never had: none comes back as another one."""
        number = self._numbers.get(key, 1)
        self._numbers[key] = number + 1
        return Photo(str(number), self._new_picture(), self.now())

    def _put(self, key: str, photos: tuple[Photo, ...]) -> None:
        self.mls.put(Listing(key, self.now(), self.now(), photos))


class Restless:
    """Answers for a world that changes while it is asked: before some of its answers one thing happens.

    `left` is how many changes may still happen so; it is set anew for each cycle.
    """

    def __init__(self, world: ChangingWorld, seed: int) -> None:
        self.left = 0
        self._world = world
        self._chance = random.Random(f"restless {seed}")  # noqa: S311 - to be repeatable
        self._lock = threading.Lock()

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """The world's answer."""
        with self._lock:
            if self.left and transaction in {"Search", "GetObject"} and self._chance.random() < 0.3:
                self.left -= 1
                self._world.change()
        return self._world.mls.answer(transaction, params)

    def go_on(self) -> None:
        """What has not happened during the cycle happens now."""
        while self.left:
            self.left -= 1
            self._world.change()


def _with(photos: tuple[Photo, ...], index: int, photo: Photo) -> tuple[Photo, ...]:
    return (*photos[:index], photo, *photos[index + 1 :])


def _without(photos: tuple[Photo, ...], index: int) -> tuple[Photo, ...]:
    return photos[:index] + photos[index + 1 :]
