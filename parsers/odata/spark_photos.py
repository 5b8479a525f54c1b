"""The Spark Listing Photos service (L1-L5): its envelope, its photos, and what it accepts.

{"D": {"Success": true, "Results": [{"ResourceUri": "/v1/listings/X/photos/Y", "Id": "Y", "Name": "Porch",
 "Caption": "", "UriThumb": "http://...", "Uri300": ..., "UriLarge": ..., "Primary": true}]}}
"""

from typing import NamedTuple

from parsers.errors import Malformed
from parsers.odata.page import Row, flag, read_json, text
from parsers.records import PhotoRef

SIZES = ("UriThumb", "Uri300", "Uri640", "Uri800", "Uri1024", "Uri1280", "UriLarge")
"""Smallest first; the last is the original."""

MOST_NAME, MOST_CAPTION = 40, 1000
"""Characters (L4)."""


class SparkPhoto(NamedTuple):
    """One entry: what names it, and where its pictures are. `uri` is the photo's own ResourceUri."""

    ref: PhotoRef
    uri: str


def read_photos(document: bytes, size: str) -> tuple[SparkPhoto, ...]:
    """The photos of a listing, in the array's order (L2). Malformed where the service says no.

    A photo has no time; `ResourceUri` changes with its picture (L3), so it stands as its stamp.
    """
    answer = read_json(document)
    inner = answer.get("D") if isinstance(answer, dict) else None
    if not isinstance(inner, dict) or inner.get("Success") is not True:
        raise Malformed("the service does not say Success")
    rows = inner.get("Results")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Malformed("no list of photos under 'D.Results'")
    return tuple(_photo(row, place, size) for place, row in enumerate(rows))


def _photo(row: Row, place: int, size: str) -> SparkPhoto:
    key, uri = text(row, "Id"), text(row, "ResourceUri")
    if not key or not uri:
        raise Malformed(f"photo {place} has no Id or no ResourceUri")
    ref = PhotoRef(
        id=key,
        order=place,
        stamp=uri,
        url=text(row, size),
        preferred=flag(row, "Primary"),
        caption=text(row, "Caption") or text(row, "Name"),
    )
    return SparkPhoto(ref, uri)
