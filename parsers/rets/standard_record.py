"""One listing of a STANDARD-XML answer: which element is one, and what it says of its photos.

All names are compared by local name and without case, whatever the namespace.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from lxml import etree

from parsers.errors import Malformed
from parsers.records import ListingState, PhotoRef
from parsers.rets.objects import photo_order
from parsers.rets.photo_runs import FIELDS, RUN, PhotoRuns
from parsers.rets.search import FieldNames, read_count

PHOTOS = frozenset({"photo", "photos", "propertyphoto", "propertyphotos", "media", "mediaitem"})
"""Elements that are photos or hold them; a listing is never looked for inside."""

_CREA = "propertydetails"
_DTD_PARENT = "reproperties"

_LOOKS = 16
"""Records whose every child is looked at, to learn how this answer spells its names."""


Kind: TypeAlias = Literal["record", "container", "other"]
"""A listing; an element that holds listings; neither."""


def local_tag(element: etree._Element) -> str:
    """The local name in lower case; "" for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


class RecordReader:
    """Reads listings in two shapes.

    CREA DDF: the key is `PropertyDetails/@ID`, the listing's time `@LastUpdated`. With nothing inside
    it is a row of the master list, which says nothing of photos.

        <PropertyDetails ID="20270724" LastUpdated="Thu, 21 Feb 2019 23:40:21 GMT">
          <ListingID>30707930</ListingID>
          <Photo><PropertyPhoto><SequenceId>1</SequenceId>
            <PhotoLastUpdated>Tue, 22 Jan 2019 22:17:29 GMT</PhotoLastUpdated></PropertyPhoto></Photo>
        </PropertyDetails>

    Any other: a record is an element that holds the listing key, as a child or an attribute, and no
    record before it; so is every element of the same name. Under REProperties (the DTD of RETS 1.x)
    every child is a record, and may hold the key one level down.

        <Property><ListingKey>8</ListingKey><PhotosCount>1</PhotosCount>
          <Media><MediaItem><SequenceID>0</SequenceID></MediaItem></Media></Property>
    """

    def __init__(self, fields: FieldNames, runs: PhotoRuns) -> None:
        self._runs = runs
        self._key = fields.listing.lower()
        self._stamp = fields.photos_changed.lower()
        self._count = fields.photos_count.lower()
        self._modified = fields.modified.lower()
        named = (fields.listing, fields.photos_changed, fields.photos_count, fields.modified)
        self._fields = {name.lower() for name in named if name}
        self._tags = {f"{{*}}{name}" for name in (*filter(None, named), RUN)}
        self._looks = 0
        self._record_tags: set[str] = set()

    def is_known(self, element: etree._Element) -> bool:
        """Whether this is a record by what its start tag says."""
        parent = element.getparent()
        return (
            local_tag(element) == _CREA
            or element.tag in self._record_tags
            or (parent is not None and local_tag(parent) == _DTD_PARENT)
            or _attribute(element, self._key) is not None
        )

    def is_key(self, element: etree._Element) -> bool:
        """Whether the element around this one is a record, unless records came before in it."""
        return local_tag(element) == self._key

    def remember(self, record: etree._Element) -> None:
        """Elements of this name are records from now on, with or without a key."""
        self._record_tags.add(str(record.tag))

    def kind(self, element: etree._Element, levels: int) -> Kind:
        """What a complete element is, looking at most so many levels into it."""
        if self.is_known(element):
            return "record"
        if local_tag(element) in PHOTOS or not levels:
            return "other"
        for child in element:
            if self.is_key(child):
                self.remember(element)
                return "record"
            if self.kind(child, levels - 1) != "other":
                return "container"
        return "other"

    def read(self, record: etree._Element) -> ListingState:
        """What the record says. Raises Malformed for one without a key."""
        if local_tag(record) == _CREA:
            return self._read_crea(record)
        holder = record if self._holds_key(record) else next(filter(self._holds_key, record), record)
        fields, photos = self._look(holder)
        if holder is not record:
            around, more = self._look(record)
            fields, photos = around | fields, photos + more
        key = fields.get(self._key) or _attribute(holder, self._key)
        # Records without any place for photos leave it to the listing's own count; else it is not said.
        said = bool(photos) or fields.get(self._count) == "0"
        return self._listing(key, fields.get(self._modified), fields, photos if said else None)

    def _read_crea(self, record: etree._Element) -> ListingState:
        fields, photos = self._look(record)
        key, modified = _attribute(record, "ID"), _attribute(record, "LastUpdated")
        return self._listing(key, modified, fields, photos if len(record) else None)

    def _listing(
        self,
        key: str | None,
        modified: str | None,
        fields: dict[str, str],
        elements: Sequence[etree._Element] | None,
    ) -> ListingState:
        count = read_count(fields.get(self._count))
        stamp = fields.get(self._stamp) or None
        if not key:
            raise Malformed(f"a listing without its key{f', modified {modified}' if modified else ''}")
        if elements is None:
            return ListingState(key, stamp, modified or None, expected_count=count)
        photos: list[PhotoRef] = []
        for element in elements:
            self._read_photos(element, photos)
        refs = {ref.id: ref for ref in photos if ref.id}
        complete = len(refs) == len(photos) >= (count or 0)  # else some have no id, or share one
        return ListingState(key, stamp, modified or None, tuple(refs.values()), count, complete)

    def _look(self, record: etree._Element) -> tuple[dict[str, str], list[etree._Element]]:
        """The wanted fields among an element's children, and the children that are or hold photos."""
        fields, photos = self._sort(record.iterchildren(*self._tags))
        # To look at every child is slow, but no photo may be missed for the case of a letter.
        if not photos or self._looks < _LOOKS:
            self._looks += 1
            fields, photos = self._sort(iter(record))
            self._tags |= {str(child.tag) for child in record if local_tag(child) in self._fields | PHOTOS}
        return fields, photos

    def _sort(self, children: Iterator[etree._Element]) -> tuple[dict[str, str], list[etree._Element]]:
        fields: dict[str, str] = {}
        photos: list[etree._Element] = []
        for child in children:
            name, text = local_tag(child), (child.text or "").strip()
            if name in self._fields:
                fields.setdefault(name, text)
            # Text alone, such as <Photos>25</Photos>, is a number of photos: no list, and not an empty one.
            elif (name in PHOTOS and (len(child) or not text)) or name == RUN:
                photos.append(child)
        return fields, photos

    def _read_photos(self, element: etree._Element, photos: list[PhotoRef]) -> None:
        """Add the photos that an element is, stands for, or holds."""
        if local_tag(element) == RUN:
            photos += self._runs.pop(element)
        elif "sequenceid" in map(local_tag, element):
            photos.append(self._read_photo(element, len(photos) + 1))
        else:
            for child in element:
                if local_tag(child) == RUN:
                    photos += self._runs.pop(child)
                elif len(child) or local_tag(child) in PHOTOS:
                    photos.append(self._read_photo(child, len(photos) + 1))

    def _read_photo(self, element: etree._Element, position: int) -> PhotoRef:
        """One photo; its id is "" when it has none."""
        self._runs.learn(element)
        texts = {local_tag(child): (child.text or "").strip() or None for child in element}
        id_, changed, large, small, caption = map(texts.get, FIELDS)
        return PhotoRef(id_ or "", photo_order(id_ or "", position), changed, large or small, caption=caption)

    def _holds_key(self, element: etree._Element) -> bool:
        return any(map(self.is_key, element)) or _attribute(element, self._key) is not None


def _attribute(element: etree._Element, name: str) -> str | None:
    value = element.get(name) if name else None
    if value is None:
        name = name.lower()
        value = next((str(v) for key, v in element.attrib.items() if str(key).lower() == name), None)
    return None if value is None else value.strip()
