"""What a document's own bytes say: whether it is a PDF, cut or whole.

Like the probe of pictures it takes chunks, keeps none of them, and never raises.
"""

from parsers.records import ImageFacts

MEDIA_TYPE = "application/pdf"

MAGIC = b"%PDF-"

END = b"%%EOF"

TAIL_BYTES = 1024
"""The end mark stands in the last 1024 bytes (ISO 32000-1, Annex H, implementation note 18)."""


class PdfProbe:
    """Takes a document in chunks.

    >>> probe = PdfProbe()
    >>> probe.receive_data(b"%PDF-1.7 ... %%EOF")
    >>> probe.result()
    ImageFacts(media_type='application/pdf', width=None, height=None, complete=True)
    """

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""

    def receive_data(self, chunk: bytes | memoryview) -> None:
        """Look at the next bytes of the document."""
        self._head += bytes(chunk[: len(MAGIC) - len(self._head)])
        self._tail = (self._tail + bytes(chunk[-TAIL_BYTES:]))[-TAIL_BYTES:]

    def result(self) -> ImageFacts | None:
        """The facts so far; None when these bytes are no PDF."""
        return ImageFacts(MEDIA_TYPE, None, None, END in self._tail) if self._head == MAGIC else None
