"""Routes that change something: signing in and out, and trying parked listings again.

A form is taken only from a page of ours and, but for signing in, only from somebody who has.
"""

from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.web.desk import Desk
from service.web.door import Door, is_of_this_site
from service.web.pages import Pages

MOST_FIELDS = 5


class Actions:
    """Every one answers with a redirect to a page, so that reloading repeats nothing."""

    def __init__(self, desk: Desk, door: Door, pages: Pages) -> None:
        self._desk = desk
        self._door = door
        self._pages = pages

    def show_login(self, request: Request) -> Response:
        """`GET /login`."""
        return self._pages.page(request, "login.html", wrong=False)

    async def sign_in(self, request: Request) -> Response:
        """`POST /login` with `token`."""
        form = await _form(request)
        if not self._door.opens(form.get("token", "")):
            return self._pages.page(request, "login.html", 403, wrong=True)
        response = RedirectResponse("/", 303)
        self._door.give_ticket(request, response)
        return response

    async def sign_out(self, request: Request) -> Response:
        """`POST /logout`."""
        await _form(request)
        response = RedirectResponse("/", 303)
        self._door.take_ticket(request, response)
        return response

    async def retry(self, request: Request) -> Response:
        """`POST /retry` with `feed` and, for one listing, `listing`: what is parked is due at once."""
        form = await _form(request)
        if not self._door.admits(request):
            raise HTTPException(403, "Sign in to retry listings.")
        feed, listing = form.get("feed", ""), form.get("listing")
        if feed not in self._desk.config.feeds:
            raise HTTPException(404, "The configuration has no such feed.")
        due = await run_in_threadpool(self._desk.catalog.retry, feed, listing, self._desk.now())
        return RedirectResponse(f"/?retried={due}", 303)


async def _form(request: Request) -> dict[str, str]:
    """The form's fields, each once. 403 unless a page of ours sent it."""
    if not is_of_this_site(request):
        raise HTTPException(403, "This form was sent by another site.")
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields: dict[str, Any] = parse_qs(body, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "The form has too many fields.") from error
    return {name: values[0] for name, values in fields.items()}
