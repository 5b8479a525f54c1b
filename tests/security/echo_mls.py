"""An MLS that repeats whatever it is told: credentials, cookies and signed URLs, in every kind of answer."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.acceptance.support import PASSWORD
from tests.feeds.answers import PARALLEL, bundle, jpeg, part
from tests.feeds.conftest import LOGIN
from tests.feeds.scripted import DigestGate, Handler, Reply, Request, ScriptedServer, ok

UA_PASSWORD = "planted-agent-password"
COOKIE = "planted-session-cookie"
NONCE = "planted-nonce"
OPAQUE = "planted-opaque"
SIGNATURE = "planted-signature"
TOKEN = "planted-token"
JWT = "eyJhbGciOiJub25lIn0.eyJwbGFudGVkIjoiand0In0."

PLANTED = [PASSWORD, UA_PASSWORD, COOKIE, NONCE, OPAQUE, SIGNATURE, TOKEN, JWT]

DELIMITED = (
    '<RETS ReplyCode="0" ReplyText="ok"><COUNT Records="{count}"/><DELIMITER value="09"/>{rows}</RETS>'
)
ROWS = "<COLUMNS>\tListingKey\tModificationTimestamp\tPhotosChangeTimestamp\tPhotosCount\t</COLUMNS>{rows}"
ROW = "<DATA>\t{key}\t2026-01-01T00:00:00Z\t2026-01-01T00:00:00Z\t1\t</DATA>"


class Gate(DigestGate):
    """Digest with a nonce and an opaque that are looked for."""

    def __call__(self, handler: Handler) -> Handler:
        gated = super().__call__(handler)

        def answer(request: Request) -> Reply:
            said = gated(request)
            opaque = f'opaque="{OPAQUE}"'.encode()
            return replace(said, pieces=[piece.replace(b'opaque="o"', opaque) for piece in said.pieces])

        return answer

    @property
    def nonce(self) -> str:
        return f"{NONCE}-{self.challenges}"

    def accepts(self, request: Request) -> bool:
        return PASSWORD not in request.headers.get("authorization", "") and super().accepts(request)


def said(request: Request) -> str:
    """The request, as error pages show it."""
    lines = [
        f"GET {request.target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in request.headers.items()),
    ]
    return "\r\n".join(lines)


def in_xml(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("\r\n", " ")


def reply(code: int, text: str) -> Reply:
    return ok(f'<RETS ReplyCode="{code}" ReplyText="{in_xml(text)}"/>')


@dataclass
class EchoMls:
    """`/login` lets in, and each listing then fails in a way of its own; the other logins fail."""

    server: ScriptedServer = field(default_factory=ScriptedServer)
    digests: list[str] = field(default_factory=list)
    """What was computed of the passwords."""

    def __post_init__(self) -> None:
        gate = Gate("reader", PASSWORD)
        cookies = [
            ("Set-Cookie", f"RETS-Session-ID={COOKIE}; path=/"),
            ("Set-Cookie", f"lb={COOKIE}-2; path=/"),
        ]
        more = "Login = /login\n"
        self._page("/login", gate(lambda _request: ok(LOGIN.format(more=more), headers=cookies)))
        self._page("/login-broken", lambda request: ok(f"{PASSWORD}\r\n{said(request)}", "text/html"))
        self._page("/login-refused", lambda request: reply(20036, f"{said(request)} for {PASSWORD}"))
        self._page("/search", self._search)
        self._page("/object", self._photo)
        self._page("/photo", lambda request: ok(said(request), "text/html", status=403))
        self._page("/logout", lambda _request: ok("<RETS ReplyCode='0' ReplyText='bye'/>"))

    def _page(self, path: str, handler: Handler) -> None:
        def page(request: Request) -> Reply:
            for value in (
                request.headers.get("authorization", ""),
                request.headers.get("rets-ua-authorization", ""),
            ):
                self.digests += [
                    word.strip('"') for word in value.replace("=", " ").replace(",", " ").split()
                ]
            return handler(request)

        self.server.handlers[path] = page

    def _search(self, request: Request) -> Reply:
        if "fails" in request.params.get("Query", ""):
            return reply(20203, f"token={TOKEN} {JWT} {said(request)}")
        keys = [str(1001 + number) for number in range(len(ANSWERS))]
        rows = ROWS.format(rows="".join(ROW.format(key=key) for key in keys))
        return ok(DELIMITED.format(count=len(keys), rows=rows))

    def _photo(self, request: Request) -> Reply:
        number = int(request.params["ID"].partition(":")[0]) - 1001
        return ANSWERS[number](self.server, request)

    @property
    def secrets(self) -> list[str]:
        """All that may stand nowhere: what was planted, and what was made of it."""
        return [*PLANTED, *(word for word in set(self.digests) if len(word) == 32 and word.isalnum())]


Answering = Callable[[ScriptedServer, Request], Reply]


def _signed(server: ScriptedServer, _request: Request) -> Reply:
    url = server.url(f"/photo?X-Amz-Signature={SIGNATURE}&X-Amz-Security-Token={TOKEN}&Expires=9")
    return ok(bundle(part("", f"Location: {url}", id_="1", listing="1005")), PARALLEL)


def _userinfo(_server: ScriptedServer, _request: Request) -> Reply:
    url = f"ftp://me:{TOKEN}@files.example/1.jpg?sig={SIGNATURE}"
    return ok(bundle(part("", f"Location: {url}", id_="1", listing="1006")), PARALLEL)


ANSWERS: list[Answering] = [
    lambda _server, request: reply(20407, said(request)),
    lambda _server, request: ok(f"<html><pre>{said(request)}</pre>", "text/html"),
    lambda _server, request: ok(f"<html>{in_xml(said(request))}", "text/html", status=403),
    lambda _server, _request: reply(20413, f"Not now: password={PASSWORD}; token={TOKEN}; jwt {JWT}"),
    _signed,
    _userinfo,
    lambda _server, request: ok(said(request), "text/html", status=500),
    lambda _server, _request: ok(
        f'{{"access_token": "{TOKEN}", "session_id": "{COOKIE}"}}', "application/json"
    ),
    lambda _server, _request: ok(
        f"nonce {NONCE}-1 is stale, opaque {OPAQUE}, agent {UA_PASSWORD}", "text/plain"
    ),
    lambda _server, request: ok(
        bundle(part(f"<p>{said(request)}</p>", "Content-Type: image/jpeg", id_="1", listing="1010")), PARALLEL
    ),
    lambda _server, _request: ok("x" * 1190 + PASSWORD, "text/plain"),  # cut in the middle of it
    lambda _server, _request: ok(jpeg("fine"), "image/jpeg"),
]
"""One for each listing, from 1001 on."""
