"""A RETS client of the few lines that these tests need: requests, Digest, a cookie jar."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import requests
from requests.auth import HTTPDigestAuth

from service.simulator.answers import RawAnswer
from service.simulator.front_desk import Account, Site

ACCOUNT = Account("reader", "planted-password")


class Canned:
    """Answers that are the same whatever the params."""

    def __init__(self, **answers: RawAnswer) -> None:
        self._answers = answers

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        assert "ID" in params or transaction != "GetObject"
        return self._answers.get(transaction)


def site(**answers: RawAnswer) -> Site:
    return Site(ACCOUNT, Canned(**answers))


def bytes_answer(body: bytes, *headers: tuple[str, str]) -> RawAnswer:
    return RawAnswer(200, "OK", headers, body)


@contextmanager
def client(password: str = ACCOUNT.password, **headers: str) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = HTTPDigestAuth(ACCOUNT.username, password)
        session.headers.update({"RETS-Version": "RETS/1.7.2", **headers})
        yield session


@contextmanager
def logged_in(login_url: str) -> Iterator[requests.Session]:
    with client() as session:
        assert session.get(login_url, timeout=10).status_code == 200
        yield session


def beside(login_url: str, capability: str) -> str:
    """The URL of another capability of the same feed."""
    return login_url.removesuffix("login") + capability
