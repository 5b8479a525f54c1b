import pytest
from structlog.testing import capture_logs

from parsers.records import WHOLE_SET, Absent, Denied, Retryable, Unknown
from service.core.ports import Wanted
from service.errors import RetryLater, StopFeed
from tests.feeds.answers import ALL_THREE, PARALLEL, THREE, ask, bundle, jpeg, part, reply
from tests.feeds.conftest import PASSWORD, Open, login_page
from tests.feeds.scripted import (
    DigestGate,
    Handler,
    Reply,
    Request,
    ScriptedServer,
    ok,
    one_after_the_other,
)


@pytest.mark.parametrize(
    ("ids", "asked"), [(None, "100:*"), (("0",), "100:0"), (("1", "3", "5"), "100:1:3:5")]
)
def test_photos_are_asked_for_by_their_ids(
    server: ScriptedServer, open_source: Open, ids: tuple[str, ...] | None, asked: str
) -> None:
    server.handlers["/object"] = lambda _request: ok(reply(20403))
    ask(open_source(object_types=["LargePhoto"]), Wanted("100", ids))
    assert server.asked("/object")[0].params == {
        "Resource": "Property",
        "Type": "LargePhoto",
        "ID": asked,
        "Location": "0",
    }
    assert server.asked("/object")[0].headers["accept"] == "*/*"


def test_a_bundle_comes_through_digest_and_session(server: ScriptedServer, open_source: Open) -> None:
    gate = DigestGate("reader", PASSWORD, uses=1)
    server.handlers["/login"] = gate(login_page())
    server.handlers["/object"] = gate(lambda _request: ok(bundle(*THREE), PARALLEL))
    source = open_source()
    assert ask(source) == ask(source) == ALL_THREE
    assert server.asked("/object")[-1].headers["cookie"] == "RETS-Session-ID=s1"


def test_q96_photos_are_asked_for_again_after_a_lost_session(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = one_after_the_other(ok(reply(20701)), ok(bundle(*THREE), PARALLEL))
    assert ask(open_source()) == ALL_THREE
    assert server.paths() == ["/login", "/object", "/login", "/object"]


@pytest.mark.parametrize(
    ("code", "key"), [(20400, "resource"), (20401, "object_types"), (20601, "rets_version")]
)
def test_a_refusal_of_all_photos_stops_the_feed_and_names_the_key(
    server: ScriptedServer, open_source: Open, code: int, key: str
) -> None:
    server.handlers["/object"] = lambda _request: ok(reply(code))
    source = open_source()
    with pytest.raises(StopFeed, match=rf"feed mls listing 100: GetObject ID=100:\* .*{code}.*{key}"):
        ask(source)


def test_a_failing_server_names_feed_and_listing(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/object"] = lambda _request: ok("", status=500)
    source = open_source()
    with pytest.raises(
        RetryLater, match=r"feed mls listing 100: .*HTTP 500 \(check feeds\.mls\.rets_version"
    ):
        ask(source)


def test_a_key_that_cannot_be_asked_for_is_denied_without_asking(
    server: ScriptedServer, open_source: Open
) -> None:
    ((listing, id_, outcome),) = ask(open_source(), Wanted("10:0"))
    assert (listing, id_) == ("10:0", WHOLE_SET)
    assert isinstance(outcome, Denied)
    assert server.paths() == ["/login"]


def test_a_key_that_cannot_be_asked_for_does_not_stop_the_others(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = lambda _request: ok(bundle(*THREE), PARALLEL)
    came = ask(open_source(), Wanted("1,0"), Wanted("100"))
    assert came[0][0] == "1,0"
    assert came[1:] == ALL_THREE


def test_q38_several_listings_come_in_one_answer(server: ScriptedServer, open_source: Open) -> None:
    parts = [*THREE, part(jpeg("7"), id_="7", listing="200"), part(reply(20403), id_="*", listing="300")]
    server.handlers["/object"] = lambda _request: ok(bundle(*parts), PARALLEL)
    came = ask(open_source(), Wanted("100"), Wanted("200", ("7",)), Wanted("300"))
    assert came == [*ALL_THREE, ("200", "7", jpeg("7")), ("300", WHOLE_SET, Absent("20403 said"))]
    assert server.asked("/object")[0].params["ID"] == "100:*,200:7,300:*"


@pytest.mark.parametrize("refused", [ok(reply(20402)), ok(reply(20403)), ok("too many", status=400)])
def test_q48_a_refusal_of_several_listings_says_nothing_about_one(
    server: ScriptedServer, open_source: Open, refused: Reply
) -> None:
    def answer(request: Request) -> Reply:
        said = {"100:*": ok(bundle(*THREE), PARALLEL), "200:*": ok(reply(20403))}
        return said.get(request.params["ID"], refused)

    server.handlers["/object"] = answer
    came = ask(open_source(), Wanted("100"), Wanted("200"))
    assert came == [*ALL_THREE, ("200", WHOLE_SET, Absent("20403 said"))]
    assert [request.params["ID"] for request in server.asked("/object")] == ["100:*,200:*", "100:*", "200:*"]


def test_q48_a_refused_batch_makes_the_source_ask_singly_until_it_is_opened_again(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = lambda request: (
        ok(reply(20402)) if "," in request.params["ID"] else ok(bundle(*THREE), PARALLEL)
    )
    source = open_source()
    allowed = [source.takes_several]
    with capture_logs() as logs:
        for batch in ("100", "200"), ("300", "400"):
            ask(source, *map(Wanted, batch))
            allowed.append(source.takes_several)
    assert asked_ids(server) == ["100:*,200:*", "100:*", "200:*", "300:*", "400:*"]
    (event,) = [entry for entry in logs if entry["event"] == "photo.several_refused"]
    assert event["hint"] == "set feeds.mls.batch_listings to 1"
    source.open()
    assert [*allowed, source.takes_several] == [True, False, False, True]


def test_q48_a_listing_that_an_answer_passes_over_in_silence_is_asked_for_alone(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = lambda request: (
        ok(reply(20403)) if request.params["ID"] == "200:*" else ok(bundle(*THREE), PARALLEL)
    )
    source = open_source()
    came = ask(source, Wanted("100"), Wanted("200"))
    assert came == [*ALL_THREE, ("200", WHOLE_SET, Absent("20403 said"))]
    assert asked_ids(server) == ["100:*,200:*", "200:*"]
    assert source.takes_several


def test_a_batch_survives_any_bad_part(server: ScriptedServer, open_source: Open) -> None:
    parts = [
        part("not XML at all", "Content-Type: text/xml", id_="1"),
        part(jpeg("1"), id_="1", listing="200"),
        part(jpeg("?"), listing=""),
        part("", "RETS-Error: 1", id_="2", listing="200"),
        part(reply(20409), id_="2"),
        part(jpeg("7"), id_="7", listing="300"),
    ]
    server.handlers["/object"] = lambda _request: ok(bundle(*parts), PARALLEL)
    came = ask(open_source(), Wanted("100"), Wanted("200"), Wanted("300"))
    pictures = [(listing, id_) for listing, id_, outcome in came if isinstance(outcome, bytes)]
    assert pictures == [("200", "1"), ("300", "7")]
    others = {(listing, id_): type(outcome) for listing, id_, outcome in came}
    assert others["100", "1"] is others["200", "2"] is Unknown
    assert others["100", "2"] is Retryable


# Types.

TYPES = ["LargePhoto", "Photo"]


def by_type(large: Reply, small: Reply) -> Handler:
    answers = {"LargePhoto": large, "Photo": small}
    return lambda request: answers[request.params["Type"]]


def asked_types(server: ScriptedServer) -> list[tuple[str, str]]:
    return [(request.params["Type"], request.params["ID"]) for request in server.asked("/object")]


def asked_ids(server: ScriptedServer) -> list[str]:
    return [request.params["ID"] for request in server.asked("/object")]


def test_q52_the_first_type_is_enough_where_it_has_every_photo(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = by_type(ok(bundle(*THREE), PARALLEL), ok("never", status=500))
    assert ask(open_source(object_types=TYPES), Wanted("100", None, 3)) == ALL_THREE
    assert asked_types(server) == [("LargePhoto", "100:*")]


def test_q52_what_a_type_lacks_is_asked_for_in_the_next(server: ScriptedServer, open_source: Open) -> None:
    large = [
        part(reply(20403), id_="1"),
        THREE[1],
        part(reply(20407), id_="3"),
        part(reply(20409), id_="4"),
        part(reply(20403), id_="5"),
    ]
    small = [THREE[0], THREE[2], part(reply(20403, "not at all"), id_="5")]
    server.handlers["/object"] = by_type(ok(bundle(*large), PARALLEL), ok(bundle(*small), PARALLEL))
    assert ask(open_source(object_types=TYPES)) == [
        ALL_THREE[1],
        ("100", "4", Retryable("20409 said")),
        ALL_THREE[0],
        ALL_THREE[2],
        ("100", "5", Absent("20403 not at all")),
    ]
    assert asked_types(server) == [("LargePhoto", "100:*"), ("Photo", "100:1:3:5")]


@pytest.mark.parametrize("code", [20402, 20403, 20407])
def test_q52_a_listing_without_any_photo_of_a_type_is_asked_for_in_the_next(
    server: ScriptedServer, open_source: Open, code: int
) -> None:
    server.handlers["/object"] = by_type(ok(reply(code)), ok(bundle(*THREE), PARALLEL))
    source = open_source(object_types=TYPES)
    assert ask(source) == ALL_THREE
    assert ask(source, Wanted("100", ("3", "1"))) == [ALL_THREE[0], ALL_THREE[2]]
    assert [ids for _, ids in asked_types(server)] == ["100:*", "100:*", "100:3:1", "100:3:1"]


def test_q52_photos_that_a_type_leaves_out_in_silence_are_asked_for_in_the_next(
    server: ScriptedServer, open_source: Open
) -> None:
    large = bundle(part(jpeg("large"), id_="2"))
    server.handlers["/object"] = by_type(ok(large, PARALLEL), ok(bundle(*THREE), PARALLEL))
    source = open_source(object_types=TYPES)
    both = [("100", "2", jpeg("large")), ALL_THREE[0], ALL_THREE[2]]
    assert ask(source, Wanted("100", None, 3)) == both
    assert ask(source, Wanted("100", ("1", "2", "3"))) == both
    assert asked_types(server)[1::2] == [("Photo", "100:*"), ("Photo", "100:1:3")]


def test_q52_absence_counts_only_when_the_last_type_says_so(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = by_type(ok(reply(20403)), ok(reply(20409)))
    source = open_source({"location": "0:0"}, object_types=TYPES)
    assert ask(source) == [("100", WHOLE_SET, Retryable("20409 said"))]
    server.handlers["/object"] = by_type(ok(reply(20409)), ok(reply(20403)))
    assert ask(source) == [("100", WHOLE_SET, Retryable("20409 said"))]


def test_q47_q52_a_type_that_the_server_does_not_know_is_asked_for_once(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = by_type(ok(reply(20401, "Invalid Type")), ok(bundle(*THREE), PARALLEL))
    source = open_source(object_types=TYPES)
    with capture_logs() as logs:
        assert ask(source) == ask(source) == ALL_THREE
    assert [type_ for type_, _ in asked_types(server)] == ["LargePhoto", "Photo", "Photo"]
    assert [entry["type"] for entry in logs if entry["event"] == "photo.type_unknown"] == ["LargePhoto"]


def test_q52_where_the_last_type_is_unknown_the_one_before_it_decides(
    server: ScriptedServer, open_source: Open
) -> None:
    large = ok(bundle(THREE[0], part(reply(20403), id_="2")), PARALLEL)
    alone = ok(reply(20403, "none"))
    server.handlers["/object"] = lambda request: (
        ok(reply(20401))
        if request.params["Type"] == "Photo"
        else large
        if request.params["ID"] == "100:*"
        else alone
    )
    assert ask(open_source(object_types=TYPES)) == [ALL_THREE[0], ("100", "2", Absent("20403 none"))]


def test_q47_a_server_that_knows_no_type_stops_the_feed(server: ScriptedServer, open_source: Open) -> None:
    server.handlers["/object"] = lambda _request: ok(reply(20401))
    source = open_source(object_types=TYPES)
    with pytest.raises(StopFeed, match=r"Type=Photo .*feeds\.mls\.object_types; if the server has no photos"):
        ask(source)
    assert [type_ for type_, _ in asked_types(server)] == TYPES


def test_several_listings_fall_back_to_the_next_type_together(
    server: ScriptedServer, open_source: Open
) -> None:
    large = [part(jpeg("large"), id_="1"), part(reply(20403), id_="*", listing="200")]
    small = [part(jpeg("small"), id_="1", listing="200")]
    server.handlers["/object"] = by_type(ok(bundle(*large), PARALLEL), ok(bundle(*small), PARALLEL))
    came = ask(open_source(object_types=TYPES), Wanted("100"), Wanted("200"))
    assert came == [("100", "1", jpeg("large")), ("200", "1", jpeg("small"))]
    assert asked_types(server) == [("LargePhoto", "100:*,200:*"), ("Photo", "200:*")]
