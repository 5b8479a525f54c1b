import pytest
from structlog.testing import capture_logs

from parsers.records import WHOLE_SET, Absent, Denied, Retryable
from service.core.ports import Wanted
from tests.feeds.answers import ALL_THREE, PARALLEL, ROWS, THREE, ask, bundle, jpeg, part, reply, table
from tests.feeds.conftest import Open
from tests.feeds.scripted import Handler, Reply, Request, ScriptedServer, ok, one_after_the_other

PICTURES = ok(bundle(*THREE), PARALLEL)
UNAVAILABLE = ok(reply(20409, "no bytes here"))
EACH_UNAVAILABLE = ok(bundle(*(part(reply(20409), id_=str(n)) for n in (1, 2, 3))), PARALLEL)
DISABLED = ok(reply(20413, "Location=1 is disabled"))


def by_location(server: ScriptedServer, bytes_: Reply, urls: Reply | None = None) -> Handler:
    """A server with an answer for each Location; URLs are those of a table that it serves itself."""
    lines = [row.replace("https://cdn.example", server.url("")) for row in ROWS]
    for number in (1, 2, 3):
        server.handlers[f"/{number}.jpg"] = one_after_the_other(ok(jpeg(str(number)), "image/jpeg"))
    answers = {"0": bytes_, "1": urls or ok(table(*lines))}
    return lambda request: answers[request.params["Location"]]


def locations(server: ScriptedServer) -> list[str]:
    return [request.params["Location"] for request in server.asked("/object")]


# Accept.


@pytest.mark.parametrize("refused", [ok(reply(20406)), ok("", status=406)])
def test_another_accept_is_tried_once_and_kept(
    server: ScriptedServer, open_source: Open, refused: Reply
) -> None:
    server.handlers["/object"] = one_after_the_other(refused, PICTURES)
    source = open_source()
    assert ask(source) == ask(source) == ALL_THREE
    assert [request.headers["accept"] for request in server.asked("/object")] == [
        "*/*",
        "image/jpeg, image/*, multipart/*",
        "image/jpeg, image/*, multipart/*",
    ]


# Location.


def test_location_1_asks_for_urls_and_fetches_them_without_credentials(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = by_location(server, UNAVAILABLE)
    assert ask(open_source(location=1)) == ALL_THREE
    assert locations(server) == ["1"]
    assert server.paths() == ["/login", "/object", "/1.jpg", "/2.jpg", "/3.jpg"]
    assert not [r for r in server.requests[2:] if {"cookie", "authorization"} & set(r.headers)]


def test_q43_images_that_come_although_urls_were_asked_are_taken(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = by_location(server, UNAVAILABLE, PICTURES)
    facts: dict[str, str] = {}
    assert ask(open_source(facts, location=1)) == ALL_THREE
    assert locations(server) == ["1"]
    assert facts == {"location": "1:1"}


@pytest.mark.parametrize("status", [200, 400])
def test_q44_a_refused_location_is_changed_and_the_other_kept(
    server: ScriptedServer, open_source: Open, status: int
) -> None:
    disabled = ok(reply(20413, "Location=1 is disabled"), status=status)
    server.handlers["/object"] = by_location(server, PICTURES, disabled)
    facts: dict[str, str] = {}
    source = open_source(facts, location=1)
    with capture_logs() as logs:
        assert ask(source) == ask(source) == ALL_THREE
    assert locations(server) == ["1", "0", "0"]
    assert [entry["hint"] for entry in logs if entry["event"] == "photo.location"] == [
        "feeds.mls.location = 0 saves finding out"
    ]
    assert ask(open_source(facts, location=1)) == ALL_THREE
    assert locations(server)[3:] == ["0"]


def test_q44_a_server_that_refuses_either_location_denies_the_photos(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = by_location(server, ok(reply(20413, "Location?")), DISABLED)
    source = open_source(location=1)
    assert ask(source) == [("100", WHOLE_SET, Denied("20413 Location?"))]
    assert ask(source) == [("100", WHOLE_SET, Denied("20413 Location?"))]
    assert locations(server) == ["1", "0", "0"]


@pytest.mark.parametrize("unavailable", [UNAVAILABLE, EACH_UNAVAILABLE])
def test_q45_a_server_that_gives_urls_alone_is_found_out_once_a_session(
    server: ScriptedServer, open_source: Open, unavailable: Reply
) -> None:
    server.handlers["/object"] = by_location(server, unavailable)
    facts: dict[str, str] = {}
    source = open_source(facts)
    assert ask(source) == ask(source) == ALL_THREE
    source.open()
    assert ask(source) == ask(source) == ALL_THREE
    assert locations(server) == ["0", "1", "1", "0", "1", "1"]
    assert facts == {}


def test_q45_a_server_that_had_a_bad_moment_is_asked_as_configured_again(
    server: ScriptedServer, open_source: Open
) -> None:
    moments = one_after_the_other(UNAVAILABLE, PICTURES)
    urls = by_location(server, PICTURES)
    server.handlers["/object"] = lambda asked: (urls if asked.params["Location"] == "1" else moments)(asked)
    facts: dict[str, str] = {}
    assert ask(open_source(facts)) == ask(open_source(facts)) == ALL_THREE
    assert locations(server) == ["0", "1", "0"]
    assert facts == {"location": "0:0"}


def test_another_configuration_is_tried_anew(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/object"] = by_location(server, PICTURES)
    assert ask(open_source({"location": "0:1"}, location=1)) == ALL_THREE
    assert ask(open_source({"location": "1:1"}, location=0)) == ALL_THREE
    assert locations(server) == ["1", "0"]


def test_q49_where_photos_have_come_20409_is_about_its_own_photo_alone(
    server: ScriptedServer, open_source: Open
) -> None:
    parts = [THREE[0], part(reply(20409), id_="2"), THREE[2]]
    server.handlers["/object"] = one_after_the_other(ok(bundle(*parts), PARALLEL), UNAVAILABLE)
    source = open_source()
    assert ask(source) == [ALL_THREE[0], ("100", "2", Retryable("20409 said")), ALL_THREE[2]]
    assert ask(source, Wanted("100", ("2",))) == [("100", "2", Retryable("20409 no bytes here"))]
    assert locations(server) == ["0", "0"]


@pytest.mark.parametrize("known", [{}, {"location": "0:0"}])
def test_q49_a_try_by_the_other_location_is_made_only_where_nothing_is_known(
    server: ScriptedServer, open_source: Open, known: dict[str, str]
) -> None:
    server.handlers["/object"] = by_location(server, UNAVAILABLE, UNAVAILABLE)
    assert ask(open_source(known)) == [("100", WHOLE_SET, Retryable("20409 no bytes here"))]
    assert locations(server) == (["0"] if known else ["0", "1"])


@pytest.mark.parametrize(
    "urls", [DISABLED, ok(reply(20401)), ok(reply(20601)), ok(reply(20403)), ok("", status=500)]
)
def test_a_try_that_fails_changes_nothing(server: ScriptedServer, open_source: Open, urls: Reply) -> None:
    server.handlers["/object"] = by_location(server, UNAVAILABLE, urls)
    facts: dict[str, str] = {}
    assert ask(open_source(facts)) == [("100", WHOLE_SET, Retryable("20409 no bytes here"))]
    assert facts == {}


def test_an_absence_is_not_doubted_for_the_location(server: ScriptedServer, open_source: Open) -> None:
    parts = [part(reply(20409), id_="1"), part(reply(20403), id_="2")]
    server.handlers["/object"] = by_location(server, ok(bundle(*parts), PARALLEL))
    assert ask(open_source()) == [
        ("100", "1", Retryable("20409 said")),
        ("100", "2", Absent("20403 said")),
    ]
    assert locations(server) == ["0"]


# Refusals.


@pytest.mark.parametrize(("code", "text"), [(20402, "no such id"), (20407, "not yours"), (20413, "not now")])
def test_q51_a_refused_item_is_an_outcome(
    server: ScriptedServer, open_source: Open, code: int, text: str
) -> None:
    server.handlers["/object"] = lambda _request: ok(reply(code, text))
    assert ask(open_source()) == [("100", WHOLE_SET, Denied(f"{code} {text}"))]


def test_an_other_listing_s_refusal_does_not_change_what_is_asked(
    server: ScriptedServer, open_source: Open
) -> None:
    def answer(request: Request) -> Reply:
        return PICTURES if request.params["ID"] == "100:*" else ok(reply(20407))

    server.handlers["/object"] = answer
    source = open_source()
    assert ask(source, Wanted("200")) == [("200", WHOLE_SET, Denied("20407 said"))]
    assert ask(source) == ALL_THREE
    assert len(server.asked("/object")) == 2
