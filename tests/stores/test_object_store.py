"""How MinioStore speaks of what goes wrong, and how it reads its address."""

import io
import socket
import threading
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from service.errors import ConfigError, RetryLater, ServiceError
from service.stores import object_store
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.stores.support import fresh_bucket, fresh_name

OBJECT_PATH = "/photos/feed/1/a.jpg"
SECRET = "the-planted-secret"


def store_at(endpoint: str, access_key: str = "planted-key", **options: Any) -> MinioStore:
    return MinioStore(endpoint, access_key, SECRET, "photos", **{"secure": False, **options})


def put(store: MinioStore) -> None:
    store.put(
        "feed/1/a.jpg",
        io.BytesIO(b"bytes"),
        5,
        sha256(b"bytes").hexdigest(),
        media_type="image/jpeg",
        cache_control="public",
    )


def read(store: MinioStore) -> bytes:
    with store.open("feed/1/a.jpg") as source:
        return b"".join(source.chunks)


CALLS: dict[str, Callable[[MinioStore], object]] = {
    "put": put,
    "get": lambda store: store.get("feed/1/a.jpg"),
    "open": read,
    "stat": lambda store: store.stat("feed/1/a.jpg"),
    "list": lambda store: list(store.list("feed/")),
    "delete": lambda store: store.delete(["feed/1/a.jpg"]),
    "ensure_bucket": lambda store: store.ensure_bucket(),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def verdict(call: Callable[[MinioStore], object], store: MinioStore) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        call(store)
    assert SECRET not in str(caught.value)
    return caught.value


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "PAUSE", 0)


@every_call
def test_a_wrong_secret_names_the_keys_to_change(
    s3: EmbeddedStore, call: Callable[[MinioStore], object]
) -> None:
    error = verdict(call, store_at(s3.endpoint, s3.access_key))
    assert isinstance(error, ConfigError)
    assert "store.secret_key_env" in str(error)


@every_call
def test_an_unknown_access_key_names_the_keys_to_change(
    s3: EmbeddedStore, call: Callable[[MinioStore], object]
) -> None:
    error = verdict(call, store_at(s3.endpoint))
    assert isinstance(error, ConfigError)
    assert "store.access_key_env" in str(error)


@pytest.mark.parametrize("name", ["put", "get", "open", "list", "delete"])
def test_a_missing_bucket_names_the_url(s3: EmbeddedStore, name: str) -> None:
    store = MinioStore(s3.endpoint, s3.access_key, s3.secret_key, fresh_name("none"), secure=False)
    error = verdict(CALLS[name], store)
    assert isinstance(error, ConfigError)
    assert "store.url" in str(error)


def test_a_missing_bucket_is_made_once(s3: EmbeddedStore) -> None:
    with fresh_bucket(s3) as store:
        put(store)
        store.ensure_bucket()
        assert store.get("feed/1/a.jpg") == b"bytes"


@every_call
def test_a_store_that_is_down_is_for_later(call: Callable[[MinioStore], object]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        error = verdict(call, store_at(f"127.0.0.1:{taken.getsockname()[1]}"))
    assert isinstance(error, RetryLater)
    assert "refused" in str(error)


def test_https_to_a_plain_port_says_what_to_change(s3: EmbeddedStore) -> None:
    error = verdict(put, store_at(s3.endpoint, secure=True))
    assert isinstance(error, ConfigError)
    assert "secure=false" in str(error)


def s3_error(code: str, status: int, **headers: str) -> Response:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{SECRET}</Message></Error>"
    return Response(body, status, headers, content_type="application/xml")


def answering(server: HTTPServer, response: Response) -> MinioStore:
    server.expect_request(OBJECT_PATH).respond_with_handler(lambda _: response)
    return store_at(f"{server.host}:{server.port}")


def test_slow_down_is_for_later_with_the_wait_that_was_asked_for(httpserver: HTTPServer) -> None:
    store = answering(httpserver, s3_error("SlowDown", 503, **{"Retry-After": "17"}))
    error = verdict(put, store)
    assert isinstance(error, RetryLater)
    assert error.after == 17
    assert "SlowDown" in str(error)
    assert len(httpserver.log) == 1 + object_store.RETRIES


def test_a_hiccup_is_not_even_heard_of(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(OBJECT_PATH).respond_with_response(s3_error("InternalError", 500))
    httpserver.expect_ordered_request(OBJECT_PATH).respond_with_data(b"", headers={"ETag": '"x"'})
    put(store_at(f"{httpserver.host}:{httpserver.port}"))
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(
    ("code", "status", "hint"),
    [
        ("RequestTimeTooSkewed", 403, "clock"),
        ("PermanentRedirect", 301, "region="),
        ("AuthorizationHeaderMalformed", 400, "region="),
        ("AccessDenied", 403, "may do with the bucket"),
    ],
)
def test_what_only_the_user_can_mend_says_how(
    httpserver: HTTPServer, code: str, status: int, hint: str
) -> None:
    error = verdict(put, answering(httpserver, s3_error(code, status)))
    assert isinstance(error, ConfigError)
    assert hint in str(error)
    assert code in str(error)


@pytest.mark.parametrize(
    ("status", "kind"), [(403, ConfigError), (404, ConfigError), (429, RetryLater), (502, RetryLater)]
)
def test_an_answer_that_is_not_s3_is_judged_by_its_status(
    httpserver: HTTPServer, status: int, kind: type[ServiceError]
) -> None:
    error = verdict(put, answering(httpserver, Response("<html></html>", status, content_type="text/html")))
    assert isinstance(error, kind)
    assert f"not S3's (HTTP {status})" in str(error)


@pytest.mark.parametrize("page", [b"<Error><Code>Slow", b"caf\xe9"])
def test_an_error_that_cannot_be_read_is_for_later(httpserver: HTTPServer, page: bytes) -> None:
    error = verdict(put, answering(httpserver, Response(page, 403, content_type="application/xml")))
    assert isinstance(error, RetryLater)
    assert "cannot be read" in str(error)


def answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(answer)


@pytest.mark.parametrize("name", ["get", "open"])
def test_an_answer_cut_inside_its_body_is_for_later(name: str) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 5000\r\n\r\nonly this"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_once, args=(listener, cut))
        server.start()
        error = verdict(CALLS[name], store_at(f"127.0.0.1:{listener.getsockname()[1]}"))
        server.join(10)
    assert isinstance(error, RetryLater)
    assert "9 bytes read" in str(error)


def test_bytes_that_changed_on_the_way_are_for_later(httpserver: HTTPServer) -> None:
    other = "0123456789abcdef" * 2
    store = answering(httpserver, Response(b"", 200, {"ETag": f'"{other}"'}))
    error = verdict(put, store)
    assert isinstance(error, RetryLater)
    assert "other bytes" in str(error)


def test_a_store_that_gives_the_checksum_back_has_compared_it(httpserver: HTTPServer) -> None:
    checksum = b64encode(sha256(b"bytes").digest()).decode()
    headers = {"ETag": f'"{"0123456789abcdef" * 2}"', "x-amz-checksum-sha256": checksum}
    put(answering(httpserver, Response(b"", 200, headers)))
    sent = httpserver.log[-1][0].headers
    assert sent["x-amz-checksum-sha256"] == checksum
    assert sent["x-amz-content-sha256"] == sha256(b"bytes").hexdigest()


def test_a_redirect_is_not_followed_with_a_signature(httpserver: HTTPServer) -> None:
    error = verdict(put, answering(httpserver, Response(b"", 307, {"Location": "/elsewhere"})))
    assert isinstance(error, ConfigError)
    assert len(httpserver.log) == 1


def test_an_etag_that_is_no_md5_proves_nothing(httpserver: HTTPServer) -> None:
    put(answering(httpserver, Response(b"", 200, {"ETag": '"0123456789abcdef0123456789abcdef-2"'})))


def test_a_body_shorter_than_said_is_not_stored(s3: EmbeddedStore) -> None:
    with fresh_bucket(s3) as store:
        with pytest.raises(RetryLater, match="3 bytes to send, 5 expected"):
            store.put("a", io.BytesIO(b"abc"), 5, "00" * 32, media_type="image/jpeg", cache_control="public")
        assert store.stat("a") is None


def test_objects_that_the_store_keeps_are_reported(httpserver: HTTPServer) -> None:
    result = (
        "<DeleteResult><Error><Key>feed/1/a.jpg</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
        "<Error><Key>feed/1/b.jpg</Key><Code>NoSuchKey</Code><Message>none</Message></Error></DeleteResult>"
    )
    httpserver.expect_request("/photos", method="POST").respond_with_data(
        result, content_type="application/xml"
    )
    with pytest.raises(RetryLater, match=r"kept 1 of 2 objects \(feed/1/a.jpg: AccessDenied\)"):
        store_at(f"{httpserver.host}:{httpserver.port}").delete(["feed/1/a.jpg", "feed/1/b.jpg"])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1/photos", "not a bucket's address"),
        ("s3://127.0.0.1:9000", "not a bucket's address"),
        ("s3://127.0.0.1:9000/photos/deeper", "not a bucket's address"),
        ("s3://user:the-planted-secret@127.0.0.1/photos", "store.access_key_env"),
        ("s3://127.0.0.1/photos?sekure=true", "unknown parameter sekure (allowed: secure, region)"),
        ("s3://127.0.0.1/photos?secure=yes", "allowed: true or false"),
        ("s3://127.0.0.1/photos?region=no such", "invalid region"),
        ("s3://127.0.0.1/P", "store.url: "),
        ("s3://127.0.0.1:port/photos", "store.url: "),
    ],
)
def test_an_address_that_cannot_be_used_says_why(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        MinioStore.from_url(url, "key", SECRET, uploaders=1)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_address_is_https_unless_it_says_otherwise(s3: EmbeddedStore) -> None:
    plain = MinioStore.from_url(s3.url, s3.access_key, s3.secret_key, uploaders=1)
    plain.ensure_bucket()
    secure = MinioStore.from_url(s3.url.partition("?")[0], s3.access_key, s3.secret_key, uploaders=1)
    assert "WRONG_VERSION_NUMBER" in str(verdict(put, secure))
