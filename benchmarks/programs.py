"""Child processes that are asked for figures: a JSON line for every line, until the input ends.

The end of the input comes even when the parent is killed, so no child is left behind.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Program:
    """A running child. `hello` is what it said when it was ready."""

    process: subprocess.Popen[str]
    hello: dict[str, Any]

    def ask(self) -> dict[str, Any]:
        """How things stand."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return _read(self.process)


@contextmanager
def program(module: str, argument: Any = None) -> Iterator[Program]:
    """`python -m module JSON`, ready to be asked; it ends with the context."""
    process = subprocess.Popen(  # noqa: S603 - one of our own modules
        [sys.executable, "-m", module, json.dumps(argument)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Program(process, _read(process))
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def answer_parent(hello: dict[str, Any], report: Callable[[], dict[str, Any]]) -> None:
    """The child's side. Returns when the parent lets go."""
    print(json.dumps(hello), flush=True)
    for _ in sys.stdin:
        print(json.dumps(report()), flush=True)


def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    said: dict[str, Any] = json.loads(process.stdout.readline())
    return said
