"""How the tests feed a search parser: every way of cutting the bytes must give the same."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from parsers.rets.search import FieldNames
from tests.parsers.splits import every_way

FIELDS = FieldNames("ListingKey", "PhotosChangeTimestamp", "PhotosCount", "ModificationTimestamp")

Item = TypeVar("Item")
End_co = TypeVar("End_co", covariant=True)


class Parser(Protocol[Item, End_co]):
    def receive_data(self, chunk: bytes) -> list[Item]: ...

    def close(self) -> End_co: ...


def play(parser: Parser[Item, End_co], chunks: Iterable[bytes]) -> tuple[list[Item], End_co]:
    items = [item for chunk in chunks for item in parser.receive_data(chunk)]
    return items, parser.close()


def play_every_way(new: Callable[[], Parser[Item, End_co]], body: bytes) -> tuple[list[Item], End_co]:
    played = [play(new(), chunks) for chunks in every_way(body)]
    assert all(one == played[0] for one in played)
    return played[0]


def compact(*lines: str, columns: str = "\tListingKey\tPhotosChangeTimestamp\tPhotosCount\t") -> bytes:
    """A COMPACT answer with these lines behind its COLUMNS."""
    head = ('<RETS ReplyCode="0" ReplyText="ok">', f"<COLUMNS>{columns}</COLUMNS>")
    return "\r\n".join((*head, *lines, "</RETS>")).encode()


def standard(*records: str, head: str = "") -> bytes:
    """A STANDARD-XML answer that holds these records."""
    return f'<RETS ReplyCode="0" ReplyText="ok">{head}<Listings>{"".join(records)}</Listings></RETS>'.encode()
