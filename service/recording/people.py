"""Search answers without what they say about people and places: what is not needed is blanked.

Kept are the values of the feed's four configured fields, whatever makes the frame of an answer
(reply, counts, pages), and of a photo its SequenceID and its times. Every other text, attribute and
column is blank afterwards, whatever its name: a list of names that tell of people is never whole.
"""

import re
from contextlib import suppress
from html import escape

from parsers.errors import Malformed
from parsers.rets.opening import local_name, read_attributes
from parsers.rets.standard_record import PHOTOS
from parsers.rets.table import Table
from service.rets_config import RetsFields

PHOTO_ELEMENTS = frozenset({"sequenceid", "photolastupdated", "lastupdated"})

FRAME_ELEMENTS = frozenset({"totalrecords", "limit", "offset", "totalpages", "recordsreturned"})

FRAME_ATTRIBUTES = frozenset({"replycode", "replytext", "records"})

CREA_LISTING = "propertydetails"
CREA_ATTRIBUTES = frozenset({"id", "lastupdated"})
"""A listing's key and time. CREA's agents and offices have them, too, and theirs are blanked."""

_TABLE = rb"<data\b[^>]*+>(?P<row>.*?)</data\s*+>|<columns\b[^>]*+>(?P<columns>.*?)</columns\s*+>|"
_MARKUP = rb"""<!\[CDATA\[(?P<cdata>.*?)\]\]>|(?P<comment><!--.*?-->)
    |(?P<tag></?[a-z_](?:[^<>"']++|"[^"]*+"|'[^']*+')*+>)|(?P<other><[?!][^>]*+>)|(?P<text>[^<]++)|<"""
_FLAGS = re.DOTALL | re.IGNORECASE | re.VERBOSE
_IN_XML = re.compile(_MARKUP, _FLAGS)
_IN_COMPACT = re.compile(_TABLE + _MARKUP, _FLAGS)

_NAME = re.compile(rb"<(/?)([^\s/>]++)")
_ATTRIBUTE = re.compile(rb"""(\s)([\w.:-]++)(\s*+=\s*+)("[^"]*+"|'[^']*+')""")


class PeopleBlanker:
    """Blanks one Search answer, in pieces that `DocumentLens` cuts."""

    def __init__(self, fields: RetsFields, *, compact: bool) -> None:
        names = (fields.listing, fields.photos_changed, fields.photos_count, fields.modified)
        self._fields = {name.lower() for name in names if name}
        self._elements = self._fields | PHOTO_ELEMENTS | FRAME_ELEMENTS
        self._tokens = _IN_COMPACT if compact else _IN_XML
        self._element = ""
        self._of_crea = False
        self._table = Table(None, "latin-1", keyed=False)  # latin-1: every byte comes back as it was
        self._delimiter = "\t"
        self._heading = ""

    def clean(self, piece: bytes) -> bytes:
        """The piece, blanked."""
        return self._tokens.sub(self._blank, piece)

    def _blank(self, match: re.Match[bytes]) -> bytes:
        kind, text = match.lastgroup, match[0]
        if kind == "tag":
            return self._tag(text)
        if kind in {"text", "cdata"}:
            return self._text(text, match[kind])
        if kind == "row":
            start, end = match.span("row")
            return text[: start - match.start()] + self._row(match["row"]) + text[end - match.start() :]
        if kind == "columns":
            self._heading = match["columns"].decode("latin-1").strip("\r\n")
            self._table.set_columns(match["columns"])
        return text if kind in {"columns", "other"} else b""

    def _text(self, text: bytes, says: bytes) -> bytes:
        if not says.strip() or self._element in self._elements:
            return text
        # An element of photos that says something is no empty list: <Photos>25</Photos>.
        return b"0" if self._element in PHOTOS else b""

    def _tag(self, tag: bytes) -> bytes:
        name = _NAME.match(tag)
        is_end = name is None or bool(name[1])
        self._element = "" if name is None or is_end else local_name(name[2]).lower()
        self._of_crea |= self._element == CREA_LISTING
        if self._element == "delimiter":
            with suppress(Malformed, ValueError):  # whoever reads the answer complains about it
                self._set_delimiter(read_attributes(tag).get("value", "09"))
        return tag if is_end else _ATTRIBUTE.sub(self._attribute, tag)

    def _attribute(self, match: re.Match[bytes]) -> bytes:
        name = match[2].decode("latin-1").lower()
        return match[0] if self._keeps(name) else match[1] + match[2] + match[3] + b'""'

    def _keeps(self, attribute: str) -> bool:
        if self._of_crea and attribute in CREA_ATTRIBUTES:
            return self._element == CREA_LISTING
        named = attribute in self._fields | FRAME_ATTRIBUTES or attribute.startswith("xmlns")
        return named or (attribute == "value" and self._element == "delimiter")

    def _set_delimiter(self, value: str) -> None:
        self._table.set_delimiter(value)
        self._delimiter = chr(int(value, 16))

    def _row(self, row: bytes) -> bytes:
        """The row with its kept cells; of one that cannot be understood only the delimiters."""
        mark = self._delimiter
        try:
            named = zip(self._table.columns, self._table.read(row), strict=True)
        except Malformed:
            return mark.encode("latin-1") * row.count(mark.encode("latin-1"))
        cells = (
            escape(cell or "", quote=False) if column.lower() in self._fields else ""
            for column, cell in named
        )
        front, back = (
            mark if edge else "" for edge in (self._heading.startswith(mark), self._heading.endswith(mark))
        )
        return f"{front}{mark.join(cells)}{back}".encode("latin-1", "xmlcharrefreplace")
