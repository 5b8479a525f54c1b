"""The Spark Listing Photos service (L1-L5): photos by listing, read and, with a private key, changed.

<root>listings/{listing}/photos           GET, POST
<root>listings/{listing}/photos/{photo}   GET, PUT, DELETE; {photo} is its Id or ends its ResourceUri
"""

import base64
import json
import re
import threading
from binascii import Error
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from service.simulator.answers import RawAnswer
from service.simulator.web_api import media_host
from service.simulator.web_api.dialects import SPARK_PHOTOS
from service.simulator.web_api.listings import Listing, Listings, Medium
from service.simulator.web_api.rows import SIZES, MediaUrls

MOST_NAME, MOST_CAPTION = 40, 1000
"""Characters (L4)."""

_PATH = re.compile(r"listings/(?P<listing>[^/]+)/photos(?:/(?P<photo>[^/]+))?")
_FIELDS = frozenset({"Picture", "FileName", "Name", "Caption", "Primary"})
_ANONYMOUS = "Listing Photo"


class BadPhotoError(ValueError):
    """A request that the service does not take; it is answered with HTTP 400."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What a request says of a photo; None: it does not speak of it."""

    picture: bytes | None = None
    name: str | None = None
    caption: str | None = None
    primary: bool = False


class SparkPhotos:
    """The photos of listings. A photo's version is part of its ResourceUri (L3).

    `base` stands before the URLs of pictures: `/<feed>/`, or with scheme and host before it.
    A photo's caption is `Name`, or `Name` and `Caption` with a line's end between them.
    """

    def __init__(self, base: str, listings: Iterable[Listing] = (), *, private: bool = True) -> None:
        self.listings = Listings(listings)
        self._urls = MediaUrls(SPARK_PHOTOS, base)
        self._private = private
        self._numbers = count(1)
        self._lock = threading.Lock()

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """Answer Get, Post, Put, Delete and Media."""
        if transaction == "Media":
            return media_host.answer(self.listings, self._urls, params)
        match = _PATH.fullmatch(params["path"])
        listing = self.listings.get(match["listing"]) if match else None
        if match is None or listing is None:
            return failure(404, "Not Found", "no such listing")
        with self._lock:
            try:
                if match["photo"] is None:
                    return self._collection(transaction, listing, params)
                return self._item(transaction, listing, match["photo"], params)
            except BadPhotoError as error:
                return failure(400, "Bad Request", str(error))

    def _collection(self, transaction: str, listing: Listing, params: Mapping[str, str]) -> RawAnswer:
        if transaction == "Get":
            return success([self._row(listing, photo) for photo in listing.media])
        if transaction != "Post":
            return failure(405, "Method Not Allowed", "GET and POST are taken here")
        return self._forbidden() or self._add(listing, read_upload(params.get("body", "")))

    def _item(self, transaction: str, listing: Listing, name: str, params: Mapping[str, str]) -> RawAnswer:
        photo = next((one for one in listing.media if name in {one.key, _own_name(one)}), None)
        if transaction not in {"Get", "Put", "Delete"}:
            return failure(405, "Method Not Allowed", "GET, PUT and DELETE are taken here")
        if photo is None:
            return failure(404, "Not Found", "no such photo")
        if transaction == "Get":
            return success([self._row(listing, photo)])
        return self._forbidden() or self._change(transaction, listing, photo, params)

    def _change(
        self, transaction: str, listing: Listing, photo: Medium, params: Mapping[str, str]
    ) -> RawAnswer:
        if transaction == "Delete":
            media = tuple(one for one in listing.media if one is not photo)
            self.listings.put(replace(listing, media=media))
            return success(None)
        return self._update(listing, photo, read_upload(params.get("body", "")))

    def _forbidden(self) -> RawAnswer | None:
        """Only a private key may change photos (L5)."""
        return None if self._private else failure(403, "Forbidden", "this key may only read")

    def _add(self, listing: Listing, upload: Upload) -> RawAnswer:
        if upload.picture is None or not upload.name:
            raise BadPhotoError("Picture, FileName and Name are required")
        if upload.primary:
            raise BadPhotoError("Primary is not taken here")
        number = next(self._numbers)
        photo = Medium(f"2026{number:022}", str(number), picture=upload.picture, preferred=not listing.media)
        photo = replace(photo, caption=_caption(upload.name, upload.caption))
        self.listings.put(replace(listing, media=(*listing.media, photo)))
        return success([self._row(listing, photo)], 201, "Created")

    def _update(self, listing: Listing, photo: Medium, upload: Upload) -> RawAnswer:
        name, caption = _words(photo)
        said = _caption(
            name if upload.name is None else upload.name,
            caption if upload.caption is None else upload.caption,
        )
        new = replace(photo, caption=said, preferred=photo.preferred or upload.primary)
        if upload.picture is not None:
            new = replace(new, picture=upload.picture, changed=str(next(self._numbers)))
        others = [replace(one, preferred=one.preferred and not upload.primary) for one in listing.media]
        media = tuple(new if one.key == photo.key else one for one in others)
        self.listings.put(replace(listing, media=media))
        return success([self._row(listing, new)])

    def _row(self, listing: Listing, photo: Medium) -> dict[str, Any]:
        name, caption = _words(photo)
        return {
            "ResourceUri": resource_uri(listing, photo),
            "Id": photo.key,
            "Name": name,
            "Caption": caption,
            **{size: self._url(listing, photo, ending) for size, ending in SIZES.items()},
            "Primary": photo.preferred,
        }

    def _url(self, listing: Listing, photo: Medium, ending: str) -> str:
        return f"{self._urls.base}{self._urls.path(listing, photo, ending)}"


def resource_uri(listing: Listing, photo: Medium) -> str:
    """What identifies a photo's content (L3)."""
    return f"/{SPARK_PHOTOS.root}listings/{listing.key}/photos/{_own_name(photo)}"


def read_upload(body: str) -> Upload:
    """The one photo of a request's body (L5). Raises BadPhotoError."""
    try:
        (said,) = json.loads(body)["D"]["Photos"]
    except (ValueError, KeyError, TypeError):
        raise BadPhotoError("one photo is wanted in D.Photos") from None
    texts = _FIELDS - {"Primary"}
    if not isinstance(said, dict) or not all(isinstance(said[name], str) for name in texts & said.keys()):
        raise BadPhotoError("a photo is an object, whose fields are text but for Primary")
    odd = sorted(said.keys() - _FIELDS)
    if odd:
        raise BadPhotoError(f"{', '.join(odd)}: not known")
    if len(said.get("Name", "")) > MOST_NAME or len(said.get("Caption", "")) > MOST_CAPTION:
        raise BadPhotoError(f"Name has at most {MOST_NAME} characters, Caption {MOST_CAPTION}")
    if ("Picture" in said) != ("FileName" in said):
        raise BadPhotoError("Picture and FileName go together")
    # Primary: false un-marks nothing (L4).
    primary = said.get("Primary") is True
    return Upload(_picture(said.get("Picture")), said.get("Name"), said.get("Caption"), primary)


def _picture(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except Error:
        raise BadPhotoError("Picture is not base64") from None


def success(results: list[dict[str, Any]] | None, status: int = 200, reason: str = "OK") -> RawAnswer:
    """The service's envelope (L2)."""
    more = {} if results is None else {"Results": results}
    return _envelope(status, reason, {"Success": True, **more})


def failure(status: int, reason: str, message: str) -> RawAnswer:
    """The envelope of a refusal."""
    return _envelope(status, reason, {"Success": False, "Message": message, "Code": status})


def _envelope(status: int, reason: str, inner: Mapping[str, Any]) -> RawAnswer:
    body = json.dumps({"D": inner}, ensure_ascii=False, separators=(",", ":")).encode()
    return RawAnswer(status, reason, (("Content-Type", "application/json; charset=utf-8"),), body)


def _own_name(photo: Medium) -> str:
    """What ends a photo's ResourceUri: another text for each of its pictures (L3)."""
    return f"{photo.key}-{photo.version}"


def _words(photo: Medium) -> tuple[str, str]:
    name, _, caption = (photo.caption or _ANONYMOUS).partition("\n")
    return name, caption


def _caption(name: str, caption: str | None) -> str:
    return f"{name}\n{caption}" if caption else name
