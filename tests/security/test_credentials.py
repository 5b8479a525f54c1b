"""Credentials and cookies go to the feed's own hosts, whatever a server says of other ones."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from service.errors import RetryLater, ServiceError, StopFeed
from service.feeds.cookies import MAX_COOKIES
from service.feeds.rets_client import RetsClient
from tests.feeds.conftest import LOGIN, PASSWORD, Configure, login_page
from tests.feeds.scripted import DigestGate, Reply, Request, ScriptedServer, ok
from tests.security.servers import Victim, names

EVIL = {
    "another host": "http://localhost:{evil}/search",
    "backslash before the at sign": "http://localhost:{evil}\\@127.0.0.1:{home}/search",
    "at sign": "http://127.0.0.1:{home}@localhost:{evil}/search",
    "fragment": "http://localhost:{evil}#@127.0.0.1:{home}/search",
    "query": "http://localhost:{evil}?@127.0.0.1:{home}/search",
    "relative to the scheme": "//localhost:{evil}/search",
    "longer name": "http://127.0.0.1.evil.example:{evil}/search",
    "longer name in front": "http://evil-127.0.0.1:{evil}/search",
    "last dot": "http://localhost.:{evil}/search",
    "decimal": "http://2130706433:{evil}/search",
    "another address of the machine": "http://127.0.0.2:{evil}/search",
    "IPv6": "http://[::1]:{evil}/search",
    "full width": "http://\uff4cocalhost:{evil}/search",
    "Cyrillic": "http://l\u043ecalhost:{evil}/search",
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:{home}/1",
    "ftp": "ftp://127.0.0.1:{home}/search",
    "data": "data:text/xml,<RETS ReplyCode='0'/>",
}


def client_of(configure: Configure) -> RetsClient:
    return RetsClient("mls", configure(), waits=())


@pytest.mark.parametrize("url", EVIL.values(), ids=EVIL.keys())
def test_a_capability_url_does_not_lead_credentials_away(
    server: ScriptedServer, configure: Configure, bystander: Victim, url: str
) -> None:
    there = url.format(evil=bystander.port, home=server.port)
    server.handlers["/login"] = lambda _request: ok(LOGIN.replace("Search = /search", f"Search = {there}"))
    with pytest.raises((StopFeed, RetryLater)), names(lambda _name: ["127.0.0.1"]):
        client_of(configure).search({})
    assert bystander.visits == 0
    assert server.paths() == ["/login"]


@pytest.mark.parametrize("url", EVIL.values(), ids=EVIL.keys())
def test_a_redirect_does_not_lead_credentials_away(
    server: ScriptedServer, configure: Configure, bystander: Victim, url: str
) -> None:
    there = url.format(evil=bystander.port, home=server.port).encode().decode("latin-1")
    server.handlers["/search"] = lambda _request: ok("", status=302, headers=[("Location", there)])
    with pytest.raises((StopFeed, RetryLater)), names(lambda _name: ["127.0.0.1"]):
        client_of(configure).search({})
    assert bystander.visits == 0
    assert server.paths() == ["/login", "/search"]


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0", "fe80::1", "224.0.0.1"])  # noqa: S104 - refused
def test_a_login_name_does_not_lead_to_an_address_of_no_server(configure: Configure, address: str) -> None:
    client = RetsClient("mls", configure(login_url="http://rets.mls.example/login"), waits=())
    with names(lambda _name: [address]), pytest.raises(RetryLater, match=r"no server's .*login_url"):
        client.login()


def test_a_step_down_from_https_is_refused(server: ScriptedServer, configure: Configure) -> None:
    client = RetsClient("mls", configure(login_url=server.url("/login").replace("http", "https")), waits=())
    url = server.url("/search")
    with pytest.raises(StopFeed, match="could be read on the way"):
        client._transport._rule.check_url(url)


def gate(server: ScriptedServer, challenge: str) -> Callable[[Request], Reply]:
    """Asks for credentials until it has some."""
    page = login_page()

    def answer(request: Request) -> Reply:
        if "authorization" in request.headers:
            return page(request)
        return ok("", status=401, headers=[("WWW-Authenticate", challenge)])

    server.handlers["/login"] = answer
    return answer


CHALLENGES = {
    "realm with quotes": 'Digest realm="a\\", uri=\\"/evil", nonce="n"',
    "nonce with a line end": 'Digest realm="a", nonce="n\\\r\n X-Injected: 1"',
    "opaque without an end": 'Digest realm="a", nonce="n", opaque="' + "o" * 50_000,
    "a thousand parameters": "Digest nonce=n, " + ", ".join(f"p{n}=v" for n in range(1000)),
    "a thousand challenges": ", ".join(f'Basic realm="{n}"' for n in range(1000)),
    "backslashes": 'Digest realm="' + "\\" * 30_001 + '", nonce="n"',
    "quotes": 'Digest realm="' + '"' * 30_000 + ', nonce="n"',
    "blanks": "Digest realm" + " " * 60_000 + '="a", nonce="n"',
}


@pytest.mark.parametrize("challenge", CHALLENGES.values(), ids=CHALLENGES.keys())
def test_a_challenge_cannot_break_a_request(
    server: ScriptedServer, configure: Configure, challenge: str
) -> None:
    gate(server, challenge)
    with suppress(ServiceError):
        client_of(configure).login()
    for request in server.requests:
        assert "x-injected" not in request.headers
        assert request.target == "/login"
        assert PASSWORD not in str(request)


def test_basic_is_not_used_where_digest_is_offered(server: ScriptedServer, configure: Configure) -> None:
    digest = DigestGate("reader", PASSWORD)
    digest.extra = [("WWW-Authenticate", 'Basic realm="x"')]
    server.handlers["/login"] = digest(login_page())
    client_of(configure).login()
    sent = [request.headers.get("authorization", "") for request in server.requests]
    assert [header.partition(" ")[0] for header in sent] == ["", "Digest"]


def test_cookies_go_to_the_host_that_set_them(server: ScriptedServer, configure: Configure) -> None:
    elsewhere = server.url("/search", "localhost")
    page = LOGIN.replace("Search = /search", f"Search = {elsewhere}")
    cookies = ["RETS-Session-ID=of-this-host; path=/", "wide=1; domain=localhost; path=/", "all=1; domain=."]
    server.handlers["/login"] = lambda _request: ok(page, headers=[("Set-Cookie", one) for one in cookies])
    server.handlers["/search"] = lambda _request: ok('<RETS ReplyCode="20201"/>')
    client = RetsClient("mls", configure(hosts=["localhost"]), waits=())
    client.search({}).close()
    assert "cookie" not in server.asked("/search")[0].headers
    client.logout()
    assert server.asked("/logout")[0].headers["cookie"] == "RETS-Session-ID=of-this-host"


COOKIES = {
    "of 60 KB": ["big=" + "x" * 60_000],
    "with a long name": ["n" * 60_000 + "=1"],
    "with a line end": ["a=b\r\n X-Injected: 1"],
    "with a lone line feed": ["a=b\n\tX-Injected: 1"],
    "with NUL": ["a=b\x00c"],
    "with another cookie in it": ["a=b; path=/; c=d"],
    "with quotes": ['a="b; X-Injected=1"'],
    "without a name": ["=value", "value"],
    "that ended long ago": ["a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT"],
    "that never ends": ["a=b; max-age=" + "9" * 1000],
    "of no year": ["a=b; expires=Thu, 01 Jan 99999999999 00:00:00 GMT"],
    "for a path of dots": ["a=b; path=/../../.."],
}


@pytest.mark.filterwarnings("ignore:http.cookiejar bug")  # the library's words for a bad cookie
@pytest.mark.parametrize("cookies", COOKIES.values(), ids=COOKIES.keys())
def test_a_cookie_cannot_break_a_request(
    server: ScriptedServer, configure: Configure, cookies: list[str]
) -> None:
    server.handlers["/login"] = lambda _request: ok(
        LOGIN.format(more=""), headers=[("Set-Cookie", one) for one in cookies]
    )
    server.handlers["/search"] = lambda _request: ok('<RETS ReplyCode="20201"/>')
    client_of(configure).search({}).close()
    (request,) = server.asked("/search")
    assert "x-injected" not in request.headers
    assert len(request.headers.get("cookie", "")) < 5000


def test_cookies_do_not_pile_up(server: ScriptedServer, configure: Configure) -> None:
    rounds = iter(range(1000))

    def more(_request: Request) -> Reply:
        start = next(rounds) * 90
        new = [("Set-Cookie", f"c{start + n}={'x' * 100}; path=/") for n in range(90)]
        return ok('<RETS ReplyCode="20201"/>', headers=new)

    server.handlers["/search"] = more
    client = client_of(configure)
    for _ in range(5):
        client.search({}).close()
    assert len(list(client._cookies)) == MAX_COOKIES
    last = server.asked("/search")[-1].headers["cookie"]
    assert "c359=" in last
    assert "c0=" not in last
