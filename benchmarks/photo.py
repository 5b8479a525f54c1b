"""Where the time of one photo goes, step by step: CPU time, on one thread, of a photo of 250 KB."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from io import BytesIO
from itertools import count
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryDirectory

from benchmarks.figures import Effort, Row, interleaved
from benchmarks.house import house_of
from benchmarks.multipart import parse
from benchmarks.pictures import CHUNK, PHOTO, bundle, in_chunks, picture
from benchmarks.slow_store import slow_store
from benchmarks.source import FEED, Stock, source_of
from parsers.image import ImageProbe
from parsers.records import Image, PhotoRef
from service.bootstrap import House
from service.core.photos import IMMUTABLE, StoredPhoto, StoredSet
from service.core.plan import Commit
from service.core.ports import PhotoSource, Wanted
from service.ingest.transfer import SPOOL_MEMORY

PHOTOS = 25
"""Photos of the listing whose bundle is read and whose set is committed."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Step:
    """A step on the way; one call does it for so many photos. Steps in brackets are part of another."""

    name: str
    do: Callable[[], object]
    photos: int = 1
    clock: Clock = time.thread_time

    def seconds(self, again: int) -> float:
        """Seconds per photo; done many times over, since the clock is coarse."""
        began = self.clock()
        for _ in range(again):
            self.do()
        return (self.clock() - began) / again / self.photos


def run(effort: Effort) -> list[Row]:
    """The steps in their order."""
    stock, again = Stock(1, PHOTOS), effort.size(20, quick=1)
    with (
        TemporaryDirectory() as folder,
        source_of(stock) as server,
        slow_store(0) as store,
        house_of(server.login_url, store.bucket("photo"), Path(folder)) as house,
    ):
        source = house.feed(FEED).source
        source.open()
        steps = _steps(source, stock.keys[0], house)
        times = interleaved(effort.runs, *(partial(step.seconds, again) for step in steps))
        source.close()
    total = sum(seconds for step, seconds in zip(steps, times, strict=True) if step.name[0] != "(")
    return [
        Row(f"one photo: {step.name}", "us", seconds * 1e6, "all steps", total * 1e6, total / seconds)
        for step, seconds in zip(steps, times, strict=True)
    ]


def _steps(source: PhotoSource, key: str, house: House) -> list[Step]:
    body = picture(1)
    chunks = [memoryview(body)[at : at + CHUNK] for at in range(0, len(body), CHUNK)]
    bundled = list(in_chunks(bundle([PHOTO] * PHOTOS)))
    put = partial(
        house.store.put,
        "photo.jpg",
        length=len(body),
        sha256=sha256(body).hexdigest(),
        media_type="image/jpeg",
        cache_control=IMMUTABLE,
    )
    commit = _committing(house)
    return [
        Step("receive and split", lambda: _receive(source, key), PHOTOS),
        Step("(split)", lambda: parse(bundled), PHOTOS),
        Step("hash", lambda: _hash(chunks)),
        Step("probe", lambda: _probe(chunks)),
        Step("spool", lambda: _spool(chunks)),
        Step("put", lambda: put(body=BytesIO(body))),
        Step(f"commit, 1/{PHOTOS} of a listing", commit, PHOTOS),
        Step("(commit and wait for the disk)", commit, PHOTOS, time.perf_counter),
    ]


def _receive(source: PhotoSource, key: str) -> None:
    for photo in source.open_photos([Wanted(key)]):
        for _ in photo.chunks:
            pass


def _hash(chunks: Sequence[memoryview]) -> None:
    digest = sha256()
    for chunk in chunks:
        digest.update(chunk)
    digest.hexdigest()


def _probe(chunks: Sequence[memoryview]) -> None:
    probe = ImageProbe()
    for chunk in chunks:
        probe.receive_data(chunk)
    facts = probe.result()
    assert facts
    assert facts.complete


def _spool(chunks: Sequence[memoryview]) -> None:
    with SpooledTemporaryFile(max_size=SPOOL_MEMORY) as spool:
        for chunk in chunks:
            spool.write(chunk)
        spool.seek(0)


def _committing(house: House) -> Callable[[], object]:
    """Commits a new listing at every call."""
    keys = (f"C{number}" for number in count())
    photos = tuple(
        StoredPhoto(PhotoRef(str(n), n), Image(sha256(b"%d" % n).hexdigest(), PHOTO, "image/jpeg"))
        for n in range(PHOTOS)
    )

    def commit() -> None:
        key, now = next(keys), house.now()
        made = Commit(StoredSet(key), StoredSet(key, 1, "stamp", photos))
        house.catalog.commit(FEED, made, now, now + timedelta(days=1))

    return commit
