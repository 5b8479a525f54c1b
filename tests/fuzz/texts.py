"""Text as feeds encode it: each piece as sent and as meant (Q72-Q75)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st

Piece = tuple[str, str]
"""As sent and as meant."""

_AS_SENT = [
    *["7", "x", "Main St", "12 Elm", "it's", '"', " ", "]]>", "Qu\u00e9bec", "\u201cold\u201d.", "2 \u20ac."],
    *["R&D", "& ", "&nbsp;", "3 < 5", "a<=b", ">"],  # Q73
]
_REFERENCES = [
    *[("&amp;", "&"), ("&lt;b&gt;", "<b>"), ("&quot;", '"'), ("&#233;", "\u00e9"), ("&#xE9;", "\u00e9")],
    *[("&amp;#233;", "&#233;"), ("&amp;amp;", "&amp;")],  # Q74
    *[("&#55357;&#56832;", "\U0001f600"), ("&#xD83D;&#xde00;", "\U0001f600"), ("&#56832;", "")],  # Q72
]
_CONTROLS = [("\x0b", ""), ("\0", ""), ("&#x10;", ""), ("&#0;", "")]  # Q72

PIECES: list[Piece] = [*[(text, text) for text in _AS_SENT], *_REFERENCES, *_CONTROLS]

COMPACT_PIECES: list[Piece] = [*PIECES, ("<b>bold</b>", "<b>bold</b>"), ("line\r\nbreak", "line\r\nbreak")]

XML_PIECES: list[Piece] = [
    *PIECES,
    ("line\r\nbreak", "line\nbreak"),
    ("<![CDATA[a & b < c &amp;]]>", "a & b < c &amp;"),
    ("<!-- & -->", ""),
    ("<?pi x?>", ""),
]

ATTRIBUTE_PIECES = [piece for piece in PIECES if not {*piece[0]} & {'"', "<", "]"}]

Codec = Literal["utf-8", "cp1252", "mixed"]


@dataclass(frozen=True)
class Encoding:
    """What the bytes are, and how the XML declaration names it: "" for none."""

    codec: Codec
    declared: str

    @property
    def declaration(self) -> str:
        return f'<?xml version="1.0" encoding="{self.declared}"?>\r\n' if self.declared else ""


# Servers that say nothing, or something wrong, mean UTF-8 or windows-1252 by the look of the bytes.
encodings = st.sampled_from(
    [Encoding("utf-8", name) for name in ("", "", "utf-8", "utf-16", "no-such")]
    + [Encoding("cp1252", name) for name in ("", "utf-8", "ISO-8859-1", "windows-1252")]
    + [Encoding("mixed", name) for name in ("", "UTF-8")]
)


@dataclass(frozen=True)
class Text:
    """Bytes as sent, and what they mean."""

    sent: bytes
    meant: str


def texts(pieces: Sequence[Piece], encoding: Encoding, *, most: int = 3) -> st.SearchStrategy[Text]:
    """Up to so many pieces, one behind the other."""
    return st.lists(st.sampled_from(pieces), max_size=most).flatmap(_encoded_by(encoding))


def _encoded_by(encoding: Encoding) -> Callable[[list[Piece]], st.SearchStrategy[Text]]:
    codecs = ["utf-8", "cp1252"] if encoding.codec == "mixed" else [encoding.codec]

    def encoded(pieces: list[Piece]) -> st.SearchStrategy[Text]:
        meant = "".join(meaning for _, meaning in pieces)
        every = [st.sampled_from([sent.encode(codec) for codec in codecs]) for sent, _ in pieces]
        return st.tuples(*every).map(lambda parts: Text(b"".join(parts), meant))

    return encoded


def plain(text: str) -> Text:
    """ASCII, sent as it is meant."""
    return Text(text.encode(), text)
