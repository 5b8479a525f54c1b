"""From the first request to the last manifest: the whole ingest, against the loop that it replaces.

Both put into the same store, which answers in 10 ms, and read from the same server. The loop is
given the listings; the ingest has to search for them, and keeps a catalog and manifests besides.
"""

import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import requests
from minio import Minio
from requests.auth import HTTPDigestAuth
from requests_toolbelt import MultipartDecoder

from benchmarks.figures import Effort, Row, interleaved, speed_row
from benchmarks.house import cycle, house_of
from benchmarks.slow_store import Bucket, Store, slow_store
from benchmarks.source import PASSWORD, USER, Source, Stock, source_of

STORE_SECONDS = 0.010
PACE = 50e6
"""Bytes a second: what a good line to a feed gives."""


def run(effort: Effort) -> list[Row]:
    """40 listings of 25 photos of 250 KB."""
    stock = Stock(effort.size(40, quick=2), effort.size(25, quick=3))
    with slow_store(STORE_SECONDS) as store:
        return [_unpaced(effort, stock, store), _paced(effort, stock, store)]


def _unpaced(effort: Effort, stock: Stock, store: Store) -> Row:
    with source_of(stock) as source:
        ours, classic = interleaved(
            effort.runs,
            lambda: ingest(source, store.bucket("ingest")),
            lambda: classic_loop(source.login_url, stock.keys, store.bucket("classic")),
        )
    assert store.pictures("ingest") == store.pictures("classic")
    photos = stock.listings * stock.photos
    what = f"{stock.listings} listings, {photos:,} photos to a store that answers in 10 ms"
    return speed_row(what, ours, "whole body, MultipartDecoder, put one by one", classic, at_least=6)


def _paced(effort: Effort, stock: Stock, store: Store) -> Row:
    total = stock.listings * stock.photos * stock.largest
    paced = Stock(stock.listings, stock.photos, pace=PACE)
    with source_of(paced) as source:
        (ours,) = interleaved(effort.runs, lambda: ingest(source, store.bucket("paced")))
    what = f"the same, from a source of {PACE / 1e6:.0f} MB/s"
    return speed_row(what, ours, "the pace itself", total / PACE, at_least=0.85)


def ingest(source: Source, bucket: Bucket) -> float:
    """Seconds of a first cycle, with a fresh catalog."""
    with TemporaryDirectory() as folder, house_of(source.login_url, bucket, Path(folder)) as house:
        return cycle(house).seconds


def classic_loop(login_url: str, keys: Sequence[str], bucket: Bucket) -> float:
    """Seconds of the loop that most people write first."""
    place = urlsplit(bucket.url)
    client = Minio(place.netloc, bucket.access_key, bucket.secret_key, secure=False, region="us-east-1")
    name = place.path.strip("/")
    began = time.perf_counter()
    with requests.Session() as session:
        session.auth = HTTPDigestAuth(USER, PASSWORD)
        session.headers["RETS-Version"] = "RETS/1.7.2"
        session.get(login_url).raise_for_status()
        for key in keys:
            params = {"Resource": "Property", "Type": "Photo", "ID": f"{key}:*", "Location": "0"}
            answer = session.get(login_url.replace("login", "getobject"), params=params)
            for part in MultipartDecoder.from_response(answer).parts:
                path = f"{key}/{part.headers[b'Object-ID'].decode()}.jpg"
                body = part.content
                client.put_object(name, path, BytesIO(body), len(body), content_type="image/jpeg")
        session.get(login_url.replace("login", "logout"))
    return time.perf_counter() - began
