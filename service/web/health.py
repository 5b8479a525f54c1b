"""Whether the process is well (/healthz: else restart it), and whether it can work (/readyz: else wait).

Both answer in bounded time whatever hangs: each question to the outside runs on a thread of its own,
one at a time, and whoever asks meanwhile waits for the same answer.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse

from service.errors import ServiceError
from service.web.desk import Desk

log = structlog.get_logger()

READY_SECONDS = 5.0
"""A prober waits for ten seconds or so; what has not answered in half of that is not ready."""

NOWHERE = "readyz-looks-here/"
"""A prefix that need hold nothing: listing it asks for the bucket and for the right to read it."""


class Probe:
    """One question to the outside. `ask` returns when all is well and raises a ServiceError otherwise."""

    def __init__(self, name: str, ask: Callable[[], None]) -> None:
        self.name = name
        self._ask = ask
        self._lock = threading.Lock()
        self._answer: Future[str] | None = None

    def answer(self) -> "Future[str]":
        """What is wrong, "" when nothing is; the same answer for all who ask while it is on its way."""
        with self._lock:
            if self._answer is None or self._answer.done():
                self._answer = Future()
                run = threading.Thread(target=self._run, args=(self._answer,), daemon=True)
                run.name = f"probe-{self.name}"
                run.start()
            return self._answer

    def _run(self, answer: "Future[str]") -> None:
        try:
            self._ask()
        except ServiceError as error:
            answer.set_result(str(error))
        except Exception:
            log.exception("probe.crashed", probe=self.name)
            answer.set_result("the question failed; see the log")
        else:
            answer.set_result("")


class Health:
    """The two routes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._probes = [Probe("catalog", desk.catalog.check), Probe("store", self._look_into_store)]

    def _look_into_store(self) -> None:
        next(self._desk.store.list(NOWHERE), None)

    async def healthz(self, _request: Request) -> JSONResponse:
        """200 while every feed's thread runs: a feed that must be mended is nothing that a restart mends."""
        dead = list(self._desk.dead())
        return JSONResponse({"ok": not dead, "dead": dead}, 503 if dead else 200)

    async def readyz(self, _request: Request) -> JSONResponse:
        """200 when catalog and store answer and no migration is pending; else 503 and what is not ready."""
        problems = await _problems(self._probes)
        return JSONResponse({"ok": not problems, "problems": problems}, 503 if problems else 200)


async def _problems(probes: Sequence[Probe]) -> dict[str, str]:
    answers = {probe.name: asyncio.wrap_future(probe.answer()) for probe in probes}
    await asyncio.wait(answers.values(), timeout=READY_SECONDS)
    said = {
        name: answer.result() if answer.done() else f"no answer within {READY_SECONDS:g} s"
        for name, answer in answers.items()
    }
    return {name: problem for name, problem in said.items() if problem}
