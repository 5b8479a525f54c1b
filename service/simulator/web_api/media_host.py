"""The host of the media: bytes by URL, in part where a part is asked for (RFC 9110, section 14)."""

import re
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import unquote

from service.simulator.answers import RawAnswer
from service.simulator.web_api.listings import Listings, Medium
from service.simulator.web_api.rows import SIZES, MediaUrls

_REASONS = {403: "Forbidden", 404: "Not Found", 410: "Gone", 401: "Unauthorized"}
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_SIZE = re.compile(f"(?:{'|'.join(SIZES.values())})(?=\\.\\w+$)")


def answer(listings: Listings, urls: MediaUrls, params: Mapping[str, str]) -> RawAnswer:
    """A medium by its `URL`, seen from the feed's path, with the `Range` and `If-Range` of the request."""
    path, _, query = params["URL"].partition("?")
    if not urls.admits(query):
        return _refusal(403)
    medium = _medium(listings, urls, path)
    if medium is None:
        return _refusal(404)
    if medium.location is not None:
        return RawAnswer(302, "Found", (("Location", medium.location),), b"")
    if medium.status != 200:
        return _refusal(medium.status)
    return ranged(medium.media_type, medium.body, params)


def ranged(media_type: str, body: bytes, params: Mapping[str, str]) -> RawAnswer:
    """The bytes, or those that were asked for of the same ones."""
    etag = f'"{sha256(body).hexdigest()[:16]}"'
    head = (("Content-Type", media_type), ("ETag", etag), ("Accept-Ranges", "bytes"))
    match = _RANGE.fullmatch(params.get("Range", ""))
    if match is None or params.get("If-Range", etag) != etag:
        return RawAnswer(200, "OK", head, body)
    first, last = int(match[1]), min(int(match[2] or len(body)), len(body) - 1)
    if first > last:
        return RawAnswer(416, "Range Not Satisfiable", (("Content-Range", f"bytes */{len(body)}"),), b"")
    part = ("Content-Range", f"bytes {first}-{last}/{len(body)}")
    return RawAnswer(206, "Partial Content", (*head, part), body[first : last + 1])


def _medium(listings: Listings, urls: MediaUrls, path: str) -> Medium | None:
    listing = listings.get(unquote(path.split("/")[1])) if path.count("/") == 2 else None
    if listing is None:
        return None
    paths = {urls.path(listing, medium): medium for medium in listing.media if medium.link is None}
    return paths.get(path) or paths.get(_SIZE.sub("", path))


def _refusal(status: int) -> RawAnswer:
    reason = _REASONS[status]
    return RawAnswer(status, reason, (("Content-Type", "text/plain"),), f"{reason}\n".encode())
