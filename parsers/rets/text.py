"""Cleaning and decoding of XML-like text before a parser sees it (Q72-Q76).

Every repair is one that cannot change what a well-formed answer says, and none depends on where
the chunks of a stream happen to end.
"""

import codecs
import re

_FALLBACK = "windows-1252 for single bytes"


def _read_as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    # Mixed answers are common (a UTF-8 frame around rows from an old database), so only the bytes
    # that fail are read differently, not all that follow.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_FALLBACK, _read_as_windows_1252)

# XML 1.0 section 2.2: no control characters but tab, LF and CR; neither U+FFFE nor U+FFFF.
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_DECLARED = re.compile(rb"""<\?xml[^<>]*?\bencoding\s*=\s*["']([\w.:-]+)["']""")

# A run of character references is taken as one, since a surrogate pair is two of them (Q72).
# Leading zeros are legal; more digits than these are no reference.
_NUMBER = r"#(?:[0-9]{1,7}|[xX][0-9A-Fa-f]{1,6});"
_NUMBERS = rf"({_NUMBER}(?:&{_NUMBER})*+)"
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_NAMES = "|".join(_NAMED)
_REFERENCE = re.compile(rf"&(?:{_NUMBERS}|({_NAMES});)")
_TO_MEND = re.compile(rf"&(?!(?:{_NAMES});){_NUMBERS}?+")

# No name begins with these: a `<` before one of them is text (Q73). At the end of what is settled one
# of `<`, `&` and `]` follows, since only those are held back.
_BARE = re.compile(r"<(?=[\s0-9=<&\]]|\Z)")

# What may turn into something else once more has come: a high surrogate and whatever of its partner
# is here, the start of a reference, a `<`, the start of `<![CDATA[` or of `]]>`.
_HIGH = (
    r"&#(?:0{0,2}5(?:529[6-9]|5[3-9][0-9]{2}|6[0-2][0-9]{2}|63[01][0-9])"
    r"|[xX]0{0,2}[dD][89abAB][0-9A-Fa-f]{2});"
)
_UNSETTLED = re.compile(
    rf"(?:{_HIGH}(?:&[#0-9A-Za-z]{{0,9}})?|&[#0-9A-Za-z]{{0,9}}|<(?:!\[?[CDAT]{{0,5}})?|\]{{1,2}})\Z"
)
_LONGEST_UNSETTLED = 24

_CDATA, _CDATA_END = "<![CDATA[", "]]>"


def declared_encoding(prolog: bytes) -> str:
    """The codec to try first: the declared one where it is a single-byte one, else UTF-8.

    UTF-16 is declared by servers that send UTF-8 all the same; ISO-8859-1 means windows-1252.
    """
    match = _DECLARED.search(prolog)
    try:
        name = codecs.lookup(match[1].decode("ascii")).name if match else "utf-8"
    except (LookupError, UnicodeDecodeError):
        return "utf-8"
    if name == "iso8859-1":
        return "cp1252"
    return name if name.startswith(("iso8859-", "cp125")) else "utf-8"


def decode(raw: bytes, encoding: str = "utf-8") -> str:
    """Text of whole bytes: in `encoding`, bytes that fail there in windows-1252 (Q75)."""
    return raw.decode(encoding, _FALLBACK)


def unescape(text: str) -> str:
    r"""References resolved once (Q74), surrogate pairs joined, illegal characters dropped (Q72).

    A bare `&` and an unknown entity stay as they are: no entity is ever defined by an answer.

    >>> unescape("Smith &amp; Sons &#55357;&#56832; &amp;#233; R&D &nbsp;")
    'Smith & Sons \U0001f600 &#233; R&D &nbsp;'
    """
    return _REFERENCE.sub(_resolve, text) if "&" in text else text


def drop_controls(text: str) -> str:
    """Without the characters that XML forbids (Q72)."""
    return text if text.isprintable() else _ILLEGAL.sub("", text)


def printable(head: bytes, limit: int = 200) -> str:
    """The start of anything as one short line for a log."""
    text = " ".join(decode(head[: 4 * limit]).split())[:limit]
    return "".join(char if char.isprintable() else "." for char in text)


class Decoder:
    """Bytes to text, chunk by chunk, without the characters that XML forbids (Q72, Q75)."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(_FALLBACK)

    def receive_data(self, chunk: bytes) -> str:
        """The text that this chunk completes."""
        text = self._decoder.decode(chunk.translate(None, _CONTROLS))
        return text.replace("\ufffe", "").replace("\uffff", "")


class Repair:
    """Text to text that an XML parser takes: bare `&`, `<` and `]]>`, bad references (Q72, Q73).

    CDATA sections pass as they are.
    """

    def __init__(self) -> None:
        self._held = ""
        self._in_cdata = False

    def receive_data(self, chunk: str) -> str:
        """The text that is settled; up to 24 characters are held back at a chunk's end."""
        text = self._held + chunk
        pieces: list[str] = []
        pos = 0
        while True:
            mark = _CDATA_END if self._in_cdata else _CDATA
            found = text.find(mark, pos)
            end = found if found >= 0 else self._settled(text, pos)
            pieces.append(text[pos:end] if self._in_cdata else _repair(text[pos:end]))
            if found < 0:
                self._held = text[end:]
                return "".join(pieces)
            pieces.append(mark)
            pos = found + len(mark)
            self._in_cdata = not self._in_cdata

    def _settled(self, text: str, start: int) -> int:
        if self._in_cdata:
            return max(start, len(text) - len(_CDATA_END) + 1)
        match = _UNSETTLED.search(text, max(start, len(text) - _LONGEST_UNSETTLED))
        return match.start() if match else len(text)


def _repair(text: str) -> str:
    if "&" in text:
        text = _TO_MEND.sub(_mend, text)
    return _BARE.sub("&lt;", text.replace("]]>", "]]&gt;"))


def _mend(match: re.Match[str]) -> str:
    if not match[1]:
        return "&amp;"
    return _characters(match[1]).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _resolve(match: re.Match[str]) -> str:
    return _characters(match[1]) if match[1] else _NAMED[match[2]]


def _characters(references: str) -> str:
    r"""The text of a run of character references.

    >>> _characters("#55357;&#56832;&#x10;&#65;&#xD800;")
    '\U0001f600A'
    """
    numbers = (number.lstrip("&#").lower() for number in references.split(";")[:-1])
    codes = (int(number[1:], 16) if number[0] == "x" else int(number) for number in numbers)
    units = "".join(chr(code) for code in codes if code <= 0x10FFFF)
    joined = units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _ILLEGAL.sub("", joined)
