"""A reader of the bucket, who looks all the while and must never see what is not there.

He reads a manifest and then asks for every object that it names. What is missing is a fault only
while the manifest still says so: a newer one may have come, and the grace period may have passed.
"""

import json
import threading
from types import TracebackType
from typing import Self

from service.core.photos import segment
from service.core.ports import ObjectStore
from service.errors import ServiceError
from tests.chaos.verdict import MANIFEST


class Reader:
    """Looks as long as its `with` block runs. `found` says in words what was wrong."""

    def __init__(self, store: ObjectStore, feed: str) -> None:
        self.found: list[str] = []
        self.looks = 0
        self._store, self._prefix = store, segment(feed) + "/"
        self._stop = threading.Event()
        self._crash: BaseException | None = None
        self._thread = threading.Thread(target=self._look_on, name="reader")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._crash and error is None:
            raise self._crash

    def _look_on(self) -> None:
        try:
            while not self._stop.wait(0.01):
                self._look()
        except BaseException as error:  # noqa: BLE001 - raised where the block is left
            self._crash = error

    def _look(self) -> None:
        try:
            keys = {info.key for info in self._store.list(self._prefix)}
        except ServiceError:
            return  # the store itself hiccups: he looks again
        for key in sorted(keys):
            if key.endswith(MANIFEST) and not self._stop.is_set():
                self._check(key)
                self.looks += 1

    def _check(self, key: str) -> None:
        document = self._read(key)
        if document is None:
            return
        missing = [
            entry["Key"] for entry in json.loads(document)["media"] if self._store.stat(entry["Key"]) is None
        ]
        if missing and self._read(key) == document:
            self.found.append(f"{key} names {len(missing)} objects that are not there: {missing[0]}")

    def _read(self, key: str) -> bytes | None:
        try:
            return self._store.get(key)
        except KeyError:
            return None
