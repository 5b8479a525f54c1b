"""An S3 server that takes its time, in a process of its own: it stands for a store at some distance.

It reads each put to its end, waits, and answers with the MD5 of the bytes as ETag, as S3 does. It
keeps no bytes, checks no signature, and gives a checksum back as if it had compared it.
A distant store has a processor of its own, so this one uses as little of ours as it can: bytes that
it has seen before are not hashed again.
"""

import hashlib
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

from benchmarks.programs import Program, answer_parent, program

PICTURE = "image/jpeg"
CHECKSUM = b"x-amz-checksum-sha256"


class Shelf(StreamRequestHandler):
    """One client's connection."""

    disable_nagle_algorithm = True
    server: "SlowStore"

    def handle(self) -> None:
        """Every bucket is there, and any object is taken."""
        buffer = memoryview(bytearray(2**18))
        while request := self.rfile.readline():
            lines = (line.partition(b":") for line in iter(self.rfile.readline, b"\r\n"))
            headers = {name.lower(): value.strip().decode() for name, _, value in lines}
            rest, sha256 = int(headers.get(b"content-length", 0)), headers.get(b"x-amz-content-sha256", "")
            known, digest = self.server.md5s.get(sha256), hashlib.md5(usedforsecurity=False)
            while rest and (count := self.rfile.readinto(buffer[:rest])):
                rest -= count
                if known is None:
                    digest.update(buffer[:count])
            etag = b""
            if request.startswith(b"PUT"):
                md5 = known or digest.hexdigest()
                time.sleep(self.server.seconds)
                self.server.keep(request.split(b"/")[1].decode(), headers[b"content-type"], sha256, md5)
                etag = b'ETag: "%b"\r\n' % md5.encode()
                if checksum := headers.get(CHECKSUM):
                    etag += b"%b: %b\r\n" % (CHECKSUM, checksum.encode())
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%b\r\n" % etag)


class SlowStore(ThreadingTCPServer):
    """Answers a put `seconds` after its last byte."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.puts: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self.md5s: dict[str, str] = {}
        super().__init__(("127.0.0.1", 0), Shelf)

    def keep(self, bucket: str, media_type: str, sha256: str, md5: str) -> None:
        """Note a put; `sha256` is what the client says of its body, or why it says nothing."""
        self.puts[bucket].append((media_type, md5))
        if len(sha256) == 64:
            self.md5s[sha256] = md5

    def report(self) -> dict[str, Any]:
        """Per bucket: every put counted, and the pictures' MD5s."""
        return {
            bucket: {"puts": len(puts), "pictures": sorted(md5 for kind, md5 in puts if kind == PICTURE)}
            for bucket, puts in self.puts.items()
        }


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where photos go, as `store.url` spells it, with its keys."""

    url: str
    access_key: str
    secret_key: str


@dataclass(frozen=True)
class Store:
    """The running server."""

    endpoint: str
    _program: Program

    def bucket(self, name: str) -> Bucket:
        """A bucket, as the ingest is told of it."""
        return Bucket(f"s3://{self.endpoint}/{name}?secure=false", "bench-access", "bench-secret")

    def pictures(self, bucket: str) -> list[str]:
        """The MD5s of the pictures that were put there, sorted."""
        return list(self._program.ask()[bucket]["pictures"])

    def puts(self) -> int:
        """Puts so far, manifests included."""
        return sum(bucket["puts"] for bucket in self._program.ask().values())


@contextmanager
def slow_store(seconds: float) -> Iterator[Store]:
    """A store that answers after so many seconds."""
    with program("benchmarks.slow_store", seconds) as child:
        yield Store(child.hello["endpoint"], child)


def main() -> None:
    """The process of the server."""
    with SlowStore(json.loads(sys.argv[1])) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer_parent({"endpoint": f"127.0.0.1:{server.server_address[1]}"}, server.report)
        server.shutdown()


if __name__ == "__main__":
    main()
