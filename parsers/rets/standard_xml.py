"""STANDARD-XML answers: a strict XML parser reads the stream, and each listing is dropped once read.

    bytes -> Decoder -> PhotoRuns -> Repair -> lxml -> the listings that are complete

Nothing is recovered from broken XML: what was given out before it stays valid, and the end says
that the answer did not end (Q77).
"""

import re
from typing import cast

from lxml import etree

from parsers.errors import LimitExceeded, Malformed
from parsers.records import ListingState
from parsers.rets.opening import Opening, OpeningReader
from parsers.rets.photo_runs import PhotoRuns
from parsers.rets.search import FieldNames, SearchEnd, SearchNotes
from parsers.rets.standard_record import PHOTOS, Kind, RecordReader, local_tag
from parsers.rets.text import Decoder, Repair

MAX_RECORD_BYTES = 16 * 1024 * 1024
"""What may come without a listing being complete; a listing with 500 photos is under 1 MB."""

MAX_RECORD_NODES = 100_000
"""Tags and attributes that may come without a listing being complete: a listing with 500 photos has
10,000, and each costs hundreds of bytes in the tree, not the four of `<a/>`."""

_DEEPEST = 8
"""Listings stand at most five elements deep in any known dialect."""

_POSITION = re.compile(r",? line \d+(?:, column \d+)?")


class StandardXmlListings:
    """Listings of a STANDARD-XML search, photo by photo (seed 002). Their shapes: see RecordReader."""

    def __init__(self, fields: FieldNames, *, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self._fields = fields
        self._max_record_bytes = max_record_bytes
        self._reader = OpeningReader()
        self._body: _Body | None = None

    def receive_data(self, chunk: bytes) -> list[ListingState]:
        """The listings that this chunk completes. Raises LimitExceeded for a listing that does not end."""
        if self._body is None:
            chunk = self._reader.receive_data(chunk)
            if self._reader.opening is None:
                return []
            self._body = _Body(self._reader.opening, self._fields, self._max_record_bytes)
        return self._body.receive_data(chunk)

    def close(self) -> SearchEnd:
        """What the answer as a whole says. Raises Malformed or Truncated when there was no RETS answer."""
        self._reader.close()
        if self._body is None:
            raise Malformed("the answer ends before its RETS element")
        return self._body.notes.end()


class _Body:
    """The RETS element as a tree that grows at its end and is cut behind the listings that were read.

    In such a tree an element is complete when another one follows it, or when the root has ended.
    """

    def __init__(self, opening: Opening, fields: FieldNames, max_record_bytes: int) -> None:
        self.notes = SearchNotes(opening)
        self._max_record_bytes = max_record_bytes
        self._held_bytes = self._held_nodes = 0
        self._closed = self.notes.ended
        self._decoder = Decoder(opening.encoding)
        self._runs = PhotoRuns()
        self._repair = Repair()
        # No DOCTYPE gets here and Repair leaves no entity; should one come, it is not resolved.
        self._xml = etree.XMLPullParser(
            events=("start", "end"),
            tag=f"{{*}}{opening.name}",
            encoding="utf-8",
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=True,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )
        self._root: etree._Element | None = None
        self._records = RecordReader(fields, self._runs)
        self._containers: set[str] = set()
        self._looked_at: dict[int, tuple[etree._Element, etree._Element]] = {}

    def receive_data(self, chunk: bytes) -> list[ListingState]:
        if self._closed:
            return []
        self._held_bytes += len(chunk)
        fault = self._parse(chunk)
        listings = [] if self._root is None else self._harvest(self._root)
        self._closed = bool(fault) or self.notes.ended
        if fault and not self.notes.ended:  # what follows the end does not matter
            self.notes.quarantine(fault, rows=0)
        if self._held_bytes > self._max_record_bytes:
            raise LimitExceeded(f"no listing is complete within {self._max_record_bytes} bytes")
        if self._held_nodes > MAX_RECORD_NODES:
            raise LimitExceeded(f"no listing is complete within {MAX_RECORD_NODES} tags")
        return listings

    def _parse(self, chunk: bytes) -> str:
        """Let the tree grow; returns why it cannot grow any more, "" when it can."""
        text = self._repair.receive_data(self._runs.take_out(self._decoder.receive_data(chunk)))
        self._held_nodes += text.count("<") + text.count("=")
        fault = ""
        try:
            self._xml.feed(text.encode())
        except etree.XMLSyntaxError as error:
            # The parser's line numbers would mislead: photos were taken out before it.
            fault = _POSITION.sub("", f"broken XML: {error.msg}")
        for event, element in self._xml.read_events():
            if self._root is None:
                self._root = cast("etree._Element", element)  # noqa: SLF001 - lxml has no other name for it
            elif event == "end" and element is self._root:
                self.notes.ended = True
        return fault

    def _harvest(self, root: etree._Element) -> list[ListingState]:
        """Read and drop what is complete, wherever listings are known to be."""
        listings: list[ListingState] = []
        # The whole path is looked at first: one listing shows what all the elements around it are.
        for depth, node in enumerate(self._open_path(root)):
            if self.notes.ended or node.tag in self._containers:
                for child in self._complete_children(node):
                    self._take(child, depth, listings)
                    node.remove(child)
                    self._held_bytes = self._held_nodes = 0
        return listings

    def _open_path(self, root: etree._Element) -> list[etree._Element]:
        """The open elements, from the root down to the listing that is being received, without it."""
        path: list[etree._Element] = []
        node = root
        while len(path) < _DEEPEST and self._kind_of_open(node, len(path)) != "record":
            path.append(node)
            if self.notes.ended or not len(node):
                break
            node = node[-1]
        return path

    def _kind_of_open(self, node: etree._Element, depth: int) -> Kind:
        """What an open element has shown itself to be, by the children that came since it was last asked."""
        if node.tag in self._containers:
            return "container"
        if self._records.is_known(node) or local_tag(node) in PHOTOS:
            return "record"
        before, last = self._looked_at.get(depth, (None, None))
        fresh = list(last.itersiblings()) if last is not None and before is node else list(node)
        for child in fresh:
            if self._records.is_key(child):
                self._records.remember(node)
                return "record"
            if child is fresh[-1] and not self.notes.ended:
                break
            self._looked_at[depth] = (node, child)
            if self._records.kind(child, _DEEPEST - depth) != "other":
                self._containers.update(str(element.tag) for element in (node, *node.iterancestors()))
                return "container"
        return "other"

    def _complete_children(self, node: etree._Element) -> list[etree._Element]:
        return list(node) if self.notes.ended else list(node)[:-1]

    def _take(self, element: etree._Element, depth: int, listings: list[ListingState]) -> None:
        """Read an element that is complete, and whatever is inside."""
        name = local_tag(element)
        if element.tag not in self._containers and self._records.kind(element, _DEEPEST - depth) == "record":
            try:
                listings.append(self._records.read(element))
                self.notes.rows += 1
            except Malformed as error:
                self.notes.quarantine(str(error))
        elif name == "totalrecords":
            self.notes.note_count(element.text)
        elif name not in PHOTOS and depth < _DEEPEST:
            self.notes.note(name, {str(key).lower(): str(value) for key, value in element.attrib.items()})
            for child in element:
                self._take(child, depth + 1, listings)
