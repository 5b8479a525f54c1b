"""A bundle of 500 MB: what the parser holds of it, and what a whole ingest of it holds."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from requests_toolbelt import MultipartDecoder

from benchmarks.figures import Effort, Row, memory_row
from benchmarks.house import cycle, house_of
from benchmarks.multipart import parse
from benchmarks.peak import peak_of
from benchmarks.pictures import CHUNK, CONTENT_TYPE, bundle, size_of
from benchmarks.slow_store import Bucket
from benchmarks.source import Stock, source_of
from service.stores.embedded import EmbeddedStore

SMALLEST, LARGEST = 250_000, 5_000_000


def run(effort: Effort) -> list[Row]:
    """One listing's photos of 250 KB to 5 MB; of the runs the largest peak, since memory has no noise."""
    photos = effort.size(190, quick=4)
    sizes = [size_of(number, photos, SMALLEST, LARGEST) for number in range(photos)]
    stock, runs = Stock(1, photos, SMALLEST, LARGEST), range(effort.runs)
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = str(_written(bundle(sizes), folder / "bundle"))
        parser = max(peak_of("benchmarks.memory:parsing", file, sum(sizes)) for _ in runs)
        decoder = peak_of("benchmarks.memory:decoding", file, photos)
        with source_of(stock) as source, EmbeddedStore(folder / "objects") as server:
            bucket = asdict(Bucket(server.url, server.access_key, server.secret_key))
            arguments = (source.login_url, bucket, photos, sum(sizes))
            ingest = max(peak_of("benchmarks.memory:ingesting", *arguments) for _ in runs)
    what = f"a bundle of {sum(sizes) / 1e6:.0f} MB"
    peer = "requests_toolbelt MultipartDecoder"
    return [
        memory_row(f"{what}: memory of the parser", parser, peer, decoder, at_most=4),
        memory_row(f"{what}: memory of the whole ingest", ingest, peer, decoder, at_most=64),
    ]


def _written(pieces: Iterable[bytes], path: Path) -> Path:
    with path.open("wb") as out:
        out.writelines(pieces)
    return path


def parsing(file: str, total: int) -> Iterator[None]:
    """Split it, chunk by chunk."""
    yield
    with Path(file).open("rb") as answer:
        assert parse(iter(lambda: answer.read(CHUNK), b"")) == total


def decoding(file: str, photos: int) -> Iterator[None]:
    """Split it with the toolbelt, which wants it whole."""
    yield
    assert len(MultipartDecoder(Path(file).read_bytes(), CONTENT_TYPE).parts) == photos


def ingesting(login_url: str, bucket: dict[str, str], photos: int, total: int) -> Iterator[None]:
    """A first cycle, with everything that a cycle does."""
    with TemporaryDirectory() as folder, house_of(login_url, Bucket(**bucket), Path(folder)) as house:
        yield
        counts = cycle(house).snapshot()
        assert counts["downloaded"] == photos
        assert counts["bytes"] == total
