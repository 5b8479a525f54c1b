"""GetObject answers: single objects, and bundles framed in the ways of real servers.

What differs between servers is a field of `Framing`; what a part says is an argument.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.simulator import documents
from service.simulator.answers import RawAnswer


@dataclass(frozen=True, slots=True)
class Framing:
    """How a server writes multipart bundles.

    `content_type` holds `{boundary}` in the server's own quoting and parameters (Q1, Q2); `preamble`
    stands before the first delimiter (Q6); `colon` parts name and value (Q12); `lower_names` spells
    header names in lower case (Q13); `caption_name` and `no_caption` are the header of a caption and
    what it says when there is none (Q53). A bundle that is not `chunked` ends with its connection
    when its length is not known.
    """

    boundary: str = "part.of.this.answer"
    content_type: str = 'multipart/parallel; boundary="{boundary}"'
    preamble: bytes = b""
    colon: str = ": "
    lower_names: bool = False
    caption_name: str = "Content-Description"
    no_caption: str | None = None
    chunked: bool = True

    def bundle(self, parts: Iterable[bytes]) -> RawAnswer:
        """The answer that holds these parts, written one by one as they come."""
        head = [
            ("MIME-Version", "1.0"),
            ("Content-Type", self.content_type.format(boundary=self.boundary)),
            ("RETS-Version", "RETS/1.7.2"),
        ]
        if self.chunked:
            head.append(("Transfer-Encoding", "chunked"))
        return RawAnswer(200, "OK", tuple(head), self._body(parts))

    def part(self, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
        """One part: its header lines, an empty line, its body."""
        return b"%b\r\n\r\n%b" % (self._lines(headers), body)

    def image_part(self, listing: str, photo: "BundledPhoto") -> bytes:
        """A photo with its ids."""
        return self.part([("Content-Type", photo.media_type), *self._about(listing, photo)], photo.picture)

    def url_part(self, listing: str, photo: "BundledPhoto", url: str, *object_data: str) -> bytes:
        """A part that says where the picture is: a success without bytes (Q25, Q105).

        `url` goes into Location, "" leaves that out; `object_data` are pairs `Name=value`.
        """
        headers = [("Content-Type", "text/xml"), *self._about(listing, photo)]
        headers += [("Location", url)] if url else []
        headers += [("ObjectData", pair) for pair in object_data]
        return self.part(headers, documents.reply(0, "Operation successful"))

    def error_part(self, listing: str, object_id: str, code: int, text: str) -> bytes:
        """A part that says in RETS XML why there is no picture (Q24)."""
        return self.part(_error_headers(listing, object_id), documents.reply(code, text))

    def error_part_in_head(self, listing: str, object_id: str, code: int, text: str) -> bytes:
        """CREA's error part: the XML where the last header line should be, and no body (Q10)."""
        return b"%b\r\n%b" % (
            self._lines(_error_headers(listing, object_id)),
            documents.reply(code, text),
        )

    def _body(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        delimiter = f"--{self.boundary}".encode()
        yield self.preamble + delimiter
        for part in parts:
            yield b"\r\n%b\r\n%b" % (part, delimiter)
        yield b"--\r\n"

    def _about(self, listing: str, photo: "BundledPhoto") -> Iterator[tuple[str, str]]:
        yield "Content-ID", listing
        yield "Object-ID", photo.object_id
        caption = photo.caption or self.no_caption
        if caption:
            yield self.caption_name, caption
        if photo.preferred:
            yield "Preferred", "1"

    def _lines(self, headers: Iterable[tuple[str, str]]) -> bytes:
        lines = (
            f"{name.lower() if self.lower_names else name}{self.colon}{value}" for name, value in headers
        )
        return "\r\n".join(lines).encode()


@dataclass(frozen=True, slots=True)
class BundledPhoto:
    """A photo as an answer holds it."""

    object_id: str
    picture: bytes
    media_type: str = "image/jpeg"
    caption: str | None = None
    preferred: bool = False


def single(listing: str, photo: BundledPhoto) -> RawAnswer:
    """One object as the whole answer: the response's own headers describe it."""
    head = [
        ("MIME-Version", "1.0"),
        ("Content-Type", photo.media_type),
        ("Content-ID", _header_text(listing)),
        ("Object-ID", photo.object_id),
        ("RETS-Version", "RETS/1.7.2"),
    ]
    if photo.caption:
        head.append(("Content-Description", _header_text(photo.caption)))
    if photo.preferred:
        head.append(("Preferred", "1"))
    return RawAnswer(200, "OK", tuple(head), photo.picture)


def _error_headers(listing: str, object_id: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", "text/xml"), ("Content-ID", listing), ("Object-ID", object_id))


def _header_text(text: str) -> str:
    """UTF-8 as the wire's latin-1 characters, one per byte."""
    return text.encode().decode("latin-1")
