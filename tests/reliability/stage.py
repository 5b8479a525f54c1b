"""A daemon in the middle of its first load, to which something is about to happen."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from service.simulator.answers import RawAnswer
from service.simulator.mls import Mls
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.acceptance.support import wait_until
from tests.faults.s3_front import S3Front
from tests.faults.tcp_proxy import TcpProxy
from tests.reliability.scenario import Scenario, change, load, scenario, stop
from tests.reliability.undisturbed import FORM, Undisturbed


class Gate:
    """Lets requests for photos through once it is open."""

    def __init__(self, mls: Mls) -> None:
        self.mls, self.reached, self.open = mls, threading.Event(), threading.Event()

    def answer(self, transaction: str, params: Mapping[str, str]) -> RawAnswer | None:
        """As the MLS has it, later."""
        if transaction == "GetObject":
            self.reached.set()
            self.open.wait(60)
        return self.mls.answer(transaction, params)


@dataclass
class Stage:
    """The daemon waits for its first photos; `gate.open.set()` lets them come."""

    made: Scenario
    process: BaseProcess
    front: S3Front
    proxy: TcpProxy
    gate: Gate

    def has_said(self, text: str, times: int = 1) -> None:
        """Wait until the daemon has logged this so many times more."""
        before = self.made.log.read_text().count(text)
        wait_until(lambda: self.made.log.read_text().count(text) >= before + times, text, 60)

    def stored(self) -> list[str]:
        """The feed's objects, manifests included."""
        return [info.key for info in self.made.store.list(f"{self.made.feed}/")]

    def recovers(self, undisturbed: Undisturbed) -> None:
        """The trouble is over: the same process makes everything good, and goes on."""
        wait_until(lambda: sum("manifest" in key for key in self.stored()) == 4, "four manifests", 60)
        change(self.made.mls)
        wait_until(lambda: f"{self.made.feed}/1005/manifest.json" in self.stored(), "the change", 60)
        assert self.process.is_alive()
        stop(self.process)
        assert self.process.exitcode == 0
        assert _outcome(self.made.settle()) == _outcome(undisturbed.after("change", FORM))


def _outcome(seen: dict[str, Any]) -> dict[str, Any]:
    """Without generations and events: they tell in how many parts a set was committed."""
    shown = {key: [entry["Key"] for entry in one["media"]] for key, one in seen["manifests"].items()}
    return {"shown": shown, "objects": seen["objects"], "counts": seen["counts"]}


@contextmanager
def in_first_load(s3: EmbeddedStore, store: MinioStore, folder: Path, catalog_url: str) -> Iterator[Stage]:
    """A daemon that asks its feed every second, and reaches the bucket through a front and a proxy."""
    gates: list[Gate] = []

    def gate(mls: Mls) -> Gate:
        gates.append(Gate(mls))
        return gates[0]

    host, _, port = s3.endpoint.partition(":")
    with S3Front((host, int(port))) as front, TcpProxy(("127.0.0.1", front.port)) as proxy:
        way = f"s3://{proxy.endpoint}/{s3.bucket}?secure=false"
        with scenario(
            s3, store, folder, catalog_url, FORM, interval="1s", store_url=way, before=gate
        ) as made:
            load(made.mls)
            process = made.start()
            try:
                assert gates[0].reached.wait(60)
                yield Stage(made, process, front, proxy, gates[0])
            finally:
                gates[0].open.set()
                stop(process)
