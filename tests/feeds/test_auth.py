import pytest
import requests
from pydantic import SecretStr
from requests.cookies import RequestsCookieJar

from service.feeds.auth import FeedAuth, read_challenges
from tests.feeds.conftest import Configure


def authorization(auth: FeedAuth, url: str = "http://h/rets/search") -> str:
    return requests.Request("GET", url, auth=auth).prepare().headers.get("Authorization", "")


@pytest.fixture
def auth(configure: Configure) -> FeedAuth:
    return FeedAuth(configure(), RequestsCookieJar())


def test_challenges_of_one_line_and_of_several_are_told_apart() -> None:
    lines = ['Basic realm="a, b=c", DIGEST Realm="q\\"d", qop="auth-int, auth", nonce=xyz', "NTLM"]
    found = read_challenges(lines)
    assert [challenge.scheme for challenge in found] == ["basic", "digest", "ntlm"]
    assert found[0].params == {"realm": "a, b=c"}
    assert found[1].params == {"realm": 'q"d', "qop": "auth-int, auth", "nonce": "xyz"}


def test_nothing_is_sent_before_a_challenge(auth: FeedAuth) -> None:
    assert authorization(auth) == ""


def test_digest_is_chosen_when_basic_is_offered_first(auth: FeedAuth) -> None:
    assert auth.learn(['Basic realm="r"', 'Digest realm="r", nonce="n", qop="auth"'], refused=False)
    assert authorization(auth).startswith("Digest ")


def test_basic_is_used_only_where_no_digest_is_offered(auth: FeedAuth) -> None:
    assert auth.learn(['Basic realm="r"'], refused=False)
    assert authorization(auth).startswith("Basic ")


@pytest.mark.parametrize("digest", ["algorithm=SHA3-1", 'qop="auth-int"'])
def test_a_digest_that_cannot_be_computed_does_not_fall_back_to_basic(auth: FeedAuth, digest: str) -> None:
    lines = [f'Digest realm="r", nonce="n", {digest}', 'Basic realm="r"']
    assert not auth.learn(lines, refused=False)
    assert auth.unsupported(lines) == ["Digest", "Basic"]
    assert authorization(auth) == ""


def test_refused_credentials_are_not_sent_again_unless_the_nonce_was_stale(auth: FeedAuth) -> None:
    assert not auth.learn(['Digest realm="r", nonce="n"'], refused=True)
    assert auth.learn(['Digest realm="r", nonce="m", stale=TRUE'], refused=True)


def test_the_digest_speaks_of_the_path_that_is_sent(auth: FeedAuth) -> None:
    auth.learn(['Digest realm="r", nonce="n"'], refused=False)
    sent = authorization(auth, "http://h/rets/search;jsessionid=7?Query=(A=1)")
    assert 'uri="/rets/search;jsessionid=7?Query=(A=1)"' in sent


def test_q93_no_user_agent_header_without_a_user_agent_password(auth: FeedAuth) -> None:
    assert "RETS-UA-Authorization" not in requests.Request("GET", "http://h/", auth=auth).prepare().headers


def test_q93_the_user_agent_digest_may_leave_the_version_out(configure: Configure) -> None:
    config = configure(user_agent_password=SecretStr("ua-secret"), user_agent_digest_version=False)
    auth = FeedAuth(config, RequestsCookieJar())
    sent = requests.Request("GET", "http://h/", auth=auth).prepare().headers
    # md5(md5("listing-photos/1.0:ua-secret") + ":::"), by md5sum(1)
    assert sent["RETS-UA-Authorization"] == "Digest c209cddea95cad7e05ba1e3433903db7"


@pytest.mark.parametrize(
    ("session", "digest"),
    # md5(md5("listing-photos/1.0:ua-secret") + "::" + session + ":RETS/1.7.2"), by md5sum(1)
    [("", "b72724d8846fb972260488622e488a8a"), ("s1", "1d7fa3da1fe053100d66af552bb5ef0f")],
)
def test_q91_the_user_agent_digest_holds_the_session_of_the_moment(
    configure: Configure, session: str, digest: str
) -> None:
    cookies = RequestsCookieJar()
    if session:
        cookies.set("X-SESSIONID", session)
    config = configure(user_agent_password=SecretStr("ua-secret"), session_cookie="X-SESSIONID")
    sent = requests.Request("GET", "http://h/", auth=FeedAuth(config, cookies)).prepare().headers
    assert sent["RETS-UA-Authorization"] == f"Digest {digest}"
