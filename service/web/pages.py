"""The pages and the little API: each route reads what it shows, and hands it to a template.

Every value of a feed is text to a template, and templates escape; no page holds a script.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from service.core.guards import STOPS_SWEEP
from service.core.photos import IMMUTABLE, segment
from service.metrics import CONTENT_TYPE
from service.web import words
from service.web.album import manifest_in, open_album
from service.web.chart import HEIGHT, chart_of
from service.web.desk import RUNS_SHOWN, Desk, feed_views, view_of
from service.web.door import Door

HERE = Path(__file__).parent

PAGE_SIZE = 50
"""Listings on one page: a screen or two."""

PARKED_SHOWN = 50
"""Parked listings of one feed; a longer list is read by `status --parked`."""


class Pages:
    """Routes that only look."""

    def __init__(self, desk: Desk, door: Door) -> None:
        self._desk = desk
        self._door = door
        self._templates = _templates()

    def page(self, request: Request, name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
        """A rendered template."""
        values |= {"signed_in": self._door.admits(request), "locked": self._door.locked}
        values |= {"now": self._desk.now()}
        return HTMLResponse(self._templates.get_template(name).render(values), status)

    def status(self, request: Request) -> Response:
        """`/`: every feed, what is held back, what is parked."""
        feeds = feed_views(self._desk)
        parked = {feed.name: self._desk.catalog.parked(feed.name) for feed in feeds if feed.status.parked}
        said = request.query_params.get("retried", "")
        retried = int(said) if re.fullmatch(r"[0-9]{1,9}", said) else None
        return self.page(
            request, "status.html", feeds=feeds, parked=parked, most=PARKED_SHOWN, retried=retried
        )

    def feed(self, request: Request) -> Response:
        """`/feeds/FEED?q=PART&after=KEY`: its cycles, and its listings by key."""
        name = self._feed_of(request)
        part, after = (request.query_params.get(word, "")[:200] for word in ("q", "after"))
        view = view_of(self._desk, name)
        found = self._desk.catalog.listings(name, part=part, after=after, limit=PAGE_SIZE + 1)
        more = found[PAGE_SIZE - 1].key if len(found) > PAGE_SIZE else None
        shown = found[:PAGE_SIZE]
        return self.page(request, "feed.html", feed=view, listings=shown, part=part, after=after, more=more)

    def listing(self, request: Request) -> Response:
        """`/feeds/FEED/FOLDER`: a listing's photos in order."""
        album = open_album(self._desk.store, self._feed_of(request), request.path_params["folder"])
        if album is None:
            raise HTTPException(404, "The bucket holds no manifest of this listing.")
        urls = [album.url(photo, self._desk.config.store.public_url) for photo in album.photos]
        photos = list(zip(album.photos, urls, strict=True))
        return self.page(request, "listing.html", album=album, photos=photos)

    def photo(self, request: Request) -> Response:
        """`/photo/FEED/FOLDER/NAME`: the bytes of a photo that the listing's manifest names."""
        album = open_album(self._desk.store, self._feed_of(request), request.path_params["folder"])
        photo = album.named(request.path_params["name"]) if album else None
        if album is None or photo is None:
            raise HTTPException(404, "No manifest names this photo.")
        try:
            body = self._desk.store.get(album.key(photo))
        except KeyError as error:
            raise HTTPException(404, "The photo is not in the bucket: run audit --repair.") from error
        return Response(body, media_type=photo.image.media_type, headers={"Cache-Control": IMMUTABLE})

    def metrics(self, _request: Request) -> Response:
        """`/metrics`."""
        return Response(self._desk.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    def feeds_json(self, _request: Request) -> Response:
        """`/api/feeds`."""
        return _json(feed_views(self._desk))

    def feed_json(self, request: Request) -> Response:
        """`/api/feeds/FEED`."""
        return _json(view_of(self._desk, self._feed_of(request)))

    def listing_json(self, request: Request) -> Response:
        """`/api/feeds/FEED/listings/KEY`: the manifest."""
        folder = segment(request.path_params["key"])
        document = manifest_in(self._desk.store, self._feed_of(request), folder)
        if document is None:
            raise HTTPException(404, "The bucket holds no manifest of this listing.")
        return Response(document, media_type="application/json")

    def _feed_of(self, request: Request) -> str:
        name: str = request.path_params["feed"]
        if name not in self._desk.config.feeds:
            raise HTTPException(404, "The configuration has no such feed.")
        return name

    async def failed(self, request: Request, error: Exception) -> Response:
        """What went wrong, as a page; a failure of the catalog or the store is a 503."""
        code, text = (
            (error.status_code, error.detail) if isinstance(error, HTTPException) else (503, str(error))
        )
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": text}, code)
        return await run_in_threadpool(self.page, request, "message.html", code, code=code, text=text)


def _json(document: object) -> Response:
    """Times are ISO 8601, spans are seconds."""
    return Response(to_json(document, timedelta_mode="float"), media_type="application/json")


def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "ago": words.ago,
        "folder": segment,
        "moment": words.moment,
        "number": words.number,
        "size": words.size,
        "span": words.span,
    }
    templates.globals |= {"chart_of": chart_of, "chart_height": HEIGHT, "slots": RUNS_SHOWN}
    templates.globals |= {"liftable": STOPS_SWEEP}
    return templates
