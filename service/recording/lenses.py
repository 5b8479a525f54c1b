"""The bodies of answers on their way through: texts are cleaned, pictures pass byte for byte.

A lens holds back what cannot be judged yet: a line, an element, the few bytes that may be a
delimiter. Framing is left as it came, since a server's way to frame is what a recording is for.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from parsers.image import SNIFF_BYTES, sniff_media_type
from parsers.mime import Headers, boundaries, parse_content_type
from parsers.multipart import sniff_boundary
from service.recording.scrub import SCRUBBED
from service.recording.words import ObjectWords

MAX_HELD = 2**20
"""Bytes held back for a line or an element to end; the parsers bear no longer rows either."""

OPENING = 1024
"""Bytes in which the first line of a bundle ends, which may name its boundary (Q4)."""


class BodyLens(Protocol):
    """Body in, clean body out."""

    def receive_data(self, chunk: bytes) -> bytes:
        """What can be told by now."""

    def close(self) -> bytes:
        """The rest; again it is b""."""


class NoWords:
    """A body that nobody reads, and that may repeat what was sent: nothing of it is kept."""

    def receive_data(self, chunk: bytes) -> bytes:  # noqa: ARG002 - whatever it is
        """Nothing."""
        return b""

    def close(self) -> bytes:
        """Nothing."""
        return b""


# What is looked at as a whole, since it may hold a `<` that begins no element.
_SPANS = ((b"<data", b"</data"), (b"<columns", b"</columns"), (b"<![cdata[", b"]]>"), (b"<!--", b"-->"))


class DocumentLens:
    """A Search answer, handed to `clean` in pieces that end before a `<`."""

    def __init__(self, clean: Callable[[bytes], bytes]) -> None:
        self._clean = clean
        self._held = b""

    def receive_data(self, chunk: bytes) -> bytes:
        """The elements that are whole by now."""
        self._held += chunk
        return self._take(_settled(self._held) if len(self._held) < MAX_HELD else len(self._held))

    def close(self) -> bytes:
        """The rest; again it is b""."""
        return self._take(len(self._held))

    def _take(self, size: int) -> bytes:
        piece, self._held = self._held[:size], self._held[size:]
        return self._clean(piece) if piece else b""


def _settled(text: bytes) -> int:
    """Where the last `<` stands that is not inside a span."""
    lower = text.lower()
    end = max(lower.rfind(b"<"), 0)
    for opening, closing in _SPANS:
        at = lower.rfind(opening, 0, end)
        if at >= 0 and lower.find(closing, at, end) < 0:
            end = at
    return end


# RFC 9110 5.6.2: a field name is a token. A line that begins otherwise continues the one before (Q11).
_HEADER_LINE = re.compile(rb"([!#$%&'*+\-.^`|~\w]+)([ \t]*:[ \t]*)(.*?)(\r?\n?)\Z", re.DOTALL)


class ObjectLens:
    """A GetObject answer: a bundle, a picture, or a text, which may be a table of URLs."""

    def __init__(self, headers: Headers, words: ObjectWords) -> None:
        self._type = parse_content_type(headers.get("Content-Type"))
        self._words = words
        self._document = DocumentLens(words.document())
        self._state: Literal["opening", "begin", "picture", "head", "text", "document"] = "opening"
        self._delimiter: re.Pattern[bytes] | None = None
        self._reach = 0  # bytes at a chunk's end that may be the beginning of a delimiter
        self._encoded = (headers.get("Content-Transfer-Encoding") or "").strip().lower() == "base64"
        self._continued: Literal["kept", "scrubbed", "gone"] = "kept"  # what goes on with the header before
        self._held = b""

    def receive_data(self, chunk: bytes) -> bytes:
        """What can be told by now."""
        self._held += chunk
        return b"".join(self._pieces(ended=False))

    def close(self) -> bytes:
        """The rest; again it is b""."""
        return b"".join(self._pieces(ended=True)) + self._document.close()

    def _pieces(self, *, ended: bool) -> Iterator[bytes]:
        while self._held and (piece := self._next(ended=ended)) is not None:
            yield piece

    def _next(self, *, ended: bool) -> bytes | None:
        """The next piece, b"" where only the state has changed; None when more must come first."""
        if self._state == "opening":
            return self._open(ended=ended)
        if self._state == "begin":
            return self._begin(ended=ended)
        if self._state == "document":
            return self._document.receive_data(self._take(len(self._held)))
        return self._read_picture(ended=ended) if self._state == "picture" else self._read_line(ended=ended)

    def _open(self, *, ended: bool) -> bytes | None:
        """The whole body begins: as a bundle, or as the one object that it is."""
        if not (ended or b"\n" in self._held.lstrip() or len(self._held) >= OPENING):
            return None
        is_text = self._held.lstrip().startswith(b"<")  # Q27: under any type
        if not is_text and not self._type.media_type.startswith(("image/", "text/")):
            self._look_for({*boundaries(self._type), sniff_boundary(self._held) or b""} - {b""})
        self._state = "text" if self._delimiter else "begin"
        return b""

    def _look_for(self, names: set[bytes]) -> None:
        # A server may count the leading hyphens into the boundary that it declares.
        forms = {b"--" + name for name in names} | {name for name in names if name.startswith(b"--")}
        if forms:
            texts = b"|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
            self._delimiter = re.compile(rb"\n(?:%b)(?=--|[ \t]|\r?\n)" % texts)
            self._reach = max(map(len, forms)) + len(b"\n\r\n")

    def _begin(self, *, ended: bool) -> bytes | None:
        """A body begins, or is empty. Magic bytes tell a picture, whatever its type says (Q26)."""
        if len(self._held) < max(SNIFF_BYTES, self._reach) and not ended:
            return None
        is_picture = (self._encoded or sniff_media_type(self._held)) and not self._is_delimiter(self._held)
        words: Literal["text", "document"] = "text" if self._delimiter else "document"
        self._state = "picture" if is_picture else words
        return b""

    def _read_picture(self, *, ended: bool) -> bytes | None:
        size = len(self._held)
        found = self._delimiter.search(self._held) if self._delimiter else None
        if found:
            self._state, size = "text", found.start() + 1
        elif self._delimiter and not ended:
            size -= self._reach
        return self._take(size) if size > 0 else None

    def _read_line(self, *, ended: bool) -> bytes | None:
        size = self._held.find(b"\n") + 1
        if not size and not ended and len(self._held) < MAX_HELD:
            return None
        return self._clean_line(self._take(size or len(self._held)))

    def _take(self, size: int) -> bytes:
        piece, self._held = self._held[:size], self._held[size:]
        return piece

    def _clean_line(self, line: bytes) -> bytes:
        if self._is_delimiter(line):
            self._state, self._encoded, self._continued = "head", False, "kept"
            return line
        if self._state == "text":
            return self._words.text(line)
        if not line.strip(b"\r\n"):
            self._state = "begin"
            return line
        if line.startswith(b"<"):  # Q10: an error's XML in the place of a header
            return self._words.text(line)
        match = _HEADER_LINE.match(line)
        return self._clean_header(match) if match else self._clean_continuation(line)

    def _is_delimiter(self, line: bytes) -> bool:
        return self._delimiter is not None and self._delimiter.match(b"\n" + line) is not None

    def _clean_header(self, match: re.Match[bytes]) -> bytes:
        name, value, end = match[1].decode().lower(), match[3], match[4]
        if name == "content-transfer-encoding":
            self._encoded = value.strip().lower() == b"base64"
        said = self._words.header(name, value)
        self._continued = "scrubbed" if said is None else "kept"
        if self._words.is_link(name, value):
            self._continued = "gone"  # the rest of a URL, of which nothing is kept
        return match[1] + match[2] + (SCRUBBED.encode() if said is None else said) + end

    def _clean_continuation(self, line: bytes) -> bytes:
        if self._continued == "kept":
            return self._words.text(line)
        end = line[len(line.rstrip(b"\r\n")) :]
        return SCRUBBED.encode() + end if self._continued == "scrubbed" else b""
