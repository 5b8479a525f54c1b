"""The opening of a RETS answer: its root's start tag, and whatever stands before it.

Blank lines, a byte order mark, the XML declaration, comments and a DOCTYPE are passed over and
never reach an XML parser, so no answer can define an entity (Q76).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from parsers.errors import LimitExceeded, Malformed, ParseError, Truncated
from parsers.rets.text import declared_encoding, decode, printable, unescape

MAX_OPENING_BYTES = 64 * 1024
"""Known openings are under 1 KB; a DOCTYPE with an internal subset may be longer."""

# XML 1.0 production 22 (prolog), without its grammar inside the DOCTYPE.
_PROLOG = re.compile(
    rb"""\s*+(?:\xef\xbb\xbf)?+(?:
        \s++
        | <\?.*?\?>
        | <!--.*?-->
        | <!DOCTYPE(?:
            [^\[>"']++ | "[^"]*+" | '[^']*+'
            | \[(?: <!--.*?--> | "[^"]*+" | '[^']*+' | [^\]"'] )*+\]
          )*+>
    )*+""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_UNFINISHED_PROLOG = re.compile(rb"<(?:\Z|\?|!)|\xef\xbb?\Z")
_NAME = re.compile(rb"<([A-Za-z_][\w.:-]*+)(?=(.)?)", re.DOTALL)
_REST_OF_TAG = re.compile(rb"""((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE = re.compile(r"""(?<![\w.:-])([\w.:-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)')""")


@dataclass(frozen=True, slots=True)
class Opening:
    """`<RETS ReplyCode="0" ReplyText="ok">`, found at `start`; what it holds begins at `end`.

    `name` is the root's local name as sent, `attributes` have lower-case names (Q78),
    `empty` is true of `<RETS .../>`.
    """

    name: str
    attributes: Mapping[str, str]
    encoding: str
    start: int
    end: int
    empty: bool


def maybe_opening(head: bytes) -> Opening | None:
    """The opening of a RETS answer; None when more bytes are needed. Raises Malformed for anything else."""
    prolog = _PROLOG.match(head)
    start = prolog.end() if prolog else 0
    if start == len(head) or _UNFINISHED_PROLOG.match(head, start):
        return None
    name = _NAME.match(head, start)
    if not name or (name[2] and local_name(name[1]).lower() not in {"rets", "rets-status"}):
        raise Malformed(f"not a RETS answer: it begins with {printable(head[start:], 80)!r}")
    rest = _REST_OF_TAG.match(head, name.end())
    if not rest:
        return None
    encoding = declared_encoding(head[:start])
    attributes = read_attributes(rest[1], encoding)
    return Opening(local_name(name[1]), attributes, encoding, start, rest.end(), empty=rest[1].endswith(b"/"))


def local_name(name: bytes) -> str:
    """An element's name without its prefix."""
    return decode(name).rpartition(":")[2]


def read_attributes(text: bytes, encoding: str = "utf-8") -> dict[str, str]:
    """The attributes of a start tag, names in lower case (Q67, Q78).

    >>> read_attributes(b' Value = "09"/')
    {'value': '09'}
    """
    pairs = _ATTRIBUTE.findall(decode(text, encoding))
    return {name.lower(): unescape(double or single) for name, double, single in pairs}


class OpeningReader:
    """Takes the opening off a stream; what follows it is the parser's own business."""

    def __init__(self) -> None:
        self.opening: Opening | None = None
        self._held = b""
        self._fault: ParseError | None = None

    def receive_data(self, chunk: bytes) -> bytes:
        """The bytes from the root's `<` on, once the opening is there; nothing before, nor after a fault."""
        if self._fault:
            return b""
        self._held += chunk
        # A start tag ends in `>`. To look at every chunk of a dribble would cost its square.
        if b">" in chunk or len(self._held) > MAX_OPENING_BYTES:
            self._look()
        held, self._held = self._held, b"" if self.opening or self._fault else self._held
        if len(self._held) > MAX_OPENING_BYTES:
            raise LimitExceeded(f"no RETS element within {MAX_OPENING_BYTES} bytes")
        return held[self.opening.start :] if self.opening else b""

    def _look(self) -> None:
        try:
            self.opening = maybe_opening(self._held)
        except Malformed as error:
            # Kept for the end: no row is lost by it, and the transport still sees the whole body.
            self._fault = error

    def close(self) -> Opening:
        """The opening. Raises Malformed when the answer is no RETS, Truncated when it ended before."""
        if self.opening is None and not self._fault:
            self._look()
        if self._fault:
            raise self._fault
        if self.opening is None:
            raise Truncated(f"the answer ends before its RETS element: {printable(self._held, 80)!r}")
        return self.opening
