"""Fixtures of Web API feeds behind the loopback server, over real HTTP."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from service.errors import ConfigError
from service.simulator.fixture import Fixture, FixtureAnswers, load_fixture
from service.simulator.fixture_site import own_settings, site_of
from service.simulator.front_desk import Account
from service.simulator.server import LoopbackServer
from service.simulator.web_api.tokens import Access
from tests.simulator.web_api.client import Asking

EXCHANGES = """
about = "A token ends early"
[[exchange]]
transaction = "Get"
params = { target = "odata/property/skiptoken/A%7E==/?$top=2" }
answer = "second.http"
[[exchange]]
transaction = "Get"
params = { path = "Property", "$filter" = "Changed ge {since}" }
answer = "refused.http"
once = true
[[exchange]]
transaction = "Get"
params = { path = "Property" }
answer = "first.http"
[[exchange]]
transaction = "Media"
params = { URL = "media/1/a.jpg?d=l" }
answer = "picture.http"
"""
EXPECTED: dict[str, Any] = {
    "cycle": dict.fromkeys(
        ("listings", "downloaded", "uploaded", "unchanged", "moved", "removed", "failed"), 0
    ),
    "asked": [],
    "owed": {},
    "listings": {},
}
CLIENT = 'client_id = "me"\nclient_secret = "planted"'


def fixture_of(folder: Path, account: str, kind: str = "constellation1") -> Fixture:
    step = folder / "01-first"
    step.mkdir(parents=True)
    (step / "exchanges.toml").write_text(EXCHANGES)
    (step / "expected.json").write_text(json.dumps(EXPECTED))
    for name, status in (("first", 200), ("second", 200), ("refused", 401), ("picture", 200)):
        (step / f"{name}.http").write_bytes(f"HTTP/1.1 {status} x\r\n\r\n{name}".encode())
    feed = f'title = "t"\nabout = "a"\n[account]\n{account}\n[feed]\nkind = "{kind}"\n'
    (folder / "feed.toml").write_text(feed)
    return load_fixture(folder)


def test_the_account_is_that_of_a_token_or_of_a_client_or_of_a_login(tmp_path: Path) -> None:
    assert fixture_of(tmp_path / "a", 'token = "planted"').credentials == Access("planted")
    client = fixture_of(tmp_path / "b", CLIENT)
    assert client.credentials == Access(client_id="me", client_secret="planted")
    login = fixture_of(tmp_path / "c", 'username = "me"\npassword = "planted"')
    assert login.credentials == login.account == Account("me", "planted")
    with pytest.raises(ConfigError, match="b is of no RETS feed"):
        _ = client.account


def test_a_mixed_account_is_a_mistake_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"account\.username: Extra inputs"):
        fixture_of(tmp_path / "a", 'token = "planted"\nusername = "me"')
    with pytest.raises(ConfigError, match=r"account\.client_secret: Field required"):
        fixture_of(tmp_path / "b", 'client_id = "me"')


def test_an_unknown_kind_is_a_mistake_that_is_named(tmp_path: Path) -> None:
    fixture = fixture_of(tmp_path / "a", 'token = "planted"', "other")
    with pytest.raises(ConfigError, match=r"fixture a: feed\.kind 'other' \(allowed: realtracs"):
        site_of(fixture, FixtureAnswers(fixture))


def test_a_recorded_feed_is_served_where_its_own_settings_say(tmp_path: Path) -> None:
    fixture = fixture_of(tmp_path / "c1", CLIENT)
    with LoopbackServer({"c1": site_of(fixture, FixtureAnswers(fixture))}) as server:
        settings = own_settings(fixture, server)
        assert settings == {
            "base_url": f"http://127.0.0.1:{server.port}/c1/odata",
            "token_url": f"http://127.0.0.1:{server.port}/c1/oauth2/token",
            "client_id": "me",
            "client_secret": SecretStr("planted"),
        }
        given = replace(fixture, credentials=Access("planted"))
        assert own_settings(given, server) == {
            "base_url": settings["base_url"],
            "token": SecretStr("planted"),
        }


def test_an_answer_can_be_given_once_in_each_step(tmp_path: Path) -> None:
    fixture = replace(fixture_of(tmp_path / "c1", 'token = "planted"'))
    answers = FixtureAnswers(fixture)
    with LoopbackServer({"c1": site_of(fixture, answers)}) as server:
        client = Asking(server, "/c1/odata/", "planted")
        assert [client.ask("Property", filter="Changed ge 5").status for _ in range(3)] == [401, 200, 200]
        assert client.ask("Property").body == b"first"
        assert client.get("/c1/odata/property/skiptoken/A%7E==/?$top=2").body == b"second"
        assert client.get("/c1/media/1/a.jpg?d=l").body == b"picture"
        answers.play(fixture.steps[0])
        assert client.ask("Property", filter="Changed ge 5").status == 401
        assert client.ask("Media").status == 500
        assert [seen.params["path"] for seen in server.unanswered] == ["Media"]
