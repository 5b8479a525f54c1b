"""A feed's words end up in keys, headers, logs and tables: in none of them do they get anywhere."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import unquote
from uuid import uuid4

import pytest
import structlog
from rich.console import Console

from parsers.records import Image, ListingState, PhotoRef
from service.core.manifest import render_manifest
from service.core.photos import IMMUTABLE, StoredPhoto, StoredSet, listing_prefix, object_name, segment
from service.core.ports import FeedStatus, Owed, Wanted
from service.logs import set_up_logs, visible
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from service.terminal import new_console, parked_table, status_table
from tests.feeds.answers import bundle, jpeg, part
from tests.feeds.conftest import Open
from tests.feeds.scripted import ScriptedServer, ok

NAMES = {
    "up": "..",
    "up and away": "../../other-feed/1001",
    "up, encoded": "%2e%2e%2f%2e%2e%2fother-feed",
    "up, encoded twice": "%252e%252e%252f",
    "up, too long for UTF-8": "\xc0\xae\xc0\xae/",
    "up, backslash": "..\\..\\other-feed",
    "up, full width": "\uff0e\uff0e\uff0f",
    "up, one dot leader": "\u2024\u2024/",
    "here": ".",
    "dots": "......",
    "a path": "/etc/passwd",
    "another listing's manifest": "1001/manifest.json",
    "the name of a manifest": "manifest.json",
    "two slashes": "a//b",
    "a slash at the end": "1001/",
    "nothing": "",
    "blanks": "   ",
    "NUL": "1001\x00.jpg",
    "line ends": "1001\r\nX-Injected: 1\r\n\r\n",
    "tab": "10\t01",
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "C1 escape": "\x9b2J",
    "right to left": "\u202egpj.1001",
    "zero width": "10\u200b01",
    "byte order mark": "\ufeff1001",
    "half a surrogate pair": "\ud83d",
    "beyond the plane": "\U0001f3e0",
    "composed": "caf\u00e9",
    "decomposed": "cafe\u0301",
    "question": "1001?versionId=null",
    "fragment": "1001#x",
    "plus": "10+01",
    "percent": "100%",
    "query of S3": "1001&uploads",
    "device of Windows": "CON",
    "device of Windows with an ending": "nul.jpg",
    "stream of Windows": "1001:secret",
    "drive of Windows": "C:",
    "dot at the end": "1001.",
    "a share": "\\\\server\\share",
    "wildcards": "*?[a-z]",
    "shell": "$(reboot);`reboot`|reboot",
    "quotes": "'\"<>&",
    "SQL": "1'; DROP TABLE photos; --",
    "format": "{0.__class__} %s %n",
    "very long": "x" * 5000,
    "very long and wide": "\u00fc" * 5000,
    "a hash's spelling": "sha256=" + "0" * 64,
    "home": "~root",
    "hidden": ".ssh",
}

FEED = "mls"


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_key_stays_within_its_feed_and_its_listing(name: str) -> None:
    prefix = listing_prefix(FEED, name)
    feed, listing, rest = prefix.split("/")
    assert (feed, rest) == (FEED, "")
    assert listing.isascii()
    assert listing.isprintable()
    assert 0 < len(listing) <= 255
    assert listing.strip(".")
    assert not set(listing) & set("/\\ ?#&:*<>|\"'%") - {"%"}
    decoded = unquote(listing, errors="surrogatepass")
    assert decoded == name or listing.startswith("sha256=")


def test_different_names_have_different_keys() -> None:
    assert len({segment(name) for name in NAMES.values()}) == len(NAMES)


def test_a_real_store_keeps_every_name_where_it_belongs(s3: EmbeddedStore) -> None:
    """Names of stores are encoded once more on their way: nothing is cut, joined or climbed."""
    store = MinioStore.from_url(s3.url, s3.access_key, s3.secret_key, uploaders=1)
    feed = "security-words"
    before = {info.key for info in store.list("") if not info.key.startswith(feed)}
    keys = {listing_prefix(feed, name) + "1.jpg" for name in NAMES.values()}
    digest = sha256(b"x").hexdigest()
    for key in keys:
        store.put(key, io.BytesIO(b"x"), 1, digest, media_type="image/jpeg", cache_control=IMMUTABLE)
    assert {info.key for info in store.list(f"{feed}/")} == keys
    after = {info.key for info in store.list("") if not info.key.startswith(feed)}
    assert after >= before
    assert not {key for key in after - before if "other-feed" in key or "etc" in key}
    store.delete(keys)
    store.close()


ROWS = [name for name in NAMES.values() if name.strip() and "\t" not in name and "\ud83d" not in name]


def test_a_listing_s_key_does_not_become_a_header_of_a_request(
    server: ScriptedServer, open_source: Open
) -> None:
    server.handlers["/object"] = lambda _request: ok('<RETS ReplyCode="20403" ReplyText="none"/>')
    source = open_source(query="(x)")
    for name in ROWS:
        for photo in source.open_photos([Wanted(name, ("1\r\nX-Injected: 1",))]):
            assert photo.listing == name
    for request in server.requests:
        assert "x-injected" not in request.headers
        assert request.target.isascii()
        assert request.target.isprintable()


HEADERS = {
    "Content-Type": "image/jpeg\x1b; x=\x9b2J",
    "Content-Description": "caption\x1b[2J\x9b31m\u202e",
    "Object-ID": "1\x1b[2J",
    "Content-ID": "100\x1b",
    "Location": "http://cdn.example/\x1b[2J%0d%0aX-Injected:%201",
    "Preferred": "1\x1b",
    "ObjectData": "a=\x1b[2J",
}


@pytest.mark.parametrize(("name", "value"), HEADERS.items(), ids=HEADERS.keys())
def test_a_part_s_headers_do_not_become_the_object_s(
    server: ScriptedServer, open_source: Open, name: str, value: str
) -> None:
    lines = {"Content-ID": "100", "Object-ID": "1", "Content-Type": "image/jpeg", name: value}
    head = "".join(f"{key}: {text}\r\n" for key, text in lines.items())
    server.handlers["/object"] = lambda _request: ok(
        b"--xyz\r\n" + head.encode() + b"\r\n" + jpeg("1") + b"\r\n--xyz--",
        "multipart/parallel; boundary=xyz",
    )
    for photo in open_source().open_photos([Wanted("100")]):
        list(photo.chunks)
        image = Image("0" * 64, 1, "image/jpeg", 1, 1)
        stored = StoredSet("100", 1, None, (StoredPhoto(photo.ref, image),))
        assert object_name(image) == "0" * 64 + ".jpg"
        document = render_manifest(FEED, stored)
        assert b"\x1b" not in document
        assert json.loads(document)["media"][0]["MediaType"] == "image/jpeg"


class Screen(io.StringIO):
    """A terminal, as far as anybody asks."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[Screen, io.StringIO], ids=["terminal", "file"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    stream: io.StringIO = request.param()
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    set_up_logs(stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before[1]
    root.setLevel(before[0])


OWN = {"\x1b", "\n"}
"""What colours and ends a line of our own."""


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_word_in_a_log_stays_in_its_line(lines: io.StringIO, name: str) -> None:
    structlog.get_logger().warning("listing.parked", listing=name, why=f"said {name}")
    # What pytest has captured must be sayable: half a pair is not.
    logging.getLogger("urllib3").warning("odd: %s", name.encode("utf-8", "replace").decode())
    text = lines.getvalue()
    assert text.count("\n") == 2
    assert all(char.isprintable() or char in OWN for char in text)
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text


def test_a_traceback_on_a_terminal_shows_no_variables(lines: io.StringIO) -> None:
    def crash(password: str) -> None:
        raise ValueError(len(password))

    planted = uuid4().hex
    try:
        crash(planted)
    except ValueError:
        structlog.get_logger().exception("cycle.crashed")
    assert "ValueError" in lines.getvalue()
    assert planted not in lines.getvalue()


MARKUP = {
    "bold": "[bold]x",
    "end of nothing": "[/]",
    "end of something": "[/red]",
    "link": "[link=https://evil.example]click[/link]",
    "emoji": ":smiley:",
    "escaped": "\\[red]",
}


@pytest.mark.parametrize("word", [*NAMES.values(), *MARKUP.values()], ids=[*NAMES.keys(), *MARKUP.keys()])
def test_a_word_in_a_table_is_neither_markup_nor_a_command(word: str) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    owed = Owed(ListingState(word), 1, moment, parked=True, why=word)
    status = FeedStatus(FEED, word, 1, 1, 1, 1, moment, moment, word)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=20_000, emoji=True)
    console.print(status_table([status]))
    console.print(parked_table({FEED: [owed]}))
    text = screen.getvalue()
    assert text.count(visible(word)) >= (4 if word.strip() else 0)
    assert all(char.isprintable() or char in OWN for char in text)
    assert "\x1b[2J" not in text
    assert "\x1b]" not in text


def test_the_console_of_the_commands_is_not_a_terminal_in_a_pipe() -> None:
    assert new_console().width >= 80


def test_a_bundle_of_hostile_captions_is_read(server: ScriptedServer, open_source: Open) -> None:
    """No word of a part keeps the others from being read."""
    texts = [name.replace("\r", " ").replace("\n", " ") for name in ROWS]
    parts = [
        part(jpeg(str(number)), f"Content-Description: {text}", id_=str(number))
        for number, text in enumerate(texts, 1)
    ]
    server.handlers["/object"] = lambda _request: ok(bundle(*parts), "multipart/parallel; boundary=xyz")
    found = [photo.ref for photo in open_source().open_photos([Wanted("100")]) if list(photo.chunks)]
    assert len(found) == len(texts)
    assert isinstance(found[0], PhotoRef)
