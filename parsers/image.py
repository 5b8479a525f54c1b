"""What a photo's own bytes say, in one pass and constant memory: type, size in pixels, cut or whole.

Magic bytes decide the type; what the sender calls it does not count. Nothing here raises: bytes
that follow no known format are simply no image, or one that never became complete.
"""

import re

from parsers.image_walks import WALKS, Found, Source, TooManyPieces, Walk
from parsers.records import ImageFacts

SNIFF_BYTES = 64
"""A head of this many bytes decides the type: the brands of AVIF and HEIC end before it."""

_MAGIC = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    # Two letters alone would take text for a picture: the length of the second header belongs to it.
    "image/bmp": re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL),
    "image/tiff": re.compile(rb"II\*\0|MM\0\*"),
}

# ISO/IEC 23000-22 (MIAF) and 23008-12 (HEIF): brands of stills and of sequences.
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic"),
}


def sniff_media_type(head: bytes) -> str | None:
    """The media type that the first bytes tell; None: no known image, or fewer bytes than it takes.

    SNIFF_BYTES are enough for every type.
    """
    for media_type, magic in _MAGIC.items():
        if magic.match(head):
            return media_type
    if head[4:8] != b"ftyp":
        return None
    # ISO/IEC 14496-12 4.3: major brand, its version, then the compatible brands.
    box = head[8 : min(int.from_bytes(head[:4], "big"), SNIFF_BYTES)]
    brands = (box[at : at + 4] for at in range(0, len(box), 4) if at != 4)
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), None)


class ImageProbe:
    """Takes a photo in chunks, keeps none of them.

    >>> probe = ImageProbe()
    >>> probe.receive_data(b"GIF89a" + bytes([8, 0, 6, 0, 0, 0, 0]))
    >>> probe.result()
    ImageFacts(media_type='image/gif', width=8, height=6, complete=False)
    """

    def __init__(self) -> None:
        self._head = b""
        self._media_type: str | None = None
        self._source = Source()
        self._found = Found()
        self._walk: Walk | None = None

    def receive_data(self, chunk: bytes | memoryview) -> None:
        """Look at the next bytes of the photo."""
        if self._media_type is None:
            self._sniff(chunk)
        self._go_on(chunk)

    def result(self) -> ImageFacts | None:
        """The facts so far; None when these bytes are no known image.

        `complete` is True once the end of the picture was seen. Bytes behind it do not matter.
        """
        if self._media_type is None:
            return None
        found = self._found
        return ImageFacts(self._media_type, found.width or None, found.height or None, found.complete)

    def _sniff(self, chunk: bytes | memoryview) -> None:
        before = self._head
        self._head += bytes(chunk[: SNIFF_BYTES - len(before)])
        self._media_type = sniff_media_type(self._head)
        if self._media_type:
            self._walk = WALKS[self._media_type](self._source, self._found)
            self._go_on(before)

    def _go_on(self, chunk: bytes | memoryview) -> None:
        if self._walk is None or not chunk:
            return
        self._source.chunk, self._source.at = memoryview(chunk), 0
        try:
            over = next(self._walk, True)
        except TooManyPieces:
            over = True
        if over:
            self._walk = None
        self._source.chunk = memoryview(b"")
