"""The routes, what every answer carries, and the limits of every request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import ServiceError
from service.web.actions import Actions
from service.web.desk import Desk, gauges
from service.web.door import Door
from service.web.health import Health
from service.web.pages import HERE, Pages

THREADS = 8
"""Requests at once that read catalog or store. The daemon's own work is to come first."""

PHOTOS_AT_ONCE = 2
"""A photo is in memory while it is served, and may have max_photo_bytes."""

MOST_BODY = 4096
"""Bytes of a form: a token, or a feed's name and a listing's key."""


def make_site(desk: Desk) -> ASGIApp:
    """The application. Its metrics watch this desk from now on."""
    web = desk.config.web
    door = Door(web.token if web else None)
    pages, health = Pages(desk, door), Health(desk)
    desk.metrics.watch(lambda: gauges(desk), desk.queue)
    site = Starlette(
        routes=[*_pages(pages), *_actions(Actions(desk, door, pages)), *_machines(pages, health)],
        exception_handlers={HTTPException: pages.failed, ServiceError: pages.failed},
        lifespan=_few_threads,
        max_body_size=MOST_BODY,
    )
    return SafeHeaders(site, desk.config.store.public_url)


def _pages(pages: Pages) -> list[Route | Mount]:
    few = CapacityLimiter(PHOTOS_AT_ONCE)

    async def photo(request: Request) -> Response:
        return await anyio.to_thread.run_sync(pages.photo, request, limiter=few)

    return [
        Route("/", pages.status),
        Route("/feeds/{feed}", pages.feed),
        Route("/feeds/{feed}/{folder}", pages.listing),
        Route("/photo/{feed}/{folder}/{name}", photo),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]


def _actions(actions: Actions) -> list[Route]:
    return [
        Route("/login", actions.show_login),
        Route("/login", actions.sign_in, methods=["POST"]),
        Route("/logout", actions.sign_out, methods=["POST"]),
        Route("/retry", actions.retry, methods=["POST"]),
    ]


def _machines(pages: Pages, health: Health) -> list[Route]:
    return [
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
        Route("/metrics", pages.metrics),
        Route("/api/feeds", pages.feeds_json),
        Route("/api/feeds/{feed}", pages.feed_json),
        Route("/api/feeds/{feed}/listings/{key:path}", pages.listing_json),
    ]


@asynccontextmanager
async def _few_threads(_site: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


class SafeHeaders:
    """Puts on every answer, errors included, what keeps a browser from doing more than the page says."""

    def __init__(self, site: ASGIApp, public_url: str | None) -> None:
        self._site = site
        parts = urlsplit(public_url or "")
        pictures = f"'self' {parts.scheme}://{parts.netloc}" if public_url else "'self'"
        self._headers = {
            "Content-Security-Policy": f"default-src 'none'; style-src 'self'; img-src {pictures}; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            # Not no-referrer: browsers then send forms with Origin: null.
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._site(scope, receive, send_safely)
