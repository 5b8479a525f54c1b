from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from service.errors import RetryLater, StopFeed
from service.feeds.answer import Answer
from service.feeds.hosts import FeedHosts
from service.feeds.oauth import Bearer, ClientCredentials, GivenToken
from service.feeds.transport import Transport
from tests.feeds.scripted import ScriptedServer, ok, one_after_the_other

SECRET = "planted/client secret"
CLIENT = ("5pq9:id", SECRET)


class Watch:
    at = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def open_transport(server: ScriptedServer) -> Iterator[Callable[..., Transport]]:
    opened: list[Transport] = []

    def make(auth: Bearer | None = None) -> Transport:
        rule = FeedHosts("c1", server.url("/"), [])
        opened.append(Transport("c1", rule, silence=20, headers={}, waits=(), auth=auth))
        return opened[-1]

    yield make
    for transport in opened:
        transport.close()


@pytest.fixture
def tokens(
    server: ScriptedServer, watch: Watch, open_transport: Callable[..., Transport]
) -> ClientCredentials:
    transport = open_transport()

    def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
        return transport.send("POST", url, body, headers, "check token_url")

    return ClientCredentials("c1", server.url("/oauth2/token"), CLIENT, post, watch)


def say(server: ScriptedServer, *answers: str, status: int = 200) -> None:
    replies = [ok(answer, "application/json", status=status) for answer in answers]
    server.handlers["/oauth2/token"] = one_after_the_other(*replies)


def grant(token: str, seconds: int = 3600) -> str:
    return f'{{"access_token": "{token}", "expires_in": {seconds}, "token_type": "Bearer"}}'


def test_c1_a_token_is_asked_for_with_basic_credentials_and_both_parameters(
    server: ScriptedServer, tokens: ClientCredentials
) -> None:
    say(server, grant("t1"))
    assert tokens.current() == "t1"
    (request,) = server.requests
    assert request.method == "POST"
    assert request.params == {"grant_type": "client_credentials", "client_id": "5pq9:id"}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    scheme, _, value = request.headers["authorization"].partition(" ")
    assert (scheme, b64decode(value)) == ("Basic", b"5pq9%3Aid:planted%2Fclient+secret")


def test_c1_a_token_is_used_until_shortly_before_its_end_and_then_renewed(
    server: ScriptedServer, tokens: ClientCredentials, watch: Watch
) -> None:
    say(server, grant("t1", 3600), grant("t2", 3600))
    assert tokens.current() == "t1"
    watch.at += timedelta(seconds=3539)
    assert tokens.current() == "t1"
    watch.at += timedelta(seconds=1)
    assert tokens.current() == "t2"
    assert len(server.requests) == 2


def test_a_token_with_a_short_life_is_used_for_half_of_it(
    server: ScriptedServer, tokens: ClientCredentials, watch: Watch
) -> None:
    say(server, grant("t1", 10), grant("t2", 10))
    tokens.current()
    watch.at += timedelta(seconds=4)
    assert tokens.current() == "t1"
    watch.at += timedelta(seconds=1)
    assert tokens.current() == "t2"


def test_c1_a_token_that_is_refused_early_is_asked_for_once_more_and_the_request_repeated(
    server: ScriptedServer, tokens: ClientCredentials, open_transport: Callable[..., Transport]
) -> None:
    say(server, grant("old"), grant("new"))
    server.handlers["/odata/Property"] = lambda request: ok(
        "page", status=200 if request.headers["authorization"] == "Bearer new" else 401
    )
    with open_transport(Bearer(tokens)).get(server.url("/odata/Property")) as answer:
        assert answer.status == 200
    assert [request.path for request in server.requests] == [
        "/oauth2/token",
        "/odata/Property",
        "/oauth2/token",
        "/odata/Property",
    ]


def test_a_server_that_refuses_every_token_is_asked_twice_and_no_more(
    server: ScriptedServer, tokens: ClientCredentials, open_transport: Callable[..., Transport]
) -> None:
    say(server, grant("t"))
    server.handlers["/odata/Property"] = lambda _request: ok("", status=401)
    with open_transport(Bearer(tokens)).get(server.url("/odata/Property")) as answer:
        assert answer.status == 401
    assert len(server.asked("/odata/Property")) == 2


def test_a_given_token_that_is_refused_is_not_sent_again(
    server: ScriptedServer, open_transport: Callable[..., Transport]
) -> None:
    server.handlers["/x"] = lambda _request: ok("", status=401)
    with closing(open_transport(Bearer(GivenToken("personal")))) as transport:
        transport.get(server.url("/x")).close()
    (request,) = server.requests
    assert request.headers["authorization"] == "Bearer personal"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_client_that_is_refused_stops_the_feed_and_names_the_keys(
    server: ScriptedServer, tokens: ClientCredentials, status: int
) -> None:
    say(server, '{"error": "invalid_client"}', status=status)
    with pytest.raises(StopFeed) as caught:
        tokens.current()
    assert "invalid_client" in str(caught.value)
    assert "feeds.c1.client_id and client_secret_env" in str(caught.value)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    ["<html>", "[]", "{}", '{"access_token": ""}', '{"access_token": "a\\r\\nX: y"}', '{"access_token": 5'],
)
def test_an_answer_without_a_usable_token_is_for_later(
    server: ScriptedServer, tokens: ClientCredentials, answer: str
) -> None:
    say(server, answer)
    with pytest.raises(RetryLater):
        tokens.current()


def test_a_token_server_that_is_down_is_for_later(server: ScriptedServer, tokens: ClientCredentials) -> None:
    say(server, "", status=503)
    with pytest.raises(RetryLater, match="503"):
        tokens.current()
