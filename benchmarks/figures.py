"""What a benchmark gives back, and how it is measured: side by side, in turns, the median of the runs.

The machine may be busy with other things. Turns spread that over all sides alike, so the ratio holds
where the times do not.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Effort:
    """`runs` of every measurement; `quick`: small inputs, to see that everything works."""

    runs: int = 5
    quick: bool = False

    def size(self, full: int, quick: int) -> int:
        """How much to work on."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ours` and `theirs` are in `unit`; `ratio` is how many times better ours is.

    `must_reach` and `ok` are None where the figure only informs.
    """

    what: str
    unit: str
    ours: float
    peer: str
    theirs: float
    ratio: float
    must_reach: str | None = None
    ok: bool | None = None


def speed_row(what: str, ours: float, peer: str, theirs: float, at_least: float) -> Row:
    """Two sides in seconds; the target is a ratio."""
    ratio = theirs / ours
    return Row(
        what, "ms", ours * 1000, peer, theirs * 1000, ratio, f"at least {at_least} times", ratio >= at_least
    )


def memory_row(what: str, ours: float, peer: str, theirs: float, at_most: float) -> Row:
    """Two sides in MB above their start; the target is one for ours alone."""
    # Below a megabyte both are as good as nothing.
    ratio = max(theirs, 1.0) / max(ours, 1.0)
    return Row(what, "MB", ours, peer, theirs, ratio, f"at most {at_most:g} MB", ours <= at_most)


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """The call, giving back its seconds of CPU: for work that waits for nobody."""

    def run() -> float:
        began = time.process_time()
        call()
        return time.process_time() - began

    return run


def interleaved(runs: int, *sides: Callable[[], float]) -> list[float]:
    """The median of what each side gives; A B A B ..., so that all meet the same machine."""
    rounds = [[side() for side in sides] for _ in range(runs)]
    return [median(of_side) for of_side in zip(*rounds, strict=True)]
