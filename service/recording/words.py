"""What is left of an answer to GetObject but its pictures: headers by name, URLs as names, clean texts."""

from collections.abc import Callable

from parsers.mime import Headers
from service.recording.links import PhotoLinks, UrlTableNames
from service.recording.scrub import CAPTION_HEADERS, KEPT_HEADERS, Scrubber
from service.rets_config import RetsFields


class ObjectWords:
    """For the answers of one recording. `people`: captions go, too, and what a table says beside its URLs."""

    def __init__(self, scrubber: Scrubber, links: PhotoLinks, fields: RetsFields, *, people: bool) -> None:
        self._scrubber, self._links, self._people = scrubber, links, people
        self._url, self._stamp = fields.photo_url.lower(), fields.photo_stamp.lower()
        self._kept = KEPT_HEADERS - (CAPTION_HEADERS if people else frozenset())

    def head(self, headers: Headers) -> Headers:
        """The headers of an answer, without those of its transfer: the recording's body is plain."""
        return Headers(
            (name, said.decode("utf-8", "surrogateescape"))
            for name, value in headers
            if name.lower() != "content-length"
            and (said := self._in_head(name.lower(), value.encode("utf-8", "surrogateescape"))) is not None
        )

    def _in_head(self, name: str, value: bytes) -> bytes | None:
        # A boundary may look like an address, and must stay what it is in the body.
        return value if name == "content-type" else self.header(name, value)

    def header(self, name: str, value: bytes) -> bytes | None:
        """The value of a header, its name in lower case; None where it goes."""
        if self.is_link(name, value):
            before, said = self._parted(name, value)
            url = said.decode("utf-8", "surrogateescape").replace("&amp;", "&")  # once: Q42
            return before + self._links.name(url).encode("utf-8", "surrogateescape")
        if name in self._kept or (name == "objectdata" and self._key(value) == self._stamp):
            return self._scrubber.clean(value)
        return None

    def is_link(self, name: str, value: bytes) -> bool:
        """Whether a header says where a picture is: Location (Q25), or a pair in ObjectData (Q105)."""
        named = name == "location" or (name == "objectdata" and self._key(value) == self._url)
        return named and bool(self._parted(name, value)[1])

    def _key(self, pair: bytes) -> str:
        return pair.partition(b"=")[0].decode("latin-1").strip().lower()

    def _parted(self, name: str, value: bytes) -> tuple[bytes, bytes]:
        """What stands before the URL, and the URL."""
        key, equals, said = (b"", b"", value) if name == "location" else value.partition(b"=")
        return key + equals, said.strip()

    def text(self, text: bytes) -> bytes:
        """A line of a text, or some lines."""
        return self._scrubber.clean(text)

    def document(self) -> Callable[[bytes], bytes]:
        """For one answer that is one text, maybe a table of URLs, in pieces that `DocumentLens` cuts."""
        table = UrlTableNames(self._links, people=self._people)
        return lambda piece: self._scrubber.clean(table.clean(piece))
