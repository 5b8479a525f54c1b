"""Runs of alike photos, taken out of an answer before it reaches the XML parser.

Photos are most of the bytes of a listing, and nearly all have one flat shape. Whoever reads the
first photo teaches its shape; from then on a run of such photos is read by a regular expression and
replaced by one empty element. What is taken out is well-formed, so the rest is well-formed exactly
when the whole was; a photo of any other shape stays where it is.
"""

import re
from itertools import repeat

from lxml import etree

from parsers.records import PhotoRef
from parsers.rets.search import read_count
from parsers.rets.text import unescape

RUN = "photo-run"
"""The element that stands for a run; its attribute `n` is the run's number."""

MAX_RUNS = 10_000
"""Runs held before their record is read; a record has a few. Beyond it photos simply stay in the text."""

MAX_PHOTOS = 50_000
"""Photos in all runs held, of some 200 bytes each: a run may be as long as its chunk."""

MAX_LEAVES = 100
"""Elements in a photo whose shape is learnt; a photo has ten or so."""

FIELDS = ("sequenceid", "photolastupdated", "largephotourl", "photourl", "description")
"""What is read of a photo."""


class PhotoRuns:
    """What was taken out, by number."""

    def __init__(self) -> None:
        self._leaves = 0
        self._pattern: re.Pattern[str] | None = None
        self._groups: tuple[int, ...] = ()
        self._runs: dict[int, list[PhotoRef]] = {}
        self._held = 0
        self._last = 0
        self._last_read = 0

    def learn(self, photo: etree._Element) -> None:
        """Take the shape of this photo as the usual one, if it is flat and richer than the last."""
        if not self._leaves < len(photo) <= MAX_LEAVES or not all(map(_is_plain, (photo, *photo))):
            return
        tag, *leaves = (re.escape(etree.QName(element).localname) for element in (photo, *photo))
        names = [leaf.lower() for leaf in leaves]
        if "sequenceid" not in names or len({*names}) < len(names) or any(map(len, photo)):
            return
        self._leaves = len(leaves)
        kept = [name for name in names if name in FIELDS]
        self._groups = tuple(kept.index(field) + 1 if field in kept else 0 for field in FIELDS)
        self._pattern = re.compile(rf"<{tag}>\s*+{''.join(map(_leaf, leaves))}</{tag}>")

    def take_out(self, text: str) -> str:
        """The text with an empty element in the place of each run."""
        # A record is read as soon as it is complete, and in order: older runs stand where no photo is read.
        for number in [number for number in self._runs if number <= self._last_read]:
            self._held -= len(self._runs.pop(number))
        if self._pattern is None or len(self._runs) >= MAX_RUNS or self._held >= MAX_PHOTOS:
            return text
        # What stands between the photos, each followed by the groups of the photo behind it.
        parts = self._pattern.split(text)
        width = self._pattern.groups + 1
        between = parts[::width]
        photos = _read([parts[group::width] if group else [] for group in self._groups])
        if photos is None:
            return text
        pieces, begin = between[:1], 0
        for end in range(1, len(between)):
            if end == len(photos) or between[end].strip():
                pieces += self._keep(photos[begin:end]), between[end]
                begin = end
        return "".join(pieces)

    def _keep(self, photos: list[PhotoRef]) -> str:
        self._last += 1
        self._runs[self._last] = photos
        self._held += len(photos)
        return f'<{RUN} n="{self._last}"/>'

    def pop(self, run: etree._Element) -> list[PhotoRef]:
        """The photos that an element stands for; they are forgotten here."""
        number = read_count(run.get("n")) or 0
        self._last_read = max(self._last_read, number)
        photos = self._runs.pop(number, [])
        self._held -= len(photos)
        return photos


def _is_plain(element: etree._Element) -> bool:
    return isinstance(element.tag, str) and not element.prefix and not element.attrib


def _leaf(tag: str) -> str:
    """One leaf; each may be missing but the SequenceID."""
    name = tag.lower()
    leaf = rf"<{tag}>{'([^<]*+)' if name in FIELDS else '[^<]*+'}</{tag}>\s*+"
    return leaf if name == "sequenceid" else f"(?:{leaf})?+"


def _read(columns: list[list[str | None]]) -> list[PhotoRef] | None:
    """Photos by the columns of their FIELDS; None where the single photo must be looked at."""
    ids = ["" if text is None else text for text in columns[0]]
    numbers = [read_count(id_) for id_ in ids]
    plain = not ids or "".join(ids).isdigit()
    if not plain or None in numbers or any("\r" in "".join(filter(None, column)) for column in columns):
        return None
    changed, large, small, captions = (_texts(column, len(ids)) for column in columns[1:])
    urls = [one or other for one, other in zip(large, small, strict=True)]
    return list(map(PhotoRef, ids, numbers, changed, urls, repeat(False), captions))


def _texts(column: list[str | None], count: int) -> list[str | None]:
    if "&" in "".join(filter(None, column)):
        column = [text and unescape(text) for text in column]
    return [text.strip() or None if text else None for text in column] or [None] * count
