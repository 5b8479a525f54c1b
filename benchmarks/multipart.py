"""Splitting a bundle: against the decoder that everybody has, and against the least work there is."""

from collections.abc import Iterable, Sequence

from requests_toolbelt import MultipartDecoder

from benchmarks.figures import Effort, Row, interleaved, speed_row, timed
from benchmarks.pictures import BOUNDARY, CONTENT_TYPE, PHOTO, bundle, in_chunks
from parsers.multipart import MultipartParser, PartData, PartEnd


def run(effort: Effort) -> list[Row]:
    """40 parts of 250 KB in chunks of 64 KB."""
    chunks = list(in_chunks(bundle([PHOTO] * effort.size(40, quick=5))))
    body = b"".join(chunks)
    assert split(chunks) == decode(body)
    assert scan(chunks) == len(split(chunks)) + 1
    again = effort.size(10, quick=1)  # one pass takes milliseconds
    ours, decoder, find = interleaved(
        effort.runs,
        timed(lambda: [parse(chunks) for _ in range(again)]),
        timed(lambda: [MultipartDecoder(body, CONTENT_TYPE) for _ in range(again)]),
        timed(lambda: [scan(chunks) for _ in range(again)]),
    )
    ours, decoder, find = ours / again, decoder / again, find / again
    what = f"split a bundle of {len(body) / 1e6:.0f} MB"
    return [
        speed_row(what, ours, "requests_toolbelt MultipartDecoder", decoder, at_least=3),
        speed_row(what, ours, "a bare bytes.find over the chunks", find, at_least=0.7),
    ]


def parse(chunks: Iterable[bytes]) -> int:
    """The bytes of all parts, as the ingest meets them: views, none of them copied."""
    parser, length = MultipartParser(BOUNDARY), 0
    for chunk in chunks:
        for event in parser.receive_data(chunk):
            if isinstance(event, PartData):
                length += len(event.data)
    parser.close()
    return length


def scan(chunks: Sequence[bytes]) -> int:
    """How often the delimiter stands in the chunks; one that lies across two of them is not seen."""
    delimiter, found = b"--" + BOUNDARY, 0
    for chunk in chunks:
        at = chunk.find(delimiter)
        while at >= 0:
            found += 1
            at = chunk.find(delimiter, at + 1)
    return found


def split(chunks: Sequence[bytes]) -> list[bytes]:
    """The parts' bytes."""
    parser, parts, part = MultipartParser(BOUNDARY), list[bytes](), b""
    for chunk in chunks:
        for event in parser.receive_data(chunk):
            if isinstance(event, PartData):
                part += event.data
            elif isinstance(event, PartEnd):
                parts.append(part)
                part = b""
    parser.close()
    return parts


def decode(body: bytes) -> list[bytes]:
    """The parts' bytes, by the toolbelt."""
    return [part.content for part in MultipartDecoder(body, CONTENT_TYPE).parts]
