from collections.abc import Iterator
from contextlib import closing

import pytest

from parsers.records import Denied, Outcome, PhotoRef, Redirect, Retryable, Unknown
from service.core.ports import IncomingPhoto
from service.errors import TransferCut
from service.feeds.photo_urls import PhotoUrls
from tests.feeds.answers import jpeg
from tests.feeds.conftest import PASSWORD, Configure
from tests.feeds.scripted import Reply, ScriptedServer, cut, ok

PICTURE = jpeg("x" * 1000)


@pytest.fixture
def urls(configure: Configure) -> Iterator[PhotoUrls]:
    with closing(PhotoUrls("mls", configure())) as urls:
        yield urls


def fetch(urls: PhotoUrls, url: str) -> Outcome | bytes:
    photo = IncomingPhoto("100", PhotoRef("1", 1), Redirect(url))
    (result,) = [found.outcome or b"".join(found.chunks) for found in urls.fetch(photo, Redirect(url))]
    return result


def test_a_picture_is_fetched_without_credentials(server: ScriptedServer, urls: PhotoUrls) -> None:
    challenge = [("WWW-Authenticate", 'Basic realm="x"')]
    server.handlers["/1.jpg"] = lambda _request: ok(PICTURE, "image/jpeg")
    server.handlers["/2.jpg"] = lambda _request: ok("", status=401, headers=challenge)
    assert fetch(urls, server.url("/1.jpg?sig=s")) == PICTURE
    assert isinstance(fetch(urls, server.url("/2.jpg")), Retryable)
    assert len(server.requests) == 2
    for request in server.requests:
        assert not {"authorization", "cookie", "rets-ua-authorization"} & set(request.headers)
        assert PASSWORD not in str(request)


def test_redirects_between_hosts_are_followed(server: ScriptedServer, urls: PhotoUrls) -> None:
    there = server.url("/there", host="localhost")
    server.handlers["/here"] = lambda _request: ok("", status=302, headers=[("Location", there)])
    server.handlers["/there"] = lambda _request: ok(PICTURE, "")
    assert fetch(urls, server.url("/here")) == PICTURE


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (ok("gone", status=404), Retryable),
        (ok("gone", status=410), Retryable),
        (ok("broken", status=500), Retryable),
        (ok("<html>", "image/jpeg"), Unknown),
        (ok(b"", "image/jpeg"), Unknown),
        (cut(PICTURE, 4, "image/jpeg"), Retryable),
    ],
)
def test_a_url_without_a_picture_never_means_that_there_is_none(
    server: ScriptedServer, urls: PhotoUrls, said: Reply, outcome: type[Outcome]
) -> None:
    server.handlers["/1.jpg"] = lambda _request: said
    found = fetch(urls, server.url("/1.jpg?sig=planted"))
    assert isinstance(found, outcome)
    assert "planted" not in str(found)


def test_a_picture_that_is_cut_raises_while_it_is_read(server: ScriptedServer, urls: PhotoUrls) -> None:
    server.handlers["/1.jpg"] = lambda _request: cut(PICTURE, 5000, "image/jpeg")
    with pytest.raises(TransferCut):
        fetch(urls, server.url("/1.jpg"))


def test_what_is_not_http_is_not_fetched(urls: PhotoUrls) -> None:
    assert isinstance(fetch(urls, "file:///etc/passwd"), Denied)


def test_a_private_address_is_not_fetched_for_a_public_feed(
    server: ScriptedServer, configure: Configure
) -> None:
    with closing(PhotoUrls("mls", configure(login_url="https://192.0.43.7/login"))) as urls:
        assert isinstance(fetch(urls, server.url("/1.jpg")), Denied)
    assert server.requests == []


def test_once_abandoned_nothing_is_fetched(server: ScriptedServer, urls: PhotoUrls) -> None:
    urls.abandon()
    with pytest.raises(TransferCut, match="abandoned"):
        fetch(urls, server.url("/1.jpg"))
