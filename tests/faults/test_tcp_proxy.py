import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.simulator.faults import FaultPlan, Faults
from tests.acceptance.support import wait_until
from tests.faults.tcp_proxy import REACH_BYTES, TcpProxy, Trouble

LOTS = bytes(REACH_BYTES * 2)


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve_one(client: socket.socket) -> None:
        with client:
            try:
                while came := client.recv(2**16):
                    client.sendall(came)
            except OSError:
                return  # reset, as some of these tests want it

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve_one, args=(client,)))
            threads[-1].start()

    thread = threading.Thread(target=serve)
    thread.start()
    address = listener.getsockname()
    yield address
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    listener.close()
    for one in threads:
        one.join(10)


@contextmanager
def connected(proxy: TcpProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        yield client


def said_back(client: socket.socket, sent: bytes = LOTS, *, end: bool = True) -> bytes:
    """What comes back until the connection ends. Sends from another thread, since it is a lot."""

    def send() -> None:
        try:
            client.sendall(sent)
            if end:
                client.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the reader sees it, too

    thread = threading.Thread(target=send)
    thread.start()
    try:
        return b"".join(iter(lambda: client.recv(2**16), b""))
    finally:
        thread.join()


def troubled(*kinds: Trouble, seed: int = 1) -> Faults[Trouble]:
    return Faults(FaultPlan(seed, 1.0, kinds))


def test_without_troubles_everything_passes(echo: tuple[str, int]) -> None:
    with TcpProxy(echo) as proxy, connected(proxy) as client:
        assert said_back(client) == LOTS


@pytest.mark.parametrize("seed", range(4))  # in either direction
def test_a_reset_in_the_middle(echo: tuple[str, int], seed: int) -> None:
    with TcpProxy(echo, troubled(Trouble.RESET, seed=seed)) as proxy, connected(proxy) as client:
        with pytest.raises(ConnectionError):
            said_back(client)
        assert [injected.fault.kind for injected in proxy.faults.injected()] == [Trouble.RESET]


@pytest.mark.parametrize("seed", range(4))
def test_a_cut_in_the_middle_looks_like_an_end(echo: tuple[str, int], seed: int) -> None:
    with TcpProxy(echo, troubled(Trouble.CUT, seed=seed)) as proxy, connected(proxy) as client:
        client.sendall(LOTS[: REACH_BYTES // 1000])
        came = 0
        try:
            while some := client.recv(2**16):
                came += len(some)
                client.sendall(some)
        except ConnectionError:
            assert came  # we wrote after the end
        assert came <= REACH_BYTES * 2


@pytest.mark.parametrize("seed", range(4))
def test_a_stall_in_the_middle_is_silence(echo: tuple[str, int], seed: int) -> None:
    with TcpProxy(echo, troubled(Trouble.STALL, seed=seed)) as proxy, connected(proxy) as client:
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            said_back(client, end=False)


@pytest.mark.parametrize("seed", range(4))
def test_slow_bytes_are_all_there(echo: tuple[str, int], seed: int) -> None:
    with TcpProxy(echo, troubled(Trouble.SLOW, seed=seed)) as proxy, connected(proxy) as client:
        assert said_back(client) == LOTS


def test_the_troubles_are_the_seeds_own(echo: tuple[str, int]) -> None:
    plan = FaultPlan(3, 0.5, tuple(Trouble))
    expected = [fault for number in range(12) if (fault := plan.fault("connection", number))]
    with TcpProxy(echo, Faults(plan)) as proxy:
        for _ in range(12):
            with connected(proxy):
                pass
        wait_until(lambda: len(proxy.faults.injected()) == len(expected), "every connection")
        assert [injected.fault for injected in proxy.faults.injected()] == expected


def is_refused(proxy: TcpProxy) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", proxy.port)) == errno.ECONNREFUSED


def test_a_server_that_is_down_resets_what_is_open_and_refuses_what_comes(echo: tuple[str, int]) -> None:
    with TcpProxy(echo) as proxy:
        with connected(proxy) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            proxy.refuse()
            with pytest.raises(ConnectionResetError):
                client.recv(100)
        wait_until(lambda: is_refused(proxy), "a refusal")
        proxy.accept()
        wait_until(lambda: not is_refused(proxy), "a connection")
        with connected(proxy) as client:
            assert said_back(client, b"again") == b"again"


def test_leaving_ends_what_is_open_and_every_thread(echo: tuple[str, int]) -> None:
    before = threading.active_count()
    with TcpProxy(echo, troubled(Trouble.STALL)) as proxy, connected(proxy) as client:
        client.sendall(LOTS[:1000])
        proxy.refuse()
    assert threading.active_count() <= before + 1  # the echo's own, until it has noticed


def test_an_upstream_that_is_not_there_is_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    with TcpProxy(address) as proxy, connected(proxy) as client, pytest.raises(ConnectionError):
        assert client.recv(100)
