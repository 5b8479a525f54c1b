"""Which fault befalls which request: a pure schedule, the same for the same seed.

What a feed's fault does to an answer stands in spoil.py. The schedule serves any server that has
kinds of faults of its own.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar


class Kind(StrEnum):
    """The ways in which a feed fails. Each is named for what its client sees."""

    REFUSED = "connection refused"
    RESET = "reset in the body"
    STALL = "stall in the body"
    SLOW = "slow bytes"
    CUT_KNOWN = "cut, length declared"
    CUT_UNKNOWN = "cut, no length"
    ENDLESS = "endless body"
    HTTP_401 = "HTTP 401"
    HTTP_403 = "HTTP 403"
    HTTP_412 = "HTTP 412"
    HTTP_429 = "HTTP 429"
    HTTP_500 = "HTTP 500"
    HTTP_502 = "HTTP 502"
    HTTP_503 = "HTTP 503"
    SESSION_LOST = "session lost"
    REPLY_20403 = "reply 20403"
    REPLY_20407 = "reply 20407"
    REPLY_20409 = "reply 20409"
    REPLY_20411 = "reply 20411"
    REPLY_20412 = "reply 20412"
    REPLY_20701 = "reply 20701"
    LOGIN_PAGE = "HTML login page"
    EMPTY_ANSWER = "empty answer"
    WRONG_TYPE = "wrong Content-Type"
    GZIP_BROKEN = "broken gzip"
    GZIP_CUT = "gzip without its end"
    PARTS_SWAPPED = "parts in another order"
    PART_REPEATED = "part repeated"
    PART_MISSING = "part missing"
    PART_EMPTY = "part without its picture"
    PART_REFUSED = "part refused"
    PART_ABSENT = "part said to be absent"
    PART_FOREIGN = "part of another listing"
    ROW_REPEATED = "row repeated"
    ROWS_GONE = "COUNT without rows"


EVERY_KIND = tuple(Kind)

K = TypeVar("K", bound=StrEnum)

RETRY_AFTER = (None, 0, 3600)
"""Seconds: a server that does not say, one that says at once, and one that is down for the hour."""


@dataclass(frozen=True, slots=True)
class Fault(Generic[K]):
    """One fault. `at` (0 to 1) is where: in the body, which part, which row."""

    kind: K
    at: float = 0.5
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class FaultPlan(Generic[K]):
    """A share `rate` (0 to 1) of all requests gets one of `kinds`, as `seed` has it."""

    seed: int
    rate: float
    kinds: tuple[K, ...]

    def fault(self, transaction: str, number: int) -> Fault[K] | None:
        """The fault of the n-th request of a transaction; it depends on no other request."""
        chance = random.Random(f"{self.seed} {transaction} {number}")  # noqa: S311 - to be repeatable
        if chance.random() >= self.rate:
            return None
        return Fault(chance.choice(self.kinds), chance.random(), chance.choice(RETRY_AFTER))


@dataclass(frozen=True, slots=True)
class Injected(Generic[K]):
    """A fault that a client has met, and in answer to what."""

    transaction: str
    params: Mapping[str, str]
    fault: Fault[K]


class Faults(Generic[K]):
    """The faults of one server, to be switched while it serves: `plan` None is fair weather."""

    def __init__(self, plan: FaultPlan[K] | None = None) -> None:
        self.plan = plan
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._injected: list[Injected[K]] = []

    def next(self, transaction: str) -> Fault[K] | None:
        """What befalls the request that has just come. Every request counts, in fair weather too."""
        with self._lock:
            number = self._numbers.get(transaction, 0)
            self._numbers[transaction] = number + 1
        plan = self.plan
        return plan.fault(transaction, number) if plan else None

    def note(self, injected: Injected[K]) -> None:
        """It was carried out."""
        with self._lock:
            self._injected.append(injected)

    def injected(self) -> list[Injected[K]]:
        """All that were carried out so far, in order; a copy."""
        with self._lock:
            return list(self._injected)
