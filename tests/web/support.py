"""A daemon with a status page, as a process, before a small MLS that says hostile things."""

import io
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from PIL import Image as Pillow

from service.simulator import documents
from service.simulator.answers import RawAnswer, text_answer
from service.simulator.front_desk import Account, Site
from service.simulator.mls import Listing, Mls, Photo
from service.simulator.server import LoopbackServer
from tests.acceptance.support import PASSWORD, start, wait_until, write_config
from tests.ingest.support import S3, at, listing, photo

TOKEN = "planted-web-token-0123456789"
HOSTILE = """"><script>document.title='owned'</script><img src=x onerror="document.title='owned'">"""
HOSTILE_KEY = "A/1 <i>&%2F"
DENIED = ("P-1", "P-2", "P-3")


def picture(number: int, width: int = 64, height: int = 48) -> bytes:
    """A picture of a colour of its own, so that a browser can tell it from the others."""
    out = io.BytesIO()
    Pillow.new("RGB", (width, height), (40 * number % 256, 90, 200 - 30 * number % 200)).save(out, "JPEG")
    return out.getvalue()


def house() -> Listing:
    """Five photos; the third is the preferred one, the second says something hostile."""
    captions = ("Front", HOSTILE, "The garden in summer", None, "Küche")
    photos = tuple(
        Photo(str(n), picture(n), at(0), caption, preferred=n == 3)
        for n, caption in enumerate(captions, start=1)
    )
    return Listing("1001", at(0), at(0), photos)


@dataclass
class Denying:
    """An MLS that does not give the photos of some listings, and says so in words of its own."""

    mls: Mls
    denied: set[str] = field(default_factory=lambda: set(DENIED))

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """As the MLS answers, but for these listings' photos."""
        key = params.get("ID", "").partition(":")[0]
        if transaction == "GetObject" and key in self.denied:
            return text_answer(documents.reply(20407, f"Not Authorized {HOSTILE}"))
        return self.mls.answer(transaction, params)


@dataclass
class Running:
    """The daemon, where its page is, and the feed behind it."""

    process: subprocess.Popen[bytes]
    url: str
    feed: str
    answers: Denying
    server: LoopbackServer
    log: Path
    config: Path

    def get(self, path: str, **options: object) -> requests.Response:
        """One answer of the daemon."""
        return requests.get(self.url + path, timeout=30, **options)  # type: ignore[arg-type]

    def metric(self, name: str, **labels: str) -> float | None:
        """A sample of /metrics."""
        said = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
        found = re.search(
            rf"^listing_photos_{re.escape(name + (f'{{{said}}}' if said else ''))} (\S+)$",
            self.get("/metrics").text,
            re.MULTILINE,
        )
        return float(found[1]) if found else None


@contextmanager
def running(s3: S3, folder: Path, name: str) -> Iterator[Running]:
    """A daemon with two feeds: `name`, and `name`-shut, whose password the server does not take."""
    keys = [f"L{number:03}" for number in range(60)]
    listings = [house(), listing(HOSTILE_KEY, photo(1)), *(listing(key, photo(7)) for key in keys)]
    listings += [listing(key, photo(8), photo(9)) for key in DENIED]
    answers = Denying(Mls(listings))
    shut = f"{name}-shut"
    sites = {
        name: Site(Account("reader", PASSWORD), answers),
        shut: Site(Account("reader", "another"), answers),
    }
    (folder / "token").write_text(TOKEN, encoding="utf-8")
    web = f'[web]\nlisten = "127.0.0.1:0"\ntoken_file = "{folder / "token"}"'
    with LoopbackServer(sites) as server:
        urls = {feed: server.login_url(feed) for feed in sites}
        config = write_config(
            folder, urls, s3.url, more=f'grace = "1s"\n{web}', feed='interval = "2s"\nsessions = 2'
        )
        log = folder / "log"
        process = start("run", "-c", str(config), s3=s3, log=log)
        try:
            wait_until(lambda: _events(log, "web.listening"), "the web server", 60)
            address = _events(log, "web.listening")[0]["address"]
            wait_until(lambda: name in [line["feed"] for line in _events(log, "cycle.ended")], "a cycle", 60)
            yield Running(process, f"http://{address}", name, answers, server, log, config)
        finally:
            process.kill()
            process.wait(10)


def _events(log: Path, name: str) -> list[dict[str, object]]:
    whole = [line for line in log.read_text().splitlines(keepends=True) if line.startswith("{")]
    lines = [json.loads(line) for line in whole if line.endswith("}\n")]
    return [line for line in lines if line["event"] == name]
