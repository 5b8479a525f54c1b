"""Pictures by URL over real HTTP, fetched by requests."""

from collections.abc import Mapping

import pytest
import requests

from service.simulator.answers import RawAnswer
from service.simulator.front_desk import Site
from service.simulator.server import LoopbackServer
from tests.simulator.client import ACCOUNT, bytes_answer

PICTURE = b"\xff\xd8 picture \xff\xd9"


class Pictures:
    """Answers by URL."""

    def __init__(self, **answers: RawAnswer) -> None:
        self.answers = {f"photos/{name}": answer for name, answer in answers.items()}

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        assert transaction == "Photo"
        return self.answers.get(params["URL"])


def get(server: LoopbackServer, path: str, **headers: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{server.port}{path}", headers=headers, timeout=10)


def test_a_picture_comes_without_a_session_and_is_noted_with_its_url() -> None:
    pictures = Pictures()
    pictures.answers["photos/A%207/1.jpg?sig=x%2F&t=1"] = bytes_answer(
        PICTURE, ("Content-Type", "image/jpeg")
    )
    with LoopbackServer({"crea": Site(ACCOUNT, pictures)}) as server:
        answer = get(server, "/crea/photos/A%207/1.jpg?sig=x%2F&t=1")
        assert (answer.status_code, answer.content) == (200, PICTURE)
        (seen,) = server.requests
        assert (seen.feed, seen.transaction) == ("crea", "Photo")
        assert dict(seen.params) == {"URL": "photos/A%207/1.jpg?sig=x%2F&t=1"}
        assert server.open_sessions("crea") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Basic planted"),
        ("Cookie", "a=planted"),
        ("RETS-UA-Authorization", "Digest planted"),
    ],
)
def test_credentials_are_refused_and_not_repeated(name: str, value: str) -> None:
    with LoopbackServer({"crea": Site(ACCOUNT, Pictures(x=bytes_answer(PICTURE)))}) as server:
        answer = get(server, "/crea/photos/x", **{name: value})
        assert (answer.status_code, answer.text) == (400, f"a picture is asked for without {name}\n")
        assert server.requests == []


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (403, "Forbidden"), (410, "Gone")])
def test_a_picture_can_be_missing_or_refused(status: int, reason: str) -> None:
    said = RawAnswer(status, reason, (("Content-Type", "text/plain"),), b"no picture")
    with LoopbackServer({"crea": Site(ACCOUNT, Pictures(x=said))}) as server:
        answer = get(server, "/crea/photos/x")
    assert (answer.status_code, answer.reason, answer.text) == (status, reason, "no picture")


def test_a_redirect_is_relative_to_the_pictures_url() -> None:
    moved = RawAnswer(302, "Found", (("Location", "there?t=1"),), b"")
    pictures = Pictures(here=moved)
    pictures.answers["photos/there?t=1"] = bytes_answer(PICTURE)
    with LoopbackServer({"crea": Site(ACCOUNT, pictures)}) as server:
        answer = get(server, "/crea/photos/here")
    assert (answer.content, [step.status_code for step in answer.history]) == (PICTURE, [302])


def test_a_url_without_an_answer_is_a_500_that_names_it_and_is_kept() -> None:
    with LoopbackServer({"crea": Site(ACCOUNT, Pictures())}) as server:
        answer = get(server, "/crea/photos/1.jpg")
        assert answer.status_code == 500
        assert answer.text == "feed crea has no recorded answer for Photo URL=photos/1.jpg\n"
        assert [seen.params for seen in server.unanswered] == [{"URL": "photos/1.jpg"}]


def test_each_feed_has_pictures_of_its_own() -> None:
    feeds = {
        "crea": Site(ACCOUNT, Pictures(x=bytes_answer(b"crea's"))),
        "other": Site(ACCOUNT, Pictures(x=bytes_answer(b"the other's"))),
    }
    with LoopbackServer(feeds) as server:
        assert get(server, "/other/photos/x").content == b"the other's"
        assert get(server, "/nowhere/photos/x").status_code == 404
