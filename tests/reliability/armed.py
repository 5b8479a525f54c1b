"""The real daemon as a process that may be armed: it kills itself with SIGKILL when it reaches a step.

Steps are named by what happens to the store and to the catalog, from outside: their adapters are
replaced by subclasses before the command line is run. Nothing of the product knows of it.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Engine, event

from service import bootstrap, cli
from service.core import schedule
from service.stores import catalog as catalog_module
from service.stores import databases
from service.stores.catalog import SqlCatalog
from service.stores.object_store import MinioStore

# One process imports everything once, and each daemon is a fork of it: a start in 20 ms.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.reliability.armed"])

CALLS = (
    "take_lease",
    "run_started",
    "set_mark",
    "owe",
    "unowe",
    "commit",
    "manifest_written",
    "deleted",
    "run_ended",
    "end_lease",
)
"""Of the catalog: a step before each, one right before its COMMIT, and one after it."""


class Fuse:
    """Ends the process when it passes a step for the n-th time: `STEP#N`; `any` is every step."""

    def __init__(self, at: str) -> None:
        name, _, number = at.partition("#")
        self._name, self._left = name, int(number or 1)
        self._lock = threading.Lock()

    def reach(self, step: str) -> None:
        """The process is at this step; the last line of its log tells it."""
        with self._lock:
            if self._name in (step, "any"):
                self._left -= 1
                if not self._left:
                    os.write(2, f"\nkilled {step}\n".encode("ascii"))
                    os.kill(os.getpid(), signal.SIGKILL)


_call = threading.local()


def arm(fuse: Fuse) -> None:
    """From here on adapters are built of these classes."""

    class ArmedStore(MinioStore):
        def put(self, key: str, body: BinaryIO, *rest: Any, **more: Any) -> None:
            kind = "manifest put" if key.endswith("manifest.json") else "photo put"
            fuse.reach(f"before {kind}")
            super().put(key, body, *rest, **more)
            fuse.reach(f"after {kind}")

        def delete(self, keys: Iterable[str]) -> None:
            every = list(keys)
            kind = "manifest delete" if every[0].endswith("manifest.json") else "sweep"
            fuse.reach(f"before {kind}")
            super().delete(every)
            fuse.reach(f"after {kind}")

    class ArmedCatalog(SqlCatalog):
        def __init__(self, engine: Engine) -> None:
            super().__init__(engine)
            event.listen(engine, "before_cursor_execute", lambda *_: fuse.reach("statement"))
            event.listen(engine, "commit", lambda _: fuse.reach(f"within {getattr(_call, 'name', 'read')}"))

    for name in CALLS:
        setattr(ArmedCatalog, name, _stepping(name, fuse))
    vars(bootstrap)["MinioStore"] = ArmedStore
    vars(catalog_module)["SqlCatalog"] = ArmedCatalog


def _stepping(name: str, fuse: Fuse) -> Any:
    def step(self: SqlCatalog, *args: Any, **more: Any) -> Any:
        fuse.reach(f"before {name}")
        with _named(name):
            result = getattr(SqlCatalog, name)(self, *args, **more)
        fuse.reach(f"after {name}")
        return result

    return step


@contextmanager
def _named(name: str) -> Any:
    _call.name = name
    try:
        yield
    finally:
        _call.name = "read"


def start_service(
    words: Sequence[str], environment: Mapping[str, str], log: Path, at: str = ""
) -> BaseProcess:
    """`python -m service WORDS` in a process of its own; `at` is `STEP#N`. The caller ends it.

    It waits in the real one's steps, in tenths of seconds instead of half minutes.
    """
    process = _FORKS.Process(target=_run, args=(list(words), dict(environment), log, at))
    process.start()
    return process


def run_service(words: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """A command to its end; its exit code. What it printed stands in the log."""
    process = start_service(words, environment, log)
    process.join(100)
    process.kill()
    process.join()
    return process.exitcode or 0


def _run(words: list[str], environment: Mapping[str, str], log: Path, at: str) -> None:
    with log.open("ab") as out:
        for stream in (1, 2):
            os.dup2(out.fileno(), stream)
    os.environ.update(environment)
    vars(schedule)["FIRST_WAIT"] = timedelta(seconds=0.3)
    vars(databases)["BUSY_SECONDS"] = 1
    if at:
        arm(Fuse(at))
    sys.argv = ["service", *words]
    cli.main()
