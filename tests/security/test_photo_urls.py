"""URLs in answers lead to public hosts alone: by address, by name, by redirect, in any spelling."""

import pytest

from parsers.records import Denied, Outcome, Retryable
from tests.feeds.answers import jpeg
from tests.feeds.scripted import ScriptedServer, ok
from tests.security.conftest import Fetch
from tests.security.servers import Victim, names

PRIVATE = {
    "loopback": "127.0.0.1",
    "loopback, other": "127.255.255.254",
    "this host": "0.0.0.0",  # noqa: S104 - nobody listens here
    "private 10": "10.0.0.1",
    "private 172.16": "172.31.255.255",
    "private 192.168": "192.168.1.1",
    "carrier-grade NAT": "100.64.0.1",
    "link-local": "169.254.1.1",
    "metadata of AWS, Google, Azure": "169.254.169.254",
    "metadata of ECS": "169.254.170.2",
    "metadata of Alibaba": "100.100.100.200",
    "metadata of Oracle": "192.0.0.192",
    "wire server of Azure": "168.63.129.16",
    "benchmarking": "198.18.0.1",
    "documentation": "192.0.2.1",
    "multicast": "239.255.255.250",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "decimal": "2130706433",
    "decimal, metadata": "2852039166",
    "octal": "0177.0.0.01",
    "octal in one": "017700000001",
    "hexadecimal": "0x7f.0x0.0x0.0x1",
    "hexadecimal in one": "0x7F000001",
    "short": "127.1",
    "zero": "0",
    "mixed": "0x7f.1",
    "last dot": "127.0.0.1.",
    "IPv6 loopback": "[::1]",
    "IPv6 loopback in full": "[0:0:0:0:0:0:0:1]",
    "IPv6 unspecified": "[::]",
    "IPv6 link-local": "[fe80::1]",
    "IPv6 link-local with a zone": "[fe80::1%25lo]",
    "IPv6 unique-local": "[fd12:3456::1]",
    "IPv6 metadata of AWS": "[fd00:ec2::254]",
    "IPv6 site-local": "[fec0::1]",
    "IPv6 multicast": "[ff02::1]",
    "IPv6 documentation": "[2001:db8::1]",
    "IPv4-mapped": "[::ffff:127.0.0.1]",
    "IPv4-mapped, hexadecimal": "[::ffff:a9fe:a9fe]",
    "IPv4-compatible": "[::10.0.0.1]",
    "NAT64": "[64:ff9b::127.0.0.1]",
    "6to4": "[2002:7f00:1::1]",
    "Teredo": "[2001:0:7f00:1::]",
}

HIDDEN_HOSTS = {
    "user that looks like a host": "http://cdn.example@{private}/1.jpg",
    "user and password": "http://cdn.example:80@{private}/1.jpg",
    "two at signs": "http://a@cdn.example@{private}/1.jpg",
    "encoded user": "http://cdn.example%2f@{private}/1.jpg",
    "backslash before the at sign": "http://{private}\\@cdn.example/1.jpg",
    "fragment before the at sign": "http://{private}#@cdn.example/1.jpg",
    "query before the at sign": "http://{private}?@cdn.example/1.jpg",
    "scheme in capitals": "HTTP://{private}/1.jpg",
    "relative to the scheme": "//{private}/1.jpg",
}

NOT_HTTP = {
    "file": "file:///etc/passwd",
    "file with a host": "file://localhost/etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp": "ftp://127.0.0.1/1.jpg",
    "data": "data:image/jpeg;base64,/9j/4AAQ",
    "dict": "dict://127.0.0.1:11211/stats",
    "ldap": "ldap://127.0.0.1/",
    "unix socket": "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "javascript": "javascript:alert(1)",
    "s3": "s3://bucket/key",
    "no host": "http:///1.jpg",
    "no slashes": "http:cdn.example/1.jpg",
    "backslashes for slashes": "http:\\\\127.0.0.1/1.jpg",
    "a path": "/etc/passwd",
    "a path of Windows": "C:\\Windows\\win.ini",
    "a share of Windows": "\\\\127.0.0.1\\c$",
    "a port that is none": "http://cdn.example:http/",
    "a port too large": "http://cdn.example:65536/",
    "two ports": "http://cdn.example:80:81/",
    "half an IPv6 address": "http://[::1/1.jpg",
    "NUL in the host": "http://cdn.example\x00.evil/",
    "encoded NUL in the host": "http://cdn.example%00/",
    "line end in the host": "http://cdn.exam\r\nple/",
    "leading NUL": "\x00http://127.0.0.1/",
    "nothing": "",
}


@pytest.mark.parametrize("host", PRIVATE.values(), ids=PRIVATE.keys())
def test_an_address_that_is_not_public_is_not_connected_to(
    fetch: Fetch, bystander: Victim, host: str
) -> None:
    found = fetch(f"http://{host}:{bystander.port}/1.jpg")
    assert isinstance(found, Denied)
    assert "photo_networks" in found.why
    assert bystander.visits == 0


@pytest.mark.parametrize("url", HIDDEN_HOSTS.values(), ids=HIDDEN_HOSTS.keys())
def test_a_host_cannot_be_hidden_in_a_url(fetch: Fetch, bystander: Victim, url: str) -> None:
    found = fetch(url.format(private=f"127.0.0.1:{bystander.port}"))
    assert isinstance(found, Denied)
    assert bystander.visits == 0


@pytest.mark.parametrize("url", NOT_HTTP.values(), ids=NOT_HTTP.keys())
def test_what_is_not_http_is_not_asked_for(fetch: Fetch, url: str) -> None:
    with names(lambda _name: ["127.0.0.1"]) as asked:
        assert isinstance(fetch(url), Denied)
    assert asked == []


LOOKALIKES = {
    "full width": "\uff11\uff12\uff17.0.0.1",
    "circled": "\u2460\u2461\u2466.0.0.1",
    "ideographic dots": "127\u30020\u30020\u30021",
    "Arabic digits": "\u0661\u0662\u0667.0.0.1",
    "soft hyphen": "127.0.0\u00ad.1",
    "zero width": "127.0.0.\u200b1",
    "localhost in full width": "\uff4cocalhost",
}


@pytest.mark.parametrize("host", LOOKALIKES.values(), ids=LOOKALIKES.keys())
def test_letters_that_look_like_an_address_do_not_lead_there(
    fetch: Fetch, bystander: Victim, host: str
) -> None:
    assert isinstance(fetch(f"http://{host}:{bystander.port}/1.jpg"), Outcome)
    assert bystander.visits == 0


ANSWERS = {
    "loopback": ["127.0.0.1"],
    "metadata": ["169.254.169.254"],
    "IPv6 loopback": ["::1"],
    "mapped": ["::ffff:127.0.0.1"],
    "several private ones": ["10.0.0.1", "127.0.0.1", "::1"],
}


@pytest.mark.parametrize("addresses", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_name_that_leads_inside_is_refused(fetch: Fetch, bystander: Victim, addresses: list[str]) -> None:
    with names(lambda _name: addresses):
        found = fetch(f"http://cdn.example:{bystander.port}/1.jpg")
    assert isinstance(found, Denied)
    assert "private address" in found.why
    assert bystander.visits == 0


def test_the_address_that_was_checked_is_the_address_that_is_connected_to(
    server: ScriptedServer, fetch: Fetch
) -> None:
    """DNS rebinding: an answer that is allowed, and another one for whoever asks again."""
    server.handlers["/1.jpg"] = lambda _request: ok(jpeg("x"), "image/jpeg")
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])
    with names(lambda _name: next(answers)) as asked:
        assert fetch(server.url("/1.jpg", "cdn.example"), "127.0.0.1/32") == jpeg("x")
    assert asked == ["cdn.example"]
    assert server.requests[0].headers["host"] == f"cdn.example:{server.port}"


def test_of_several_addresses_the_ones_that_are_allowed_are_tried_in_turn(
    server: ScriptedServer, fetch: Fetch
) -> None:
    server.handlers["/1.jpg"] = lambda _request: ok(jpeg("x"), "image/jpeg")
    with names(lambda _name: ["10.0.0.1", "127.0.0.3", "127.0.0.1"]):
        assert fetch(server.url("/1.jpg", "cdn.example"), "127.0.0.0/8") == jpeg("x")


def test_a_login_host_s_own_name_service_allows_nothing(fetch: Fetch, bystander: Victim) -> None:
    """The feed's provider rules over its own names: an inside answer must not make the feed an inside one."""
    with names(lambda _name: ["127.0.0.1"]):
        found = fetch(f"http://127.0.0.1:{bystander.port}/1.jpg", login="https://rets.mls.example/login")
    assert isinstance(found, Denied)
    assert bystander.visits == 0


REDIRECTS = {
    "address": "http://127.0.0.2:{port}/1.jpg",
    "decimal": "http://2130706434:{port}/1.jpg",
    "mapped": "http://[::ffff:127.0.0.2]:{port}/1.jpg",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "relative to the scheme": "//127.0.0.2:{port}/1.jpg",
    "name": "http://inside.example:{port}/1.jpg",
    "file": "file:///etc/passwd",
    "backslash": "http://127.0.0.2:{port}\\@cdn.example/1.jpg",
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("url", REDIRECTS.values(), ids=REDIRECTS.keys())
def test_a_redirect_leads_inside_no_more_than_a_url_does(
    server: ScriptedServer, fetch: Fetch, bystander: Victim, url: str, status: int
) -> None:
    there = url.format(port=bystander.port)
    server.handlers["/here"] = lambda _request: ok("", status=status, headers=[("Location", there)])
    with names(lambda _name: ["127.0.0.2"]):
        assert isinstance(fetch(server.url("/here"), "127.0.0.1/32"), Denied)
    assert bystander.visits == 0


def test_a_proxy_is_not_asked_for_an_address_inside(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, fetch: Fetch
) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    for host in ("127.0.0.1", "2130706433", "[::1]", "169.254.169.254", "127.0.0.1."):
        assert isinstance(fetch(f"http://{host}/1.jpg"), Denied)
    assert server.requests == []


def test_no_credentials_and_no_cookies_go_to_a_photo_s_host(server: ScriptedServer, fetch: Fetch) -> None:
    challenge = [("WWW-Authenticate", 'Basic realm="x"'), ("Set-Cookie", "id=1; path=/")]
    again = ("Location", "/2.jpg")
    server.handlers["/1.jpg"] = lambda _request: ok("", status=302, headers=[*challenge, again])
    server.handlers["/2.jpg"] = lambda _request: ok("", status=401, headers=challenge)
    assert isinstance(fetch(server.url("/1.jpg").replace("//", "//me:secret@"), "127.0.0.1/32"), Retryable)
    assert [request.path for request in server.requests] == ["/1.jpg", "/2.jpg"]
    for request in server.requests:
        assert not {"authorization", "cookie"} & set(request.headers)
