"""What was asked of the server, kept so that a replay or a test can compare it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """A request with good credentials, or one for a picture, which has none.

    Challenges and their refused tries are not counted.
    """

    feed: str
    transaction: str
    params: Mapping[str, str]


class Journal:
    """What was asked of the server, in order, from all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._unanswered: list[Seen] = []

    def note(self, seen: Seen) -> None:
        """A request came."""
        with self._lock:
            self._seen.append(seen)

    def note_unanswered(self, seen: Seen) -> None:
        """The feed had no answer to it."""
        with self._lock:
            self._unanswered.append(seen)

    def seen(self) -> list[Seen]:
        """Every request so far."""
        with self._lock:
            return list(self._seen)

    def unanswered(self) -> list[Seen]:
        """Those that had no answer."""
        with self._lock:
            return list(self._unanswered)
