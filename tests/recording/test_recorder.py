"""A recorder in a real source, against a loopback server: what is read is what is written."""

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from parsers.records import Denied, Outcome, Retryable, Unknown
from service.core.ports import Wanted
from service.errors import RetryLater, ServiceError, TransferCut
from service.feeds.rets import RetsSource
from service.recording.recorder import Exchange, Recorder
from service.recording.scrub import Scrubber
from service.rets_config import RetsFeed
from service.simulator.answers import CutConnection, RawAnswer, text_answer
from service.simulator.bundles import BundledPhoto, Framing
from service.simulator.documents import reply
from service.simulator.fixture import read_answer
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from tests.feeds.scripted import Reply, ScriptedServer, cut, ok
from tests.ingest.support import jpeg, listing, photo

Answer = Callable[[str, Mapping[str, str]], RawAnswer | None]
SETTINGS = {"kind": "rets", "username": "reader", "class": "RES", "search_format": "COMPACT", "timeout": "5s"}


@dataclass
class Scripted:
    """Answers by a function."""

    respond: Answer

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        return self.respond(transaction, params)


@dataclass
class Studio:
    """A recorder at work."""

    server: LoopbackServer
    settings: RetsFeed
    recorder: Recorder

    def source(self) -> RetsSource:
        source = RetsSource("live", self.settings, observer=self.recorder)
        source.open()
        return source

    def photos(self, *ids: str, key: str = "1") -> list[bytes | Outcome | None]:
        """What comes for a listing's photos, all of them if none is named."""
        source = self.source()
        try:
            wanted = [Wanted(key, ids or None)]
            return [b"".join(p.chunks) or p.outcome for p in source.open_photos(wanted)]
        finally:
            source.close()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    servers: list[LoopbackServer] = []

    def make(respond: Answer, **settings: object) -> Studio:
        server = LoopbackServer({"live": Site(Account("reader", "planted"), Scripted(respond))})
        servers.append(server.__enter__())
        own = {"login_url": server.login_url("live"), "password": SecretStr("planted")}
        table = {**SETTINGS, "query": "(ModificationTimestamp={since}+)", **own, **settings}
        config = RetsFeed.model_validate(table)
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        return Studio(server, config, Recorder(folder, config, Scrubber.of_feed(config), people=False))

    yield make
    for server in servers:
        server.__exit__(None, None, None)


def body_of(exchange: Exchange) -> bytes:
    body = read_answer(exchange.path).body
    assert isinstance(body, bytes)
    return body


def test_the_body_is_written_plain_whatever_its_transfer(studio: Callable[..., Studio]) -> None:
    bundle = Framing().bundle([Framing().image_part("1", BundledPhoto("1", jpeg(1)))])
    plain = b"".join(bundle.body) if not isinstance(bundle.body, bytes) else bundle.body
    packed = RawAnswer(200, "Fine", (*bundle.headers, ("Content-Encoding", "gzip")), gzip.compress(plain))
    at_work = studio(lambda *_: packed)
    assert at_work.photos() == [jpeg(1)]
    (exchange,) = at_work.recorder.close()
    assert body_of(exchange) == plain
    names = {name.lower() for name, _ in read_answer(exchange.path).headers}
    assert names == {"mime-version", "content-type", "rets-version"}
    assert dict(exchange.params) == {"Type": "Photo", "ID": "1:*", "Location": "0"}


def test_an_answer_that_was_cut_promises_more_than_it_has(studio: Callable[..., Studio]) -> None:
    def pieces() -> Iterator[bytes]:
        yield jpeg(1)[:100]
        raise CutConnection

    at_work = studio(lambda *_: RawAnswer(200, "OK", (("Content-Type", "image/jpeg"),), pieces()))
    with pytest.raises(TransferCut):
        at_work.photos("1")
    (exchange,) = at_work.recorder.close()
    assert body_of(exchange) == jpeg(1)[:100]
    assert read_answer(exchange.path).header("Content-Length") == "101"
    assert not exchange.path.with_suffix(".whole").exists()


@pytest.mark.parametrize("closing", [b"--x--\r\n", b""])
def test_a_bundle_that_nobody_vouches_for_is_cut_behind_its_last_byte(
    studio: Callable[..., Studio], closing: bytes
) -> None:
    body = b"--x\r\nObject-ID: 1\r\n\r\n" + jpeg(1) + b"\r\n" + closing
    headers = (("Content-Type", "multipart/parallel; boundary=x"),)
    at_work = studio(lambda *_: RawAnswer(200, "OK", headers, iter([body])))

    came, exchange = played(at_work)
    answer = read_answer(exchange.path)
    assert answer.header("Content-Length") == str(len(body) + 1)
    assert came == ([jpeg(1)] if closing else TransferCut)
    assert played(studio(lambda *_: answer))[0] == came


def played(at_work: Studio) -> tuple[object, Exchange]:
    """What comes of the photos, and the one exchange."""
    came: object
    try:
        came = at_work.photos()
    except ServiceError as error:
        came = type(error)
    (exchange,) = at_work.recorder.close()
    return came, exchange


def test_a_search_that_nobody_vouches_for_is_whole(studio: Callable[..., Studio]) -> None:
    mls = Mls([listing("1", photo(1))])

    def unframed(transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        answer = mls.answer(transaction, params)
        assert answer
        assert isinstance(answer.body, bytes)
        return RawAnswer(answer.status, answer.reason, answer.headers, iter([answer.body]))

    at_work = studio(unframed)
    source = at_work.source()
    assert [said.key for page in source.changes(None) for said in page.listings] == ["1"]
    source.close()
    (exchange,) = at_work.recorder.close()
    assert read_answer(exchange.path).header("Content-Length") is None


def test_a_request_that_fails_is_answered_with_500(studio: Callable[..., Studio]) -> None:
    at_work = studio(lambda *_: RawAnswer(503, "Busy", (("Retry-After", "60"),), b"planted"))
    with pytest.raises(RetryLater):
        at_work.photos()
    (exchange,) = at_work.recorder.close()
    answer = read_answer(exchange.path)
    assert (answer.status, answer.headers, answer.body) == (500, (), b"")
    assert at_work.recorder.asked_ids == ["1:*"]


def test_what_is_asked_twice_is_kept_as_it_was_answered_last(studio: Callable[..., Studio]) -> None:
    answers = iter([text_answer(reply(20406, "Unsupported")), text_answer(reply(20403, "None"))])
    at_work = studio(lambda *_: next(answers))
    at_work.photos()
    (exchange,) = at_work.recorder.close()
    assert body_of(exchange) == reply(20403, "None")


def test_what_is_asked_again_later_is_counted_again(studio: Callable[..., Studio]) -> None:
    """Two types, the second unknown: what the first one lacked is asked of it once more (Q52)."""

    def respond(_transaction: str, params: Mapping[str, str]) -> RawAnswer:
        return text_answer(
            reply(20403, "None") if params["Type"] == "Photo" else reply(20401, "Invalid type")
        )

    at_work = studio(respond, object_types=["Photo", "HighRes"])
    at_work.photos()
    asked = [seen.params["ID"] for seen in at_work.server.requests if seen.transaction == "GetObject"]
    assert at_work.recorder.asked_ids == asked == ["1:*"] * 3
    assert [one.params["Type"] for one in at_work.recorder.close()] == ["Photo", "HighRes"]


def test_q96_a_lost_session_leaves_no_exchange(studio: Callable[..., Studio]) -> None:
    at_work = studio(lambda *_: text_answer(reply(20403, "None")))
    source = at_work.source()
    at_work.server.expire_sessions("live")
    list(source.open_photos([Wanted("1")]))
    source.close()
    (exchange,) = at_work.recorder.close()
    assert read_answer(exchange.path).status == 200
    assert body_of(exchange) == reply(20403, "None")


@pytest.mark.parametrize("keys_query", [None, "(ModificationTimestamp=1990-01-01T00:00:00Z+)"])
def test_queries_for_changes_hold_since_and_come_after_those_for_keys(
    studio: Callable[..., Studio], keys_query: str | None
) -> None:
    at_work = studio(Mls([listing("1", photo(1))]).answer, keys_query=keys_query)
    source = at_work.source()
    pages = list(source.changes("2020-01-01T00:00:00Z"))
    assert source.keys().keys == {"1"}
    source.close()
    keys, changes = at_work.recorder.close()
    assert changes.params["Query"] == "(ModificationTimestamp={since}+)"
    assert keys.params["Query"] == (keys_query or "(ListingKey=*)")
    assert pages[0].listings[0].key == "1"


# Pictures that answers only point to.


@pytest.fixture
def host() -> Iterator[ScriptedServer]:
    """Somebody else's host of pictures."""
    host = ScriptedServer()
    host.handlers["/1.jpg"] = lambda request: ok(
        jpeg(int(request.params["n"])),
        "image/jpeg",
        headers=[("Set-Cookie", "planted=1"), ("ETag", "planted")],
    )
    yield host
    host.stop()


def pointing_to(*urls: str) -> Answer:
    """Parts that say where the pictures 1, 2, ... are."""
    parts = [
        Framing().url_part("1", BundledPhoto(str(number), b""), url) for number, url in enumerate(urls, 1)
    ]
    return lambda *_: Framing().bundle(parts)


def recorded(exchanges: list[Exchange]) -> Answer:
    """A feed that answers as the recording does."""

    def respond(transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        found = (
            one
            for one in exchanges
            if one.transaction == transaction and one.params.items() <= params.items()
        )
        return next((read_answer(one.path) for one in found), None)

    return respond


def test_pictures_are_recorded_from_their_host_and_replay_from_here(
    studio: Callable[..., Studio], host: ScriptedServer
) -> None:
    answer = pointing_to(host.url("/1.jpg?n=11&sig=planted"), host.url("/1.jpg?n=12&amp;sig=planted"))
    at_work = studio(answer, location=1)
    assert at_work.photos() == [jpeg(11), jpeg(12)]
    assert all("cookie" not in request.headers for request in host.requests)
    asked, *pictures = at_work.recorder.close()
    assert at_work.recorder.asked_ids == ["1:*"]
    assert dict(asked.params) == {"Type": "Photo", "ID": "1:*", "Location": "1"}
    assert [body_of(one) for one in pictures] == [jpeg(11), jpeg(12)]
    for one in pictures:
        assert read_answer(one.path).headers == (("Content-Type", "image/jpeg"),)
        assert one.params["URL"].encode() in body_of(asked)
    written = b"".join(one.path.read_bytes() for one in (asked, *pictures))
    assert b"planted" not in written
    assert str(host.port).encode() not in written

    again = studio(recorded([asked, *pictures]), location=1)
    assert again.photos() == [jpeg(11), jpeg(12)]
    assert again.server.unanswered == []


def test_q41_urls_relative_to_getobject_are_found_on_the_feeds_own_host(
    studio: Callable[..., Studio],
) -> None:
    at_work = studio(Mls([listing("1", photo(1, 11), photo(2, 12))]).answer, location=1)
    assert at_work.photos() == [jpeg(11), jpeg(12)]
    asked, *pictures = at_work.recorder.close()
    assert b"photos/1/" not in body_of(asked)
    assert [body_of(one) for one in pictures] == [jpeg(11), jpeg(12)]


def test_a_picture_that_is_pointed_to_twice_is_recorded_once(
    studio: Callable[..., Studio], host: ScriptedServer
) -> None:
    url = host.url("/1.jpg?n=1")
    at_work = studio(pointing_to(url, url), location=1)
    assert at_work.photos() == [jpeg(1), jpeg(1)]
    assert [one.transaction for one in at_work.recorder.close()] == ["GetObject", "Photo"]


def test_a_redirect_is_followed_and_its_end_recorded(
    studio: Callable[..., Studio], host: ScriptedServer
) -> None:
    there = [("Location", "/1.jpg?n=3&sig=planted")]
    host.handlers["/here"] = lambda _request: ok("", status=302, headers=there)
    at_work = studio(pointing_to(host.url("/here")), location=1)
    assert at_work.photos() == [jpeg(3)]
    _, picture = at_work.recorder.close()
    assert (read_answer(picture.path).status, body_of(picture)) == (200, jpeg(3))


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        pytest.param(ok("no /1.jpg", "text/plain", status=404), Retryable, id="404"),
        pytest.param(ok("planted", "text/plain", status=403), Retryable, id="403"),
        pytest.param(ok("planted" * 99999, "text/plain", status=410), Retryable, id="410 at length"),
        pytest.param(ok("", status=401, headers=[("WWW-Authenticate", "Basic")]), Retryable, id="401"),
        pytest.param(ok("planted", status=500), Retryable, id="500"),
        pytest.param(
            ok("", status=302, headers=[("Location", "/1.jpg")]), Retryable, id="redirects in circles"
        ),
        pytest.param(ok("<html>token=planted</html>", "image/jpeg"), Unknown, id="page"),
        pytest.param(ok("", "image/jpeg"), Unknown, id="empty"),
        pytest.param(cut(jpeg(1), 400, "image/jpeg"), TransferCut, id="cut"),
    ],
)
def test_a_url_that_leads_to_no_picture_leads_to_none_in_the_replay(
    studio: Callable[..., Studio],
    host: ScriptedServer,
    said: Reply,
    outcome: type[Outcome] | type[TransferCut],
) -> None:
    host.handlers["/1.jpg"] = lambda _request: said
    at_work = studio(pointing_to(host.url("/1.jpg")), location=1)
    assert kind_of_photo(at_work) is outcome
    exchanges = at_work.recorder.close()
    assert [one.transaction for one in exchanges] == ["GetObject", "Photo"]
    assert re.findall(rb"planted|/1\.jpg", b"".join(one.path.read_bytes() for one in exchanges)) == []
    promised = read_answer(exchanges[1].path).header("Content-Length")
    assert (promised is not None) == (outcome is TransferCut)
    again = studio(recorded(exchanges), location=1)
    assert kind_of_photo(again) is outcome
    assert again.server.unanswered == []
    again.recorder.close()


def kind_of_photo(at_work: Studio) -> type[object]:
    """What comes for the only photo."""
    try:
        (came,) = at_work.photos()
    except TransferCut:
        return TransferCut
    return type(came)


def test_what_is_no_http_url_is_refused_in_the_replay_too(studio: Callable[..., Studio]) -> None:
    at_work = studio(pointing_to("ftp://jane:planted@cdn.example/1.jpg?sig=planted"), location=1)
    assert kind_of_photo(at_work) is Denied
    (exchange,) = at_work.recorder.close()
    assert b"planted" not in exchange.path.read_bytes()
    assert kind_of_photo(studio(recorded([exchange]), location=1)) is Denied
