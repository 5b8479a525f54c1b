"""An HTTP answer whose bytes come from memory, piece by piece, through http.client, urllib3 and Answer.

Only the socket is missing: what reads from it is what reads from it in the daemon.
"""

import gzip
import io
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Literal, cast

import requests
import urllib3
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict

from service.feeds.answer import Answer

FEED = "mls"
URL = "http://mls.example/rets/object"

_REQUEST = requests.Request("GET", URL).prepare()
_ADAPTER = HTTPAdapter()


@dataclass(frozen=True)
class Transfer:
    """How a body is sent: where it ends is said by a length, by chunks, or only by the connection."""

    framing: Literal["length", "chunked", "connection"] = "length"
    gzipped: bool = False
    chunk_size: int = 1000
    zeros: str = ""

    @property
    def vouched(self) -> bool:
        return self.framing != "connection"

    def coded(self, body: bytes) -> bytes:
        """The body as it stands on the wire."""
        if self.gzipped:  # Q21
            body = gzip.compress(body, 1, mtime=0)
        if self.framing != "chunked":
            return body
        parts = [body[at : at + self.chunk_size] for at in range(0, len(body), self.chunk_size)]
        chunks = (f"{self.zeros}{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)  # Q18
        return b"".join(chunks) + b"0\r\n\r\n"

    def head(self, content_type: str | None, length: int, *fields: tuple[str, str]) -> bytes:
        """The status line and the headers of a coded body of this length, further ones among them."""
        lines = ["HTTP/1.1 200 OK", "MIME-Version: 1.0, 1.0"]  # Q23
        lines += [f"Content-Type: {content_type}"] * (content_type is not None)
        lines += [f"Content-Length: {length}"] * (self.framing == "length")
        lines += ["Transfer-Encoding: chunked"] * (self.framing == "chunked")
        lines += ["Content-Encoding: gzip"] * self.gzipped
        lines += [f"{name}: {value}" for name, value in fields]
        return "\r\n".join([*lines, "", ""]).encode()


transfers = st.builds(
    Transfer,
    framing=st.sampled_from(["length", "chunked", "connection"]),
    gzipped=st.integers(0, 4).map(lambda n: n == 0),
    chunk_size=st.sampled_from([1, 7, 100, 1000]),
    zeros=st.sampled_from(["", "00"]),
)
vouched_transfers = transfers.filter(lambda transfer: transfer.vouched)


class Wire(io.RawIOBase):
    """The receiving end of a connection: each read gives what one packet brought."""

    def __init__(self, packets: Iterable[bytes]) -> None:
        self._packets = iter(packets)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # BufferedReader gives one
        while not self._rest:
            packet = next(self._packets, None)
            if packet is None:
                return 0
            self._rest = memoryview(packet)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)


def answer_of(head: bytes, packets: Iterable[bytes]) -> Answer:
    """The answer with this head; its coded body comes in these packets, and then the connection ends."""
    # http.client wants of a socket its file alone.
    wire = HTTPResponse(cast("socket.socket", Wire([head, *packets])), method="GET")
    wire.begin()
    raw = urllib3.HTTPResponse(
        body=wire,
        headers=HTTPHeaderDict(wire.headers.items()),
        status=wire.status,
        preload_content=False,
        original_response=wire,
        request_method="GET",
    )
    return Answer(_ADAPTER.build_response(_REQUEST, raw), FEED, threading.Event())
