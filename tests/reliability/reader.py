"""A consumer of the bucket that looks all the time, and notes whatever it should never see."""

import json
import threading
from types import TracebackType
from typing import Any, Self

from service.core.photos import segment
from service.stores.object_store import MinioStore

PAUSE_SECONDS = 0.2
"""Far shorter than what a kill leaves behind lasts: nobody mends it before the lease has lapsed."""


class Reader:
    """Reads every manifest of a feed again and again while its `with` block runs."""

    def __init__(self, store: MinioStore, feed: str) -> None:
        self._store, self._feed = store, feed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader")
        self._generations: dict[str, int] = {}
        self.wrong: list[str] = []
        self.looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        try:
            while not self._stop.wait(PAUSE_SECONDS):
                for info in self._store.list(segment(self._feed) + "/"):
                    if info.key.endswith("manifest.json"):
                        self._look(info.key)
                self.looks += 1
        except Exception as error:  # noqa: BLE001 - the test that owns this reader must hear of it
            self.wrong.append(f"the reader died: {error!r}")

    def _look(self, key: str) -> None:
        manifest = self._read(key)
        if manifest is None:
            return
        if manifest["generation"] < self._generations.get(key, 0):
            self.wrong.append(f"{key} went back to generation {manifest['generation']}")
        self._generations[key] = manifest["generation"]
        for entry in manifest["media"]:
            info = self._store.stat(entry["Key"])
            if info is None and self._read(key) == manifest:  # else it was replaced while we looked
                self.wrong.append(f"{key} names {entry['Key']}, which is not there")
            if info is not None and info.length != entry["Bytes"]:
                self.wrong.append(f"{entry['Key']} has {info.length} bytes, not {entry['Bytes']}")

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            manifest: dict[str, Any] = json.loads(self._store.get(key))
        except KeyError:
            return None
        return manifest
