"""A small live MLS with troubles of its own, and recordings of it."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from service.simulator.answers import Answers, CutConnection, RawAnswer
from service.simulator.bundles import BundledPhoto, Framing
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Mls, photo_url
from service.simulator.server import LoopbackServer
from tests.acceptance.support import PASSWORD, service
from tests.feeds.scripted import Reply, Request, ScriptedServer, ok
from tests.ingest.support import jpeg, listing, photo

USER, AGENT_PASSWORD = "planted-user-77", "planted-agent-password"

COMPACT = """
search_format = "COMPACT"
query = "(ModificationTimestamp={since}+)"
"""
STANDARD_XML = """
search_format = "STANDARD-XML"
query = "(ModificationTimestamp={since})"
keys_query = "(ListingKey=*)"
limit = 2
"""
FRAMING = Framing(boundary="an odd boundary", caption_name="Description")


@dataclass
class Doctored:
    """An MLS whose answers some hand changes, and which finds listings by their keys."""

    mls: Mls
    bundles: Mapping[str, Callable[[], RawAnswer]] = field(default_factory=dict)
    change: Callable[[RawAnswer], RawAnswer] = lambda answer: answer

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        made = self.bundles.get(params.get("ID", ""))
        answer = made() if made else self._find(transaction, params)
        return self.change(answer) if answer else None

    def _find(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        named = re.fullmatch(r"\(ListingKey=([\w,]+)\)", params.get("Query", ""))
        if named is None:
            return self.mls.answer(transaction, params)
        found = [one for key in named[1].split(",") if (one := self.mls.listing(key))]
        return Mls(found).answer(transaction, {**params, "Query": "(ModificationTimestamp=1970-01-01)"})


@dataclass
class Signed:
    """An MLS that gives URLs at another host, in a table, for 1002 in parts. Each has its own signature."""

    mls: Mls
    host: ScriptedServer
    gone: set[str] = field(default_factory=set)
    given: int = 0

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        answer = self.mls.answer(transaction, params)
        if transaction != "GetObject" or answer is None:
            return answer
        assert params["Location"] == "1"
        if params["ID"] == "1002:*":
            part = FRAMING.url_part(
                "1002", BundledPhoto("1", b"", caption="of Jane Doe"), photo_url("1002", "1")
            )
            answer = FRAMING.bundle([part])
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        return replace(answer, body=re.sub(rb"photos/(\d+/\d+\.jpg)", self._sign, body))

    def _sign(self, url: re.Match[bytes]) -> bytes:
        self.given += 1
        path = f"/planted-path/{url[1].decode()}"
        self.host.handlers[path] = self._serve
        return f"{self.host.url(path)}?Key=planted&amp;Signature=planted-{self.given}".encode()

    def _serve(self, request: Request) -> Reply:
        assert "authorization" not in request.headers
        name = request.path.removeprefix("/planted-path/")
        if name in self.gone or not request.params["Signature"].startswith("planted-"):
            return ok(f"no {request.target}", "text/plain", status=404)
        answer = self.mls.answer("Photo", {"URL": f"photos/{name}"})
        assert answer
        assert isinstance(answer.body, bytes)
        return ok(answer.body, "image/jpeg", headers=[("X-Id", "planted")])


def bad_bundle() -> RawAnswer:
    """Three parts: a picture, an error, a web page under the type of a picture."""
    page = b"<html><body>Busy, ask agent@broker.example</body></html>"
    parts = [
        FRAMING.image_part("1003", BundledPhoto("1", jpeg(31))),
        FRAMING.error_part("1003", "2", 20409, "Object Unavailable."),
        FRAMING.image_part("1003", BundledPhoto("3", page)),
    ]
    return FRAMING.bundle(parts)


def cut_bundle() -> RawAnswer:
    """It ends in the middle of its second picture."""

    def pieces() -> Iterator[bytes]:
        whole = FRAMING.bundle(
            FRAMING.image_part("1003", BundledPhoto(str(number), jpeg(30 + number))) for number in (1, 2, 3)
        )
        yield b"".join(part for part in whole.body if isinstance(part, bytes))[:1300]
        raise CutConnection

    return replace(FRAMING.bundle([]), body=pieces())


def out_of_order() -> RawAnswer:
    """A failure that is answered without any RETS."""
    return RawAnswer(500, "Out of order", (), b"planted")


def small_mls() -> Mls:
    return Mls(
        [
            listing("1001", photo(1), photo(2, caption="Kitchen of Jane Doe"), photo(3)),
            listing("1002", photo(1, 11), day=1),
            listing("1003", photo(1, 31), photo(2, 32), photo(3, 33), day=2),
            listing("1004", day=3),
        ],
        framing=FRAMING,
    )


def live(answers: Answers, agent_password: str | None = None) -> LoopbackServer:
    return LoopbackServer({"live": Site(Account(USER, PASSWORD, agent_password), answers)})


def configure(folder: Path, server: LoopbackServer, form: str) -> Path:
    file = folder / "listing-photos.toml"
    table = f"""
[feeds.live]
kind = "rets"
login_url = "{server.login_url("live")}"
username = "{USER}"
password_env = "MLS_PASSWORD"
class = "ResidentialProperty"
timeout = "5s"
purge_share = 1.0
{form}"""
    file.write_text(table, encoding="utf-8")
    return file


def words(config: Path, out: Path, *more: str) -> list[str]:
    return ["--feed", "live", "--out", str(out), "--config", str(config), *more]


def record(config: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return service(*words(config, out, *more), module="service.record")


def assert_replays(out: Path) -> list[dict[str, Any]]:
    done = service(str(out), "--json", module="service.replay")
    assert done.stdout, done.stderr
    steps: list[dict[str, Any]] = json.loads(done.stdout)["steps"]
    assert done.returncode == 0, [step["differences"] for step in steps]
    return steps


def expected(out: Path, step: str = "01-first-load") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / step / "expected.json").read_text(encoding="utf-8"))
    return document


def shown(out: Path, step: str = "01-first-load") -> dict[str, list[str]]:
    """The photos of every listing."""
    listings = expected(out, step)["listings"]
    return {key: [entry["MediaKey"] for entry in listing["media"]] for key, listing in listings.items()}


ALL_SHOWN = {"1001": ["1", "2", "3"], "1002": ["1"], "1003": ["1"], "1004": []}
"""What comes of the small MLS with the bad bundle."""


def everything_in(folder: Path) -> bytes:
    """Names and bytes of all files."""
    return b"\n".join(
        str(path.relative_to(folder)).encode() + path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
