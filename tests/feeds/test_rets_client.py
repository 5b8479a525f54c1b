import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from service.errors import RetryLater, ServiceError, StopFeed, TransferCut
from service.feeds.rets_client import RetsClient
from service.rets_config import RetsFeed
from tests.feeds.conftest import LOGIN, PASSWORD, UA_PASSWORD, Configure, login_page
from tests.feeds.scripted import DigestGate, Reply, Request, ScriptedServer, cut, ok, one_after_the_other

EMPTY = "<RETS ReplyCode='20201' ReplyText='none'/>"
LOST = ok("<RETS ReplyCode='20701' ReplyText='Not logged in'/>")


@contextmanager
def logged_in(config: RetsFeed, clock: Callable[[], float] = lambda: 0.0) -> Iterator[RetsClient]:
    client = RetsClient("mls", config, clock=clock)
    try:
        client.login()
        yield client
    finally:
        client.logout()


def search(client: RetsClient) -> bytes:
    with client.search({"Query": "(ID=*)"}) as answer:
        return answer.read_small()


# Login.


def test_q94_every_request_says_its_user_agent_and_version(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    with logged_in(configure(user_agent="reader/2", rets_version="RETS/1.5")) as client:
        search(client)
    assert server.paths() == ["/login", "/search", "/logout"]
    for request in server.requests:
        assert request.headers["user-agent"] == "reader/2"
        assert request.headers["rets-version"] == "RETS/1.5"
        assert request.headers["accept"] == "*/*"
        assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("algorithm", "qop"),
    [
        ("MD5", ""),
        ("MD5", 'qop="auth", '),
        ("MD5-sess", 'qop="auth", '),
        ("SHA-256", ""),
        ("SHA-256", 'qop="auth-int, auth", '),
    ],
)
def test_digest_is_answered_in_all_its_forms(
    server: ScriptedServer, configure: Configure, algorithm: str, qop: str
) -> None:
    gate = DigestGate("reader", PASSWORD, algorithm=algorithm)
    gate.qop = qop
    gate.extra = [("WWW-Authenticate", 'Basic realm="x"')]
    server.handlers["/login"] = gate(login_page())
    server.handlers["/search"] = gate(lambda _request: ok(EMPTY))
    with logged_in(configure()) as client:
        assert search(client) == EMPTY.encode()
    assert server.paths() == ["/login", "/login", "/search", "/logout"]
    assert not [r for r in server.requests if r.headers.get("authorization", "").startswith("Basic")]


def test_q98_a_nonce_that_holds_for_one_request_needs_no_new_login(
    server: ScriptedServer, configure: Configure
) -> None:
    gate = DigestGate("reader", PASSWORD, uses=1)
    server.handlers["/login"] = gate(login_page())
    server.handlers["/search"] = gate(lambda _request: ok(EMPTY))
    with logged_in(configure()) as client:
        search(client)
        search(client)
    assert len(server.asked("/login")) == 2
    assert len(server.asked("/search")) == 4


def test_basic_is_sent_only_after_it_was_asked_for(server: ScriptedServer, configure: Configure) -> None:
    def gate(request: Request) -> Reply:
        if "authorization" in request.headers:
            return login_page()(request)
        return ok("", status=401, headers=[("WWW-Authenticate", 'Basic realm="x"')])

    server.handlers["/login"] = gate
    with logged_in(configure()):
        pass
    assert "authorization" not in server.requests[0].headers
    assert server.requests[1].headers["authorization"].startswith("Basic ")


def test_a_wrong_password_stops_the_feed_and_names_the_keys(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/login"] = DigestGate("reader", "another")(login_page())
    with (
        pytest.raises(StopFeed, match=r"feed mls: .*401.*feeds\.mls\.username.*\.password_env") as e,
        logged_in(configure()),
    ):
        pass
    assert not re.search(f"{PASSWORD}|(?i:digest )|nonce", str(e.value))
    assert len(server.requests) == 2


def test_an_authentication_that_is_not_supported_is_named(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/login"] = lambda _r: ok("", status=401, headers=[("WWW-Authenticate", "NTLM")])
    with pytest.raises(StopFeed, match="asks for Ntlm"), logged_in(configure()):
        pass


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (20003, StopFeed, "balance is zero"),
        (20012, StopFeed, "broker code"),
        (20022, RetryLater, "another session"),
        (20036, StopFeed, r"feeds\.mls\.rets_version"),
        (20037, StopFeed, r"feeds\.mls\.user_agent_password_env"),
        (20041, StopFeed, r"set feeds\.mls\.user_agent_password_env"),
        (20050, RetryLater, "20050 because"),
        (20701, RetryLater, "20701"),
    ],
)
def test_q92_a_refused_login_says_what_to_do(
    server: ScriptedServer, configure: Configure, code: int, error: type[ServiceError], says: str
) -> None:
    for status in (200, 401):
        said = ok(f'<RETS ReplyCode="{code}" ReplyText="because"/>', status=status)
        server.handlers["/login"] = one_after_the_other(said)
        with pytest.raises(error, match=f"feed mls: login .*{says}"), logged_in(configure()):
            pass


def test_q90_a_login_that_worked_counts_whatever_its_status(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/login"] = lambda _request: ok(LOGIN.format(more=""), status=401)
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    with logged_in(configure()) as client:
        assert search(client) == EMPTY.encode()


@pytest.mark.parametrize("status", [200, 403, 404])
def test_q100_a_web_page_instead_of_a_login_stops_the_feed(
    server: ScriptedServer, configure: Configure, status: int
) -> None:
    server.handlers["/login"] = lambda _r: ok("<html>Please log in</html>", "text/html", status=status)
    with pytest.raises(StopFeed, match=rf"HTTP {status} .*feeds\.mls\.login_url"), logged_in(configure()):
        pass


def test_a_cut_login_is_tried_later(server: ScriptedServer, configure: Configure) -> None:
    server.handlers["/login"] = lambda _request: ok(LOGIN.format(more="")[:150])
    with pytest.raises(TransferCut, match="ends before"), logged_in(configure()):
        pass


def test_q89_the_action_url_is_fetched_once_after_the_login(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/login"] = login_page("Action = /action?message=1\n")
    server.handlers["/action"] = lambda _request: ok("You have 1 message", "text/plain")
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    with logged_in(configure()) as client:
        search(client)
    assert server.paths() == ["/login", "/action", "/search", "/logout"]


# Capabilities.


@pytest.mark.parametrize("url", ["/rets/search", "search", "http://127.0.0.1:{port}/rets/search"])
def test_q86_capability_urls_may_be_relative(server: ScriptedServer, configure: Configure, url: str) -> None:
    login = f"<RETS ReplyCode='0' ReplyText=''>\nSearch={url.format(port=server.port)}\n</RETS>"
    server.handlers["/rets/login"] = lambda _request: ok(login)
    server.handlers["/rets/search"] = lambda _request: ok(EMPTY)
    with logged_in(configure(login_url=server.url("/rets/login"))) as client:
        assert search(client) == EMPTY.encode()


def test_q87_a_capability_on_another_host_needs_the_operator_s_word(
    server: ScriptedServer, configure: Configure
) -> None:
    url = server.url("/search", host="localhost")
    server.handlers["/login"] = lambda _r: ok(f"<RETS ReplyCode='0' ReplyText=''>\nSearch={url}\n</RETS>")
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    with logged_in(configure()) as client:
        with pytest.raises(StopFeed, match=r"host localhost.*feeds\.mls\.hosts"):
            search(client)
        assert server.paths() == ["/login"]
    with logged_in(configure(hosts=("localhost",))) as client:
        assert search(client) == EMPTY.encode()


@pytest.mark.parametrize("inner", ["http://10.255.255.1:6103/search", "https://mls.invalid/search"])
def test_q87_an_inner_host_behind_a_proxy_may_be_passed_over(
    server: ScriptedServer, configure: Configure, inner: str
) -> None:
    said = f"<RETS ReplyCode='0' ReplyText=''>\nSearch={inner}\nLogout={inner}\n</RETS>"
    server.handlers["/login"] = lambda _request: ok(said)
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    with logged_in(configure(use_login_host=True)) as client:
        assert search(client) == EMPTY.encode()
    assert server.paths() == ["/login", "/search", "/search"]


def test_q88_a_missing_capability_stops_the_feed_at_its_first_use(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/login"] = lambda _r: ok("<RETS ReplyCode='0' ReplyText=''>\nSearch=/s\n</RETS>")
    with (
        logged_in(configure()) as client,
        pytest.raises(StopFeed, match=r"offers no GetObject .*account reader"),
    ):
        client.get_object({"ID": "1:*"})


# The session.


def test_q97_every_cookie_goes_back(server: ScriptedServer, configure: Configure) -> None:
    cookies = [("Set-Cookie", "ARRAffinity=a1; path=/"), ("Set-Cookie", "RETS-Session-ID=s1; path=/")]
    server.handlers["/login"] = lambda _request: ok(LOGIN.format(more=""), headers=cookies)
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    with logged_in(configure()) as client:
        search(client)
    assert server.asked("/search")[0].headers["cookie"] == "ARRAffinity=a1; RETS-Session-ID=s1"


def test_q91_the_user_agent_digest_changes_with_the_session(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    with logged_in(configure(user_agent_password=SecretStr(UA_PASSWORD))) as client:
        search(client)
        search(client)
    digests = [request.headers["rets-ua-authorization"] for request in server.requests]
    assert all(digest.startswith("Digest ") for digest in digests)
    assert len(set(digests)) == 2
    assert digests[1:] == digests[1:2] * 3


def test_q95_the_user_agent_digest_holds_the_version_that_was_sent(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    digests = []
    for answered in ("RETS/1.5", "RETS/1.7.2"):
        headers = [("RETS-Version", answered), ("Set-Cookie", "RETS-Session-ID=s1; path=/")]
        server.handlers["/login"] = one_after_the_other(ok(LOGIN.format(more=""), headers=headers))
        with logged_in(configure(user_agent_password=SecretStr(UA_PASSWORD))) as client:
            search(client)
        digests.append(server.asked("/search")[-1].headers["rets-ua-authorization"])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("lost", [ok("RETS-Session-ID is invalid", status=401), ok("", status=412), LOST])
def test_q96_a_lost_session_costs_one_login_and_one_replay(
    server: ScriptedServer, configure: Configure, lost: Reply
) -> None:
    server.handlers["/search"] = one_after_the_other(lost, ok(EMPTY))
    with logged_in(configure()) as client:
        assert search(client) == EMPTY.encode()
    assert server.paths() == ["/login", "/search", "/login", "/search", "/logout"]
    assert server.asked("/search")[0].target == server.asked("/search")[1].target
    assert "cookie" not in server.asked("/login")[1].headers


@pytest.mark.parametrize("lost", [ok("", status=401), LOST])
def test_q80_a_session_that_stays_lost_is_a_failure_and_no_empty_answer(
    server: ScriptedServer, configure: Configure, lost: Reply
) -> None:
    server.handlers["/search"] = lambda _request: lost
    with (
        logged_in(configure()) as client,
        pytest.raises(RetryLater, match=r"feed mls: Search: .* no session right after a login"),
    ):
        search(client)
    assert len(server.asked("/search")) == 2


@pytest.mark.parametrize("spelt", ["TimeoutSeconds = 100", "Info=TimeoutSeconds;Int;100"])
def test_q101_an_idle_session_is_renewed_before_it_expires(
    server: ScriptedServer, configure: Configure, spelt: str
) -> None:
    server.handlers["/login"] = login_page(spelt + "\n")
    server.handlers["/search"] = lambda _request: ok(EMPTY)
    now = 1000.0
    with logged_in(configure(), lambda: now) as client:
        now += 70
        search(client)
        now += 70
        search(client)
        now += 81
        search(client)
    assert server.paths() == ["/login", "/search", "/search", "/logout", "/login", "/search", "/logout"]


@pytest.mark.parametrize(
    "said",
    [
        ok("", status=401),
        ok("<html>Bye</html>", "text/html"),
        ok("", "", status=500),
        Reply([], then="close"),
        cut(b"<RETS/>", 3),
    ],
)
def test_q90_q99_the_logout_is_always_asked_for_and_its_answer_never_matters(
    server: ScriptedServer, configure: Configure, said: Reply
) -> None:
    server.handlers["/logout"] = lambda _request: said
    with logged_in(configure()):
        pass
    assert len(server.asked("/logout")) == 1


def test_q99_an_abandoned_session_is_logged_out_too(server: ScriptedServer, configure: Configure) -> None:
    with logged_in(configure()) as client:
        client.abandon()
        with pytest.raises(TransferCut, match="abandoned"):
            search(client)
    assert server.paths() == ["/login", "/logout"]
    assert server.asked("/logout")[0].headers["cookie"] == "RETS-Session-ID=s1"


# Other answers.


def test_q50_a_getobject_that_fails_points_to_the_version(
    server: ScriptedServer, configure: Configure
) -> None:
    server.handlers["/object"] = lambda _request: ok("", status=500)
    with (
        logged_in(configure()) as client,
        pytest.raises(RetryLater, match=r"HTTP 500 \(check feeds\.mls\.rets_version\)"),
    ):
        client.get_object({"ID": "1:*"})


def test_a_search_that_is_not_found_is_no_empty_answer(configure: Configure) -> None:
    with logged_in(configure()) as client, pytest.raises(RetryLater, match=r"Search: .*HTTP 404"):
        search(client)


def test_a_reply_code_counts_more_than_the_status(server: ScriptedServer, configure: Configure) -> None:
    server.handlers["/search"] = lambda _request: ok(EMPTY, status=400)
    with logged_in(configure()) as client:
        assert search(client) == EMPTY.encode()
