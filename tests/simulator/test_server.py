import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import md5

import pytest
import requests
from lxml import etree

from service.errors import ConfigError
from service.simulator.answers import StallConnection
from service.simulator.front_desk import Account, Site
from service.simulator.server import LoopbackServer
from tests.simulator.client import ACCOUNT, Canned, beside, bytes_answer, client, logged_in, site

IMAGE = bytes_answer(b"picture", ("Content-Type", "image/jpeg"))


def links(login_answer: bytes) -> dict[str, str]:
    text = etree.fromstring(login_answer).findtext("RETS-RESPONSE") or ""
    pairs = (line.partition(" = ") for line in text.strip().splitlines())
    return {name: value for name, _, value in pairs}


def test_a_login_gives_relative_capabilities_and_two_cookies() -> None:
    with LoopbackServer({"crea": site()}) as server, client() as session:
        answer = session.get(server.login_url("crea"), timeout=10)
        said = links(answer.content)
        assert answer.content.startswith(b'<RETS ReplyCode="0"')
        assert said["Search"] == "/crea/search"
        assert said["GetObject"] == "/crea/getobject"
        assert said["Logout"] == "/crea/logout"
        assert set(session.cookies.keys()) == {"RETS-Session-ID", "ARRAffinity"}
        assert server.open_sessions("crea") == 1
        assert [seen.transaction for seen in server.requests] == ["Login"]


def test_a_wrong_password_gets_a_bare_401_and_is_not_counted_as_a_request() -> None:
    with LoopbackServer({"crea": site()}) as server, client(password="wrong") as session:
        answer = session.get(server.login_url("crea"), timeout=10)
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer.headers["WWW-Authenticate"].startswith("Digest ")
        assert "stale" not in answer.headers["WWW-Authenticate"]
        assert (server.requests, server.open_sessions("crea")) == ([], 0)


def test_basic_credentials_are_refused() -> None:
    with LoopbackServer({"crea": site()}) as server, client() as session:
        session.auth = (ACCOUNT.username, ACCOUNT.password)
        assert session.get(server.login_url("crea"), timeout=10).status_code == 401


def test_get_and_post_carry_the_same_params() -> None:
    with LoopbackServer({"crea": site(GetObject=IMAGE)}) as server:
        url = beside(server.login_url("crea"), "getobject")
        wanted = {"ID": "A 7/\u00dc:*", "Type": "Photo", "Location": ""}
        with logged_in(server.login_url("crea")) as session:
            assert session.get(url, params=wanted, timeout=10).content == b"picture"
            assert session.post(url, data=wanted, timeout=10).content == b"picture"
        assert [dict(seen.params) for seen in server.requests if seen.transaction == "GetObject"] == [
            wanted
        ] * 2


def test_a_request_without_a_session_is_refused_as_the_feed_refuses_it() -> None:
    feeds = {"hard": site(Search=IMAGE), "soft": replace(site(Search=IMAGE), lost_session="reply 20701")}
    with LoopbackServer(feeds) as server, client() as session:
        hard = session.get(beside(server.login_url("hard"), "search"), timeout=10)
        soft = session.get(beside(server.login_url("soft"), "search"), timeout=10)
    assert (hard.status_code, hard.reason) == (401, "RETS-Session-ID is invalid")
    assert (soft.status_code, b'ReplyCode="20701"' in soft.content) == (200, True)


def test_q97_both_cookies_must_come_back() -> None:
    with LoopbackServer({"crea": site(Search=IMAGE)}) as server:
        with logged_in(server.login_url("crea")) as session:
            del session.cookies["ARRAffinity"]
            answer = session.get(beside(server.login_url("crea"), "search"), timeout=10)
        assert answer.status_code == 401


def test_q96_a_session_that_the_server_forgot_needs_a_new_login() -> None:
    with LoopbackServer({"crea": site(Search=IMAGE)}) as server:
        url = beside(server.login_url("crea"), "search")
        with logged_in(server.login_url("crea")) as session:
            server.expire_sessions("crea")
            assert session.get(url, timeout=10).status_code == 401
            session.get(server.login_url("crea"), timeout=10)
            assert session.get(url, timeout=10).content == b"picture"


def test_q98_a_stale_nonce_costs_one_challenge_and_no_login() -> None:
    with LoopbackServer({"crea": site(Search=IMAGE)}) as server:
        with logged_in(server.login_url("crea")) as session:
            server.expire_nonces("crea")
            answer = session.get(beside(server.login_url("crea"), "search"), timeout=10)
        assert answer.content == b"picture"
        assert "stale=true" in answer.history[0].headers["WWW-Authenticate"]
        assert [seen.transaction for seen in server.requests] == ["Login", "Search"]


def test_q89_the_action_url_has_an_answer() -> None:
    with LoopbackServer({"crea": site()}) as server, logged_in(server.login_url("crea")) as session:
        answer = session.get(beside(server.login_url("crea"), "action"), timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")


def test_a_logout_ends_the_session() -> None:
    with (
        LoopbackServer({"crea": site(Search=IMAGE)}) as server,
        logged_in(server.login_url("crea")) as session,
    ):
        answer = session.get(beside(server.login_url("crea"), "logout"), timeout=10)
        assert answer.content.startswith(b'<RETS ReplyCode="0"')
        assert server.open_sessions("crea") == 0
        after = session.get(beside(server.login_url("crea"), "search"), timeout=10)
        assert after.status_code == 401


def test_a_session_of_one_feed_is_none_of_another() -> None:
    feeds = {"crea": site(Search=IMAGE), "other": site(Search=IMAGE)}
    with LoopbackServer(feeds) as server, logged_in(server.login_url("crea")) as session:
        assert session.get(beside(server.login_url("other"), "search"), timeout=10).status_code == 401
        assert (server.open_sessions("crea"), server.open_sessions("other")) == (1, 0)


def test_a_request_without_an_answer_is_a_500_that_names_it_and_is_kept() -> None:
    with LoopbackServer({"crea": site()}) as server:
        with logged_in(server.login_url("crea")) as session:
            url = beside(server.login_url("crea"), "search")
            answer = session.get(url, params={"Query": "(ID=*)"}, timeout=10)
        assert answer.status_code == 500
        assert answer.text == "feed crea has no recorded answer for Search Query=(ID=*)\n"
        assert [seen.params for seen in server.unanswered] == [{"Query": "(ID=*)"}]


@pytest.mark.parametrize("path", ["/", "/nowhere/login", "/crea/update"])
def test_a_path_that_nobody_serves_is_a_404_that_names_the_feeds(path: str) -> None:
    with LoopbackServer({"crea": site()}) as server, client() as session:
        answer = session.get(f"http://127.0.0.1:{server.port}{path}", timeout=10)
    assert (answer.status_code, answer.text) == (404, "nothing here; feeds: crea\n")


def user_agent_digest(session_id: str, password: str) -> str:
    def hexed(text: str) -> str:
        return md5(text.encode(), usedforsecurity=False).hexdigest()

    agent = hexed(f"agent/1.0:{password}")
    return f"Digest {hexed(f'{agent}::{session_id}:RETS/1.7.2')}"


def test_a_user_agent_password_is_asked_for_and_checked() -> None:
    account = Account(ACCOUNT.username, ACCOUNT.password, "planted-agent-password")
    with LoopbackServer({"crea": Site(account, Canned(Search=IMAGE))}) as server:
        url, name = server.login_url("crea"), "RETS-UA-Authorization"
        with client(**{"User-Agent": "agent/1.0"}) as session:
            assert b'"20041"' in session.get(url, timeout=10).content
            session.headers[name] = user_agent_digest("", "wrong")
            assert b'"20037"' in session.get(url, timeout=10).content
            assert (server.requests, server.open_sessions("crea")) == ([], 0)
            session.headers[name] = user_agent_digest("", "planted-agent-password")
            assert b'"0"' in session.get(url, timeout=10).content
            # After the login the session's id belongs into the digest (Q91).
            assert b'"20037"' in session.get(beside(url, "search"), timeout=10).content
            session_id = session.cookies["RETS-Session-ID"]
            session.headers[name] = user_agent_digest(session_id, "planted-agent-password")
            assert session.get(beside(url, "search"), timeout=10).content == b"picture"


def test_an_account_does_not_show_its_passwords() -> None:
    shown = repr(Account("reader", "planted-password", "planted-agent-password"))
    assert "reader" in shown
    assert "planted" not in shown


def test_many_clients_are_served_at_once_each_in_its_own_session() -> None:
    meeting = threading.Barrier(8)

    def visit(_: int) -> bytes:
        with logged_in(server.login_url("crea")) as session:
            meeting.wait(30)  # all eight are logged in at this moment
            body = session.get(beside(server.login_url("crea"), "search"), timeout=30).content
            session.get(beside(server.login_url("crea"), "logout"), timeout=30)
            return body

    with LoopbackServer({"crea": site(Search=IMAGE)}) as server, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(visit, range(8))) == [b"picture"] * 8
        assert len(server.requests) == 24
        assert server.open_sessions("crea") == 0


def test_a_given_port_is_used_and_a_taken_one_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"),
            LoopbackServer({}, port=port),
        ):
            pass
    with LoopbackServer({"crea": site()}, port=port) as server:
        assert server.login_url("crea") == f"http://127.0.0.1:{port}/crea/login"


def test_leaving_ends_every_thread_even_with_a_client_that_waits_for_a_stalled_answer() -> None:
    before = set(threading.enumerate())
    begun = threading.Event()

    def silence() -> bytes:
        begun.set()
        raise StallConnection

    def wait_for_it() -> str:
        with logged_in(url) as session:
            try:
                session.get(beside(url, "search"), timeout=60)
            except requests.RequestException as error:
                return type(error).__name__
        return "an answer"

    stalled = bytes_answer(b"")
    with ThreadPoolExecutor(1) as pool:
        with LoopbackServer({"crea": site(Search=replace(stalled, body=iter(silence, b"")))}) as server:
            url = server.login_url("crea")
            waiting = pool.submit(wait_for_it)
            assert begun.wait(30)
        assert waiting.result(30) != "an answer"
        assert {thread for thread in threading.enumerate() if "loopback" in thread.name} <= before
