"""What a feed answers: one value per HTTP answer, and the ways in which a connection fails.

The server knows connections and sessions; what a feed holds is known only to its `Answers`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


class CutConnection(Exception):  # noqa: N818 - named for what it does to the connection
    """Raised by an answer or by its body: the connection ends here, in the middle."""


class ResetConnection(Exception):  # noqa: N818 - see above
    """Raised by an answer or by its body: the connection is reset, whatever its framing."""


class RefuseConnections(Exception):  # noqa: N818 - see above
    """Raised by an answer: this connection is cut, and for some seconds no other one is taken."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class StallConnection(Exception):  # noqa: N818 - see above
    """Raised by an answer or by its body: silence, until the client goes or the server stops."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One HTTP answer as it goes onto the wire.

    A Content-Length among the headers is sent as it stands, even when it is wrong;
    `Transfer-Encoding: chunked` makes the body go out in chunks (one per item, for an iterable).
    With neither, bytes get their length, and the end of an iterable is the end of the connection.
    Header text is latin-1, one character per byte.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | Iterable[bytes]

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


class Answers(Protocol):
    """A feed's content. Called from several threads at once."""

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """The answer to a `Search`, `GetObject` or `GetMetadata`, or a `Photo` with its `URL`, or None."""


def text_answer(body: bytes, media_type: str = "text/xml") -> RawAnswer:
    """A document at HTTP 200."""
    head = (("Content-Type", f"{media_type}; charset=utf-8"), ("RETS-Version", "RETS/1.7.2"))
    return RawAnswer(200, "OK", head, body)
