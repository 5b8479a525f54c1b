"""Tokens, allowances, encodings and faults of a Web API feed, over real HTTP."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPException
from typing import Any

import pytest

from service.simulator.answers import RawAnswer
from service.simulator.faults import Fault, Faults, Kind
from service.simulator.front_desk import Site
from service.simulator.server import LoopbackServer
from service.simulator.web_api.allowance import Allowance
from service.simulator.web_api.desk import ApiSite
from service.simulator.web_api.dialects import CONSTELLATION1, RESO
from service.simulator.web_api.tokens import Access
from service.simulator.web_api.web_api import WebApi
from tests.simulator.client import ACCOUNT, Canned
from tests.simulator.web_api.client import Asking, asking, listing, photo, serving

CLIENT = Access(client_id="me", client_secret="planted+secret")
ASK = "/x/oauth2/token?grant_type=client_credentials&client_id=me"
FORM = "application/x-www-form-urlencoded"


def basic(secret: str) -> str:
    return f"Basic {b64encode(f'me:{secret}'.encode()).decode()}"


GOOD = basic("planted%2Bsecret")


@contextmanager
def with_tokens(access: Access = CLIENT, **more: Any) -> Iterator[Asking]:
    api = WebApi("/x/", CONSTELLATION1, [listing("1", photo("a"))])
    with serving(ApiSite(access, api, CONSTELLATION1.root, **more), "/x/odata/") as client:
        yield replace(client, token=None)


def token_of(client: Asking) -> str:
    said = client.send("POST", ASK, Authorization=GOOD, Content_Type=FORM)
    assert said.status == 200
    token: str = said.page["access_token"]
    return token


def test_c1_a_client_gets_a_token_for_its_id_and_secret() -> None:
    with with_tokens() as client:
        said = client.send("POST", ASK, Authorization=GOOD, Content_Type=FORM)
        assert said.page.keys() == {"access_token", "expires_in", "token_type"}
        assert said.page["expires_in"] == 3600
        assert replace(client, token=said.page["access_token"]).ask("Property").status == 200
        (token, get) = client.server.requests
        assert (token.transaction, get.transaction) == ("Token", "Get")
        assert client.server.token_url("x").endswith("/x/oauth2/token")


@pytest.mark.parametrize(
    ("target", "authorization", "status", "error"),
    [
        (ASK, basic("wrong"), 401, "invalid_client"),
        (ASK, "Basic ?", 401, "invalid_client"),
        (ASK.replace("=me", "=you"), GOOD, 401, "invalid_client"),
        (ASK.replace("client_credentials", "password"), GOOD, 400, "unsupported"),
    ],
)
def test_whoever_is_not_the_client_gets_none(
    target: str, authorization: str, status: int, error: str
) -> None:
    with with_tokens() as client:
        said = client.send("POST", target, Authorization=authorization)
        assert said.status == status
        assert error in said.page["error"]


def test_a_token_is_not_had_with_get_and_nobody_gets_one_where_there_is_no_client() -> None:
    with with_tokens() as client:
        assert client.get(ASK, Authorization=GOOD).status == 405
    with with_tokens(Access("given")) as client:
        empty = b64encode(b":").decode()
        assert client.send("POST", ASK.replace("=me", "="), Authorization=f"Basic {empty}").status == 401


def test_without_a_good_token_nothing_is_said() -> None:
    with asking(RESO, listing("1")) as (_, client):
        for token in (None, "wrong"):
            said = replace(client, token=token).ask("Property")
            assert said.status == 401
            assert said.headers["www-authenticate"].startswith("Bearer")
            assert "ListingKey" not in said.body.decode()
        assert client.server.requests == []


def test_c1_a_token_ends_by_itself_and_when_it_is_revoked() -> None:
    with with_tokens(replace(CLIENT, token_seconds=0)) as client:
        assert replace(client, token=token_of(client)).ask("Property").status == 401
    with with_tokens() as client:
        holder = replace(client, token=token_of(client))
        client.server.revoke_tokens("x")
        assert holder.ask("Property").status == 401
        assert replace(client, token=token_of(client)).ask("Property").status == 200


def test_c3_answers_come_packed_as_the_client_takes_them() -> None:
    with asking(RESO, listing("1"), encodings=("br", "gzip")) as (_, client):
        plain = client.ask("Property")
        assert "content-encoding" not in plain.headers
        target = "/x/Property"
        packed = client.get(target, Accept_Encoding="gzip, deflate, br")
        assert packed.headers["content-encoding"] == "br"
        assert packed.page == plain.page
        packed = client.get(target, Accept_Encoding="gzip;q=1, deflate")
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.page == plain.page


def test_x10_one_request_too_many_is_told_when_to_come_again() -> None:
    with asking(RESO, listing("1"), allowance=Allowance(2, 3600)) as (_, client):
        first, second, third = (client.ask("Property") for _ in range(3))
        assert [one.status for one in (first, second, third)] == [200, 200, 429]
        assert [one.headers["x-ratelimit-remaining"] for one in (first, second, third)] == ["1", "0", "0"]
        assert 3500 < int(third.headers["retry-after"]) <= 3600
        assert len(client.server.requests) == 2


def test_a_new_window_begins_when_the_old_one_has_ended_and_some_servers_announce_nothing() -> None:
    with asking(RESO, listing("1"), allowance=Allowance(1, 0, announced=False)) as (_, client):
        for _ in range(3):
            said = client.ask("Property")
            assert said.status == 200
            assert "x-ratelimit-limit" not in said.headers


class Always:
    """A plan that has one fault for every request of a transaction."""

    def __init__(self, transaction: str, fault: Fault[Kind]) -> None:
        self._transaction, self._fault = transaction, fault

    def fault(self, transaction: str, number: int) -> Fault[Kind] | None:
        assert number >= 0
        return self._fault if transaction == self._transaction else None


def always(transaction: str, kind: Kind, at: float = 0.5) -> Faults[Kind]:
    return Faults(Always(transaction, Fault(kind, at)))  # type: ignore[arg-type] # a plan by shape


def test_faults_befall_pages() -> None:
    faults = always("Get", Kind.CUT_KNOWN)
    with asking(RESO, listing("1"), faults=faults) as (_, client):
        with pytest.raises(HTTPException):
            client.ask("Property")
        assert [one.transaction for one in faults.injected()] == ["Get"]
        faults.plan = None
        assert client.keys() == ["1"]


def test_a_fault_and_an_encoding_get_along() -> None:
    faults = always("Get", Kind.GZIP_CUT)
    with asking(RESO, listing("1"), faults=faults, encodings=("br",)) as (_, client):
        said = client.get("/x/Property", Accept_Encoding="gzip, br")
        assert said.headers["content-encoding"] == "gzip"
        with pytest.raises(EOFError):
            said.page  # noqa: B018 - reading it is the test


def test_a_lost_session_is_a_token_that_ends_early_and_a_given_one_never_ends() -> None:
    faults = always("Get", Kind.SESSION_LOST)
    with with_tokens(faults=faults) as client:
        holder = replace(client, token=token_of(client))
        holder.ask("Property")
        assert holder.ask("Property").status == 401
    with asking(RESO, listing("1"), faults=always("Get", Kind.SESSION_LOST)) as (_, client):
        assert [client.ask("Property").status for _ in range(2)] == [200, 200]


def test_faults_befall_tokens_and_media() -> None:
    with with_tokens(faults=always("Token", Kind.HTTP_503)) as client:
        assert client.send("POST", ASK, Authorization=GOOD).status == 503
    with asking(RESO, listing("1", photo("a")), faults=always("Media", Kind.LOGIN_PAGE)) as (_, client):
        assert b"Sign in" in client.get("/x/media/1/a.jpg").body


class Nothing:
    """A feed that has no answer to anything."""

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        assert transaction == "Post"
        assert json.loads(params["body"]) == {"a": "="}
        return None


def test_what_the_feed_has_no_answer_to_is_a_500_and_is_kept() -> None:
    with serving(ApiSite(Access("t"), Nothing())) as client:
        said = replace(client, token="t").send("POST", "/x/Some%20thing?a=b%20c", b'{"a": "="}')
        assert said.status == 500
        (seen,) = client.server.unanswered
        assert dict(seen.params) == {
            "path": "Some thing",
            "a": "b c",
            "target": "Some%20thing?a=b%20c",
            "body": '{"a": "="}',
        }


def test_rets_feeds_and_web_api_feeds_share_a_server() -> None:
    sites: dict[str, Site | ApiSite] = {
        "rets": Site(ACCOUNT, Canned()),
        "api": ApiSite(Access("t"), WebApi("/api/", RESO, [listing("1")])),
    }
    with LoopbackServer(sites) as server:
        client = Asking(server, "/api/", "t")
        assert client.keys() == ["1"]
        assert client.get("/rets/login").status == 401
        assert client.get("/nowhere/").status == 404
        assert server.base_url("api") == f"http://127.0.0.1:{server.port}/api"
