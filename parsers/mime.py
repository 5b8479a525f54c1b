"""Header lines and Content-Type values, as real RETS servers break them.

Nothing here raises for a bad header: a line that cannot be read is kept as text of the header
before it, or dropped. Only a base64 body can fail, since its bytes would be wrong.
"""

import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from parsers.errors import Malformed, Truncated

# A field name is a token of RFC 9110 5.6.2; blanks before the colon are illegal but seen. Lines
# that do not begin so belong to the header before them: folded ones (RFC 5322 2.2.3) and text over
# several lines (Q11, Q14).
_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_HEADER = re.compile(rf"^({_NAME})[ \t]*:(.*(?:\n(?!{_NAME}[ \t]*:).*)*)", re.MULTILINE)
_BLANK = " \t\r\n"

# RFC 2045 5.1: `;` attribute `=` (token | quoted-string). Unquoted values may hold `=` and blanks
# in practice; they end at `;`, or at `,` where two equal header lines were folded into one. A
# quote that is never closed ends with the value.
_PARAMETER = re.compile(r';\s*([^\s=;,"]+)\s*=\s*(?:"((?:[^"\\]|\\.?)*)"?|([^;,]*))', re.DOTALL)


class Headers:
    """An immutable multi-map of header lines; names are compared without case (Q13).

    The repr shows names only: a value may be a cookie.
    """

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)
        self._first = {name.lower(): value for name, value in reversed(self._pairs)}

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value under the name."""
        return self._first.get(name.lower(), default)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Every value under the name, in the order sent."""
        wanted = name.lower()
        return tuple(value for name, value in self._pairs if name.lower() == wanted)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __eq__(self, other: object) -> bool:
        return self._pairs == other._pairs if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"Headers({', '.join(name for name, _ in self._pairs)})"


def parse_header_block(block: bytes) -> Headers:
    r"""The header lines of one part, ended by CRLF or LF each (Q8), without the blank line.

    Lines that continue a header are joined to it by one blank. A line with an empty name is
    dropped (Q14).

    >>> parse_header_block(b"Content-ID:311602\r\nObject-ID: 1\r\n").get("content-id")
    '311602'
    """
    try:  # captions come as UTF-8 or as Latin-1, and no header says which
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        text = block.decode("latin-1")
    return Headers([(name, _unfold(value)) for name, value in _HEADER.findall(text)])


def _unfold(value: str) -> str:
    if "\n" not in value:
        return value.strip(_BLANK)
    lines = (line.strip(_BLANK) for line in value.split("\n"))
    return " ".join(line for line in lines if line and not line.startswith(":"))


@dataclass(frozen=True, slots=True)
class ContentType:
    """`media_type` in lower case, "" where none was said; `params` under lower-case names."""

    media_type: str = ""
    params: Mapping[str, str] = field(default_factory=dict)


def parse_content_type(value: str | None) -> ContentType:
    """Read by the grammar of RFC 2045 5.1 (Q1, Q2). Of a repeated parameter the first counts.

    >>> parse_content_type('Multipart/Parallel;boundary="a b"; charset=utf-8').params["boundary"]
    'a b'
    """
    if not value:
        return ContentType()
    media_type = re.split(r"[;,\s]", value.strip(), maxsplit=1)[0].lower()
    params: dict[str, str] = {}
    for match in _PARAMETER.finditer(value):
        quoted = match[2]
        said = match[3].strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        params.setdefault(match[1].lower(), said)
    return ContentType(media_type, params)


def boundaries(content_type: ContentType) -> tuple[bytes, ...]:
    """Boundaries to try, likeliest first: as said, then without single quotes around it (Q3)."""
    # RFC 2046 5.1.1: a boundary does not end in a blank; one that does was padded.
    said = content_type.params.get("boundary", "").rstrip()
    forms = [said]
    if said[:1] == said[-1:] == "'":
        forms.append(said[1:-1])
    return tuple(form.encode("latin-1", "replace") for form in forms if form)


def decode_body(transfer_encoding: str, chunks: Iterator[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """A part's body without its Content-Transfer-Encoding (Q19), chunk by chunk.

    Only base64 changes anything: binary, 8bit, 7bit and names that nobody knows are the bytes
    themselves. Raises Malformed on illegal base64, Truncated where it ends inside a group.
    """
    return _decode_base64(chunks) if transfer_encoding.strip().lower() == "base64" else chunks


def _decode_base64(chunks: Iterator[bytes | memoryview]) -> Iterator[bytes]:
    text = b""
    for chunk in chunks:
        text += bytes(chunk).translate(None, b"\r\n\t ")
        groups = max(len(text) - 1, 0) // 4 * 4  # the last group, alone, may end in padding
        if b"=" in text[:groups]:
            raise Malformed("base64 body goes on behind its padding")
        if groups:
            yield _decode_groups(text[:groups])
            text = text[groups:]
    if len(text) % 4:
        raise Truncated(f"base64 body ends {len(text)} characters into a group of four")
    if text:
        yield _decode_groups(text)


def _decode_groups(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise Malformed(f"base64 body: {error}") from error
