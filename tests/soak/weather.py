"""Faults on both sides of a daemon that lives by the real clock."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from service.simulator.faults import Fault, FaultPlan, Faults, Kind
from tests.faults.s3_front import HONEST, S3Front
from tests.faults.tcp_proxy import TcpProxy, Trouble

K = TypeVar("K", bound=StrEnum)

FEED_RATE, STORE_RATE = 0.03, 0.03
"""Shares of requests and connections that fail."""


class SoonPlan(FaultPlan[K]):
    """No server asks for an hour's patience: a soak has only half of one."""

    def fault(self, transaction: str, number: int) -> Fault[K] | None:
        """As ever, but for the wait."""
        fault = super().fault(transaction, number)
        return fault and replace(fault, retry_after=1 if fault.retry_after else fault.retry_after)


@dataclass(frozen=True)
class Weather:
    """Where the faults are drawn, and the store as the daemon reaches it."""

    feed: Faults[Kind]
    front: S3Front
    proxy: TcpProxy

    def worsen(self, seed: int) -> None:
        """Faults from now on."""
        self.feed.plan = SoonPlan(seed, FEED_RATE, tuple(Kind))
        self.front.faults.plan = SoonPlan(seed, STORE_RATE, HONEST)
        self.proxy.faults.plan = SoonPlan(seed, STORE_RATE, tuple(Trouble))

    def clear(self) -> None:
        """No faults from now on."""
        for faults in (self.feed, self.front.faults, self.proxy.faults):
            faults.plan = None

    def met(self) -> int:
        """Faults that were carried out."""
        return sum(len(faults.injected()) for faults in (self.feed, self.front.faults, self.proxy.faults))


@contextmanager
def weather(store: str) -> Iterator[Weather]:
    """Fair at first; `store` is the S3 server's `HOST:PORT`."""
    host, _, port = store.partition(":")
    with ExitStack() as stack:
        front = stack.enter_context(S3Front((host, int(port))))
        proxy = stack.enter_context(TcpProxy(("127.0.0.1", front.port)))
        yield Weather(Faults[Kind](), front, proxy)
