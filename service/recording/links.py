"""URLs of pictures in answers to GetObject: names stand for them, in the recording and for whoever reads.

A URL may be signed in any of its parts, so nothing of it is kept. Its name is made of a digest: the
same URL has the same name in every step, and a new URL is seen to be new. What the account knows as
secret is taken out before, or the digest would be something to try passwords on.
"""

import re
from contextlib import suppress
from hashlib import sha256
from html import escape
from urllib.parse import urljoin, urlsplit

from parsers.errors import Malformed
from parsers.rets.objects import TABLE_COLUMNS, URL_COLUMNS
from parsers.rets.opening import read_attributes
from parsers.rets.table import Table
from service.recording.scrub import Scrubber
from service.simulator.photo_host import PHOTOS

NAME_DIGITS = 16
"""Of the digest: enough for more URLs than a recording can hold."""


class PhotoLinks:
    """The URLs of one recording. `base` is where the answer comes from that is being read."""

    def __init__(self, scrubber: Scrubber) -> None:
        self.base = ""
        self._scrubber = scrubber
        self._urls: dict[str, str] = {}

    def name(self, said: str) -> str:
        """The name of a URL, as an answer says it; what is no HTTP URL is told as it is, but clean."""
        try:
            url = urlsplit(urljoin(self.base, said))
        except ValueError:
            return self._scrubber.clean_words(said)
        if url.scheme not in {"http", "https"}:
            return self._scrubber.clean_words(said)
        known = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
        digest = sha256(self._scrubber.without_known(known.encode("utf-8", "surrogatepass"))).hexdigest()
        self._urls[digest[:NAME_DIGITS]] = url.geturl()
        return PHOTOS + digest[:NAME_DIGITS]

    def meant_by(self, url: str) -> tuple[str, str] | None:
        """The name in a URL that was made of one, and the URL that it stands for."""
        digits = url.rpartition("/")[2]
        return (PHOTOS + digits, self._urls[digits]) if digits in self._urls else None


_TABLE = re.compile(
    rb"<data\b[^>]*+>(?P<row>.*?)</data\s*+>|<columns\b[^>]*+>(?P<columns>.*?)</columns\s*+>"
    rb"|(?P<delimiter><delimiter\b[^>]*+>)",
    re.DOTALL | re.IGNORECASE,
)


_URLS = frozenset(name.lower() for name in URL_COLUMNS)
_NEEDED = frozenset(name.lower() for name in TABLE_COLUMNS)


class UrlTableNames:
    """Puts names into one table of URLs, in pieces that `DocumentLens` cuts; all else is left as it is.

    `people`: columns that nobody reads are blanked, too.
    """

    def __init__(self, links: PhotoLinks, *, people: bool) -> None:
        self._links, self._people = links, people
        self._table = Table(None, "utf-8", keyed=False)
        self._mark, self._front = b"\t", False

    def clean(self, piece: bytes) -> bytes:
        """The piece, with names."""
        return _TABLE.sub(self._token, piece)

    def _token(self, match: re.Match[bytes]) -> bytes:
        token, kind = match[0], match.lastgroup
        if kind == "row":
            start, end = (place - match.start() for place in match.span("row"))
            return token[:start] + self._row(match["row"]) + token[end:]
        if kind == "columns":
            self._table.set_columns(match["columns"])
            self._front = match["columns"].strip(b"\r\n").startswith(self._mark)
        if kind == "delimiter":
            with suppress(Malformed):  # whoever reads the answer complains about it
                value = read_attributes(token).get("value", "09")
                self._table.set_delimiter(value)
                self._mark = chr(int(value, 16)).encode()
        return token

    def _row(self, row: bytes) -> bytes:
        """The row with its edges as they are (Q69); of one that nobody can read, only the delimiters."""
        cells = row.split(self._mark)
        try:
            values = self._table.read(row)
        except Malformed:
            return self._mark * (len(cells) - 1)
        first = int(self._front and not cells[0].strip(b"\r\n"))
        for place, (column, value) in enumerate(zip(self._table.columns, values, strict=True), first):
            if place < len(cells):
                cells[place] = self._cell(column.lower(), (value or "").strip(), cells[place])
        return self._mark.join(cells)

    def _cell(self, column: str, value: str, cell: bytes) -> bytes:
        if column in _URLS and value:
            return escape(self._links.name(value)).encode()
        return b"" if self._people and column not in _NEEDED else cell
