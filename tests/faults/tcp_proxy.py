"""A TCP proxy that breaks connections on purpose: by seed, or all of them for a while.

It knows nothing of what it carries. A connection has at most one trouble, after so many bytes in
one direction; the next one has a trouble of its own. In fair weather none strikes any more.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Self

from service.simulator.faults import Fault, Faults, Injected

LOOK_SECONDS = 0.02
"""How often the accept loop looks whether it shall stop or refuse."""

REACH_BYTES = 200_000
"""Within so many bytes a trouble strikes: long enough for some good answers, short enough to come."""

SLOW_BYTES, SLOW_SECONDS = 2_000, 0.005


class Trouble(StrEnum):
    """What can befall a connection."""

    RESET = "reset"
    CUT = "cut"
    STALL = "stall"
    SLOW = "slow"


class TcpProxy:
    """Listens on `port` and carries to `upstream`, as long as its `with` block runs.

    `faults` are drawn per connection. `refuse` and `accept` are for a server that is down.
    """

    def __init__(self, upstream: tuple[str, int], faults: Faults[Trouble] | None = None) -> None:
        self.faults = faults or Faults[Trouble]()
        self._upstream = upstream
        self._stop, self._down = threading.Event(), threading.Event()
        self._is_down, self._is_up = threading.Event(), threading.Event()
        self._is_up.set()
        self._links: set[_Link] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="tcp proxy")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()
        self._end_links()

    @property
    def endpoint(self) -> str:
        """`HOST:PORT`."""
        return f"127.0.0.1:{self.port}"

    def refuse(self) -> None:
        """The server is down: on return open connections are reset, and new ones are refused."""
        self._is_up.clear()
        self._down.set()
        self._is_down.wait()

    def accept(self) -> None:
        """The server is up again on return."""
        self._is_down.clear()
        self._down.clear()
        self._is_up.wait()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if self._down.is_set():
                self._be_down()
            self._listener.settimeout(LOOK_SECONDS)
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._begin(client)

    def _be_down(self) -> None:
        """Bound and not listening, the port is still ours, and whoever comes is refused."""
        self._listener.close()
        self._end_links()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._is_down.set()
        while self._down.is_set() and not self._stop.wait(LOOK_SECONDS):
            pass
        self._listener.listen(128)
        self._is_up.set()

    def _begin(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._upstream, timeout=10)
        except OSError:
            _linger_not(client)
            client.close()
            return
        fault = self.faults.next("connection")
        if fault:
            self.faults.note(Injected("connection", {}, fault))
        link = _Link(client, server, fault, lambda: self.faults.plan is not None)
        with self._lock:
            self._links = {known for known in self._links if known.is_alive()} | {link}
        link.start()

    def _end_links(self) -> None:
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.reset()
        for link in links:
            link.join()


class _Link:
    """One client's connection, and the one that was made for it. Whoever leaves last closes both."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        fault: Fault[Trouble] | None,
        still: Callable[[], bool],
    ) -> None:
        for end in (client, server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ends, self._still, self._is_reset = (client, server), still, False
        self._lock = threading.Lock()
        self._carrying = 2
        # Puts are long one way and listings the other: both get their share of troubles.
        up = fault is not None and int(fault.at * 1000) % 2 == 0
        self._threads = [
            threading.Thread(target=self._run, args=(client, server, fault if up else None)),
            threading.Thread(target=self._run, args=(server, client, None if up else fault)),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def is_alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def reset(self) -> None:
        """Both sides will be reset when they are closed; until then nothing is sent, no end either."""
        self._is_reset = True
        for end in self._ends:
            _linger_not(end)
        self._wake(socket.SHUT_RD)

    def join(self) -> None:
        """Wait for the end; whoever is stuck in a write is woken roughly."""
        for thread in self._threads:
            thread.join(1)
        self._wake(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _wake(self, how: int) -> None:
        for end in self._ends:
            with suppress(OSError):  # it has ended already
                end.shutdown(how)

    def _run(self, source: socket.socket, target: socket.socket, fault: Fault[Trouble] | None) -> None:
        try:
            self._carry(source, target, fault)
        except OSError:
            self.reset()
        with self._lock:
            self._carrying -= 1
            last = self._carrying == 0
        if last:
            for end in self._ends:
                end.close()

    def _carry(self, source: socket.socket, target: socket.socket, fault: Fault[Trouble] | None) -> None:
        left = int(fault.at * REACH_BYTES) if fault else 0
        while chunk := source.recv(2**16):
            if fault is None or len(chunk) <= left or not self._still():
                target.sendall(chunk)
                left -= len(chunk)
                continue
            target.sendall(chunk[:left])
            if not self._goes_on_after(fault.kind, source, target, chunk[left:]):
                return
            fault = None
        if not self._is_reset:
            target.shutdown(socket.SHUT_WR)

    def _goes_on_after(
        self, kind: Trouble, source: socket.socket, target: socket.socket, rest: bytes
    ) -> bool:
        """Carry out a trouble; False when it was the connection's end."""
        match kind:
            case Trouble.RESET:
                self.reset()
            case Trouble.CUT:
                self._wake(socket.SHUT_RDWR)
            case Trouble.STALL:
                while source.recv(2**16):  # until one of the two gives up
                    pass
            case Trouble.SLOW:
                for start in range(0, len(rest), SLOW_BYTES):
                    time.sleep(SLOW_SECONDS)
                    target.sendall(rest[start : start + SLOW_BYTES])
                return True
        return False


def _linger_not(end: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
