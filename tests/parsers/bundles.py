"""What a parser makes of a multipart body, for the tests that look at whole bundles."""

from collections.abc import Iterable, Iterator

from parsers.mime import Headers
from parsers.multipart import Event, MultipartParser, PartData, PartEnd, PartStart
from tests.parsers.splits import every_way

Part = tuple[Headers, bytes]


def events_of(parser: MultipartParser, chunks: Iterable[bytes], *, vouched: bool) -> Iterator[Event]:
    for chunk in chunks:
        yield from parser.receive_data(chunk)
    yield from parser.close(vouched=vouched)


def collect(parser: MultipartParser, chunks: Iterable[bytes], *, vouched: bool = False) -> list[Part]:
    """The parts, after a look at the order of the events."""
    parts: list[Part] = []
    headers: Headers | None = None
    body: list[bytes] = []
    for event in events_of(parser, chunks, vouched=vouched):
        match event:
            case PartStart(started):
                assert headers is None
                headers, body = started, []
            case PartData(data):
                assert headers is not None
                assert data
                body.append(bytes(data))
            case PartEnd():
                assert headers is not None
                parts.append((headers, b"".join(body)))
                headers = None
    assert headers is None
    return parts


def parts_everywhere(body: bytes, boundary: bytes = b"b", *, vouched: bool = False) -> list[Part]:
    """The parts of the body, the same at every split."""
    found = [collect(MultipartParser(boundary), chunks, vouched=vouched) for chunks in every_way(body)]
    assert all(parts == found[0] for parts in found)
    return found[0]


def bodies(parts: list[Part]) -> list[bytes]:
    return [body for _, body in parts]


def ids(parts: list[Part]) -> list[str | None]:
    return [headers.get("object-id") for headers, _ in parts]
