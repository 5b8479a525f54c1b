"""A Web API feed's front desk: who may ask, how often, and what is written down about it.

    /<feed>/oauth2/token     tokens for a client's id and secret
    /<feed>/media/...        media by URL
    /<feed>/...              everything else: data

The desk knows tokens, allowances and encodings; what a feed holds is known only to its `Answers`.
"""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qsl, unquote

import brotli

from service.simulator.answers import Answers, RawAnswer
from service.simulator.faults import Faults, Kind
from service.simulator.front_desk import Request, no_answer
from service.simulator.journal import Journal, Seen
from service.simulator.spoil import under_faults
from service.simulator.web_api.allowance import Allowance, Turnstile
from service.simulator.web_api.rows import MEDIA
from service.simulator.web_api.tokens import CHALLENGE, Access, TokenDesk

TOKEN = "oauth2/token"  # noqa: S105 - a path
"""Where tokens are given out, seen from the feed's own path."""

_PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": brotli.compress,
    "gzip": lambda body: gzip.compress(body, mtime=0),
}


@dataclass(frozen=True, slots=True)
class ApiSite:
    """One Web API feed to serve. `root` is where its data are, seen from the feed's own path.

    `media` says what the host of the media wants: real ones refuse credentials beside a signature.
    `encodings` are those that JSON may come in, the favourite first (C3). `faults` befall requests
    with good credentials, those for tokens, and those for media.
    """

    access: Access
    answers: Answers
    root: str = ""
    media: Literal["without credentials", "with credentials"] = "without credentials"
    encodings: Sequence[str] = ()
    allowance: Allowance | None = None
    faults: Faults[Kind] | None = None


class ApiDesk:
    """Receives the requests of one feed."""

    def __init__(self, feed: str, site: ApiSite, journal: Journal) -> None:
        self._feed, self._site, self._journal = feed, site, journal
        self.tokens = TokenDesk(site.access)
        self._turnstile = Turnstile(site.allowance) if site.allowance else None

    def receive(self, request: Request) -> RawAnswer:
        """The answer to one request."""
        target = request.target.removeprefix(f"/{self._feed}/")
        path, _, query = target.partition("?")
        if path == TOKEN:
            return self._give_token(request, query)
        if path.startswith(MEDIA):
            return self._media(request, target)
        return self._packed(request, self._data(request, target))

    def _give_token(self, request: Request, query: str) -> RawAnswer:
        params = dict(parse_qsl(query) + parse_qsl(request.body.decode("latin-1")))
        authorization = request.headers["Authorization"]
        self._journal.note(Seen(self._feed, "Token", params))
        give = lambda: self.tokens.give(request.method, authorization, params)  # noqa: E731 - as below
        return under_faults(self._site.faults, "Token", params, give)

    def _media(self, request: Request, target: str) -> RawAnswer:
        authorization = request.headers["Authorization"]
        if self._site.media == "with credentials" and not self.tokens.admits(authorization):
            return _unauthorized()
        if self._site.media == "without credentials" and (authorization or request.headers["Cookie"]):
            text = b"a picture is asked for without credentials\n"
            return RawAnswer(400, "Bad Request", (("Content-Type", "text/plain"),), text)
        ranges = {name: request.headers[name] for name in ("Range", "If-Range") if request.headers[name]}
        return self._answered("Media", {"URL": target, **ranges})

    def _data(self, request: Request, target: str) -> RawAnswer:
        if not self.tokens.admits(request.headers["Authorization"]):
            return _unauthorized()
        refusal = self._turnstile.refusal() if self._turnstile else None
        headers = self._turnstile.headers() if self._turnstile else ()
        if refusal is not None:
            return replace(refusal, headers=refusal.headers + headers)
        answer = self._answered(request.method.title(), self._params(request, target))
        return replace(answer, headers=answer.headers + headers)

    def _params(self, request: Request, target: str) -> dict[str, str]:
        """`path`, seen from the site's root, the options of the query, `target` byte for byte, `body`."""
        path, _, query = target.partition("?")
        path = unquote(path)
        if path.lower().startswith(self._site.root.lower()):
            path = path[len(self._site.root) :]
        params = {"path": path, **dict(parse_qsl(query, keep_blank_values=True)), "target": target}
        return {**params, "body": request.body.decode()} if request.body else params

    def _answered(self, transaction: str, params: Mapping[str, str]) -> RawAnswer:
        seen = Seen(self._feed, transaction, params)
        self._journal.note(seen)
        return under_faults(
            self._site.faults,
            transaction,
            params,
            lambda: self._site.answers.answer(transaction, params) or no_answer(self._journal, seen),
            self.tokens.lose,
        )

    def _packed(self, request: Request, answer: RawAnswer) -> RawAnswer:
        """The answer in an encoding that the client takes, unless something has framed it already."""
        said = (request.headers["Accept-Encoding"] or "").lower()
        accepted = {one.partition(";")[0].strip() for one in said.split(",")}
        encoding = next((one for one in self._site.encodings if one in accepted), None)
        framed = answer.header("Content-Length") or answer.header("Content-Encoding")
        if encoding is None or framed or not isinstance(answer.body, bytes):
            return answer
        head = (*answer.headers, ("Content-Encoding", encoding), ("Vary", "Accept-Encoding"))
        return replace(answer, headers=head, body=_PACKERS[encoding](answer.body))


def _unauthorized() -> RawAnswer:
    said = b'{"error":{"code":"401","message":"a token is needed"}}'
    return RawAnswer(401, "Unauthorized", (("Content-Type", "application/json"), CHALLENGE), said)
