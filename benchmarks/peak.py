"""How much memory one function needs: its peak above its start, in a process that does nothing else.

The function is a generator. What it does before its first `yield` makes it ready and is not counted.
"""

import json
import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")


def peak_of(function: str, *arguments: Any) -> float:
    """MB (2^20 bytes) that `module:function` needs; the arguments go there as JSON."""
    command = [sys.executable, "-m", "benchmarks.peak", function, json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - see above
    return float(done.stdout)


def main() -> None:
    """The fresh process."""
    module, _, name = sys.argv[1].partition(":")
    steps = getattr(import_module(module), name)(*json.loads(sys.argv[2]))
    next(steps)
    start = _kilobytes("VmRSS")
    for _ in steps:
        pass
    print((_kilobytes("VmHWM") - start) / 1024)


def _kilobytes(name: str) -> int:
    """A line of /proc/self/status: VmRSS is now, VmHWM the peak of this very program.

    Where there is no /proc, the peak so far stands for both. Not on Linux: there it begins with the
    parent's.
    """
    if STATUS.exists():
        lines = (line.split() for line in STATUS.read_text().splitlines())
        return next(int(words[1]) for words in lines if words[0] == f"{name}:")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # macOS gives bytes


if __name__ == "__main__":
    main()
