"""A second cycle in which nothing has changed: all that it may cost is looking."""

import sqlite3
import time
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Effort, Row, interleaved
from benchmarks.house import cycle, house_of
from benchmarks.pictures import PHOTO
from benchmarks.slow_store import Store, slow_store
from benchmarks.source import FEED, NOTHING_CHANGED_SINCE, Source, Stock, source_of
from parsers.records import Image, ListingState
from service.bootstrap import House
from service.core.photos import StoredPhoto, StoredSet
from service.core.plan import Commit
from service.ingest.cycle import nothing_to_do
from service.simulator.mls import iso

PER_SECOND = 2_000
PHOTOS = 25


def run(effort: Effort) -> list[Row]:
    """10,000 listings with 25 photos each, in both forms; one catalog serves both."""
    stock = Stock(effort.size(10_000, quick=50), PHOTOS)
    with TemporaryDirectory() as name, source_of(stock) as source, slow_store(0) as store:
        stage = Stage(stock, source, store, Path(name))
        with stage.house("STANDARD-XML") as house:
            fill(house, stock)
            # Ten thousand transactions less.
            stage.execute("UPDATE listings SET manifest_generation = generation")
            standard = _compare(effort, stage, house, "STANDARD-XML")
        with stage.house("COMPACT") as house:
            # These rows have a time for the whole set, and CREA's records have none.
            stage.execute("UPDATE listings SET stamp = ?", iso(NOTHING_CHANGED_SINCE))
            return [standard, _compare(effort, stage, house, "COMPACT")]


@dataclass(frozen=True)
class Stage:
    """The servers, and the catalog's folder."""

    stock: Stock
    source: Source
    store: Store
    folder: Path

    def house(self, form: str) -> AbstractContextManager[House]:
        """A house on this stage."""
        return house_of(self.source.login_url, self.store.bucket("unchanged"), self.folder, form)

    def execute(self, statement: str, *values: str) -> None:
        """Change the catalog behind its back."""
        with closing(sqlite3.connect(self.folder / "catalog.db")) as db, db:
            db.execute(statement, values)


def _compare(effort: Effort, stage: Stage, house: House, form: str) -> Row:
    stock = stage.stock
    cycle(house)  # the server renders its answers, and the hourly comparison of keys is done
    ours, naive = interleaved(
        effort.runs, lambda: second_cycle(house, stock), lambda: one_by_one(house, stock)
    )
    assert not stage.source.asked().get("GetObject")
    assert not stage.store.puts()
    rate = stock.listings / ours
    return Row(
        f"nothing changed, {stock.listings:,} listings, {form}",
        "listings/s",
        rate,
        "one catalog query per listing",
        stock.listings / naive,
        naive / ours,
        f"at least {PER_SECOND:,} listings/s",
        rate >= PER_SECOND,
    )


def fill(house: House, stock: Stock) -> None:
    """As if a first cycle had stored everything that the feed has."""
    source, now = house.feed(FEED).source, house.now()
    source.open()
    for page in source.changes(None):
        for said in page.listings:
            after = StoredSet(said.key, 1, said.stamp, _photos(said))
            house.catalog.commit(FEED, Commit(StoredSet(said.key), after), now, now + timedelta(days=1))
    source.close()
    assert house.catalog.status(FEED).photos == stock.listings * stock.photos


def _photos(said: ListingState) -> tuple[StoredPhoto, ...]:
    return tuple(
        StoredPhoto(ref, Image(sha256(f"{said.key} {ref.id}".encode()).hexdigest(), PHOTO, "image/jpeg"))
        for ref in said.photos or ()
    )


def second_cycle(house: House, stock: Stock) -> float:
    """Seconds of a cycle."""
    report = cycle(house)
    counts = report.snapshot()
    assert counts["listings"] == stock.listings
    assert counts["unchanged"] == stock.listings * stock.photos
    assert not counts["downloaded"] + counts["uploaded"] + counts["manifests"]
    return report.seconds


def one_by_one(house: House, stock: Stock) -> float:
    """Seconds of the same look, with a query for each listing."""
    feed, looked = house.feed(FEED), 0
    began = time.perf_counter()
    feed.source.open()
    for page in feed.source.changes(None):
        for said in page.listings:
            stored = house.catalog.stored_sets(FEED, [said.key])
            assert nothing_to_do(said, stored[said.key], feed.rules)
            looked += 1
    feed.source.close()
    assert looked == stock.listings
    return time.perf_counter() - began
