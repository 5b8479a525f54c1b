"""TLS is verified, for feeds, photo URLs and the store; an authority of one's own is a setting."""

import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from parsers.records import Retryable
from service.config import check_config
from service.errors import ConfigError, RetryLater
from service.feeds.rets_client import RetsClient
from service.stores.object_store import MinioStore
from tests.feeds.answers import jpeg
from tests.feeds.conftest import LOGIN, Configure
from tests.feeds.scripted import ok
from tests.security.conftest import Fetch
from tests.security.servers import AUTHORITY, CERTIFICATES, TlsServer, names

UNTRUSTED = {
    "self-signed": ("self-signed.pem", "127.0.0.1", AUTHORITY, "self-signed certificate"),
    "unknown authority": ("vouched.pem", "127.0.0.1", None, "local issuer"),
    "another host's": ("elsewhere.pem", "127.0.0.1", AUTHORITY, "IP address mismatch"),
    "another name's": ("elsewhere.pem", "localhost", AUTHORITY, "Hostname mismatch"),
    "expired": ("expired.pem", "127.0.0.1", AUTHORITY, "expired"),
}


@contextmanager
def tls_server(certificate: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Iterator[TlsServer]:
    server = TlsServer(certificate, newest)
    server.handlers["/login"] = lambda _request: ok(LOGIN.format(more=""))
    server.handlers["/1.jpg"] = lambda _request: ok(jpeg("x"), "image/jpeg")
    server.handlers["/bucket"] = lambda _request: ok("")
    try:
        yield server
    finally:
        server.stop()


def log_in(configure: Configure, url: str, ca_file: Path | None) -> None:
    client = RetsClient("mls", configure(login_url=url, ca_file=ca_file), waits=())
    client.login()
    client.logout()


def open_bucket(server: TlsServer, host: str, ca_file: Path | None) -> None:
    place = f"{host}:{server.port}"
    with closing(MinioStore(place, "key", "secret-key", "bucket", pause=0, ca_file=ca_file)) as store:
        store.ensure_bucket()


@pytest.mark.parametrize(("certificate", "host", "ca_file", "why"), UNTRUSTED.values(), ids=UNTRUSTED.keys())
def test_credentials_are_not_sent_to_a_server_that_is_not_vouched_for(
    configure: Configure, certificate: str, host: str, ca_file: Path | None, why: str
) -> None:
    with tls_server(certificate) as server:
        with pytest.raises(RetryLater, match=rf"{why}.*feeds\.mls\.ca_file"):
            log_in(configure, server.url("/login", host), ca_file)
        assert server.requests == []


@pytest.mark.parametrize(("certificate", "host", "ca_file", "why"), UNTRUSTED.values(), ids=UNTRUSTED.keys())
def test_photos_do_not_go_to_a_store_that_is_not_vouched_for(
    certificate: str, host: str, ca_file: Path | None, why: str
) -> None:
    with tls_server(certificate) as server:
        with pytest.raises(ConfigError, match=r"CERTIFICATE_VERIFY_FAILED.*store\.ca_file"):
            open_bucket(server, host, ca_file)
        assert server.requests == [], why


def test_an_authority_of_one_s_own_is_a_setting(configure: Configure) -> None:
    with tls_server("vouched.pem") as server:
        log_in(configure, server.url("/login"), AUTHORITY)
        log_in(configure, server.url("/login", "localhost"), AUTHORITY)
        open_bucket(server, "127.0.0.1", AUTHORITY)
        assert server.paths() == ["/login", "/logout", "/login", "/logout", "/bucket"]


def test_the_environment_does_not_take_the_place_of_the_setting(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATES / "elsewhere.pem"))
    with tls_server("vouched.pem") as server:
        log_in(configure, server.url("/login"), AUTHORITY)


def test_photo_urls_are_verified_too(fetch: Fetch) -> None:
    with tls_server("self-signed.pem") as server:
        found = fetch(server.url("/1.jpg"), "127.0.0.1/32")
        assert isinstance(found, Retryable)
        assert "self-signed" in found.why
        assert server.requests == []
    with tls_server("vouched.pem") as server:
        assert isinstance(fetch(server.url("/1.jpg"), "127.0.0.1/32"), Retryable)
        assert fetch(server.url("/1.jpg"), "127.0.0.1/32", ca_file=AUTHORITY) == jpeg("x")


def test_the_name_is_verified_although_the_connection_is_made_to_an_address(fetch: Fetch) -> None:
    with names(lambda _name: ["127.0.0.1"]), tls_server("elsewhere.pem") as server:
        url = server.url("/1.jpg", "elsewhere.example")
        assert fetch(url, "127.0.0.1/32", ca_file=AUTHORITY) == jpeg("x")
        other = server.url("/1.jpg", "other.example")
        assert isinstance(fetch(other, "127.0.0.1/32", ca_file=AUTHORITY), Retryable)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # the server's doing
def test_a_server_that_speaks_only_an_old_tls_is_refused(configure: Configure) -> None:
    with tls_server("vouched.pem", ssl.TLSVersion.TLSv1_1) as server:
        with pytest.raises(RetryLater):
            log_in(configure, server.url("/login"), AUTHORITY)
        assert server.requests == []


@pytest.mark.parametrize("section", ["store", "feeds.mls"])
@pytest.mark.parametrize(
    ("text", "why"), [(None, "cannot be read: No such file"), ("no certificate", "allowed: a PEM file")]
)
def test_a_file_without_certificates_is_a_mistake_of_the_configuration(
    configure: Configure, tmp_path: Path, section: str, text: str | None, why: str
) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    feed = configure().model_dump(by_alias=True, exclude_unset=True)
    sections: dict[str, dict[str, Any]] = {"store": {}, "feeds.mls": feed}
    sections[section]["ca_file"] = str(file)
    with pytest.raises(ConfigError, match=rf"{section}\.ca_file: .*{why}"):
        check_config({"store": sections["store"], "feeds": {"mls": feed}}, "x.toml")
