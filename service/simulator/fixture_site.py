"""A fixture behind the loopback server: the site that serves it, and how a client's settings find it."""

from typing import Any

from pydantic import SecretStr

from service.errors import ConfigError
from service.simulator.answers import Answers
from service.simulator.fixture import Fixture
from service.simulator.front_desk import Account, Site
from service.simulator.server import LoopbackServer
from service.simulator.web_api.desk import ApiSite
from service.simulator.web_api.dialects import (
    CONSTELLATION1,
    REALTRACS,
    RESO,
    SPARK_PHOTOS,
    SPARK_REPLICATION,
    Dialect,
)

DIALECTS: dict[str, Dialect] = {
    "realtracs": REALTRACS,
    "constellation1": CONSTELLATION1,
    "spark-replication": SPARK_REPLICATION,
    "spark-photos": SPARK_PHOTOS,
    "reso": RESO,
}
"""By the kind of a feed."""

ASKED = {"GetObject": "ID", "Media": "URL"}
"""Transactions that bring pictures, each with the param that says which."""


def site_of(fixture: Fixture, answers: Answers) -> Site | ApiSite:
    """Where the loopback server has this fixture. Raises ConfigError."""
    if isinstance(fixture.credentials, Account):
        return Site(fixture.credentials, answers)
    kind = fixture.settings.get("kind")
    if kind not in DIALECTS:
        raise ConfigError(f"fixture {fixture.name}: feed.kind {kind!r} (allowed: {', '.join(DIALECTS)})")
    return ApiSite(fixture.credentials, answers, DIALECTS[kind].root)


def own_settings(fixture: Fixture, server: LoopbackServer) -> dict[str, Any]:
    """The settings of a feed that are only known once its server stands."""
    said = fixture.credentials
    if isinstance(said, Account):
        url = server.login_url(fixture.name)
        return {"login_url": url, "username": said.username, "password": SecretStr(said.password)}
    base = {"base_url": server.base_url(fixture.name)}
    if said.token:
        return {**base, "token": SecretStr(said.token)}
    client = {"client_id": said.client_id, "client_secret": SecretStr(said.client_secret)}
    return {**base, "token_url": server.token_url(fixture.name), **client}
