"""The long run: rounds of new examples until the time is up, or until one of them fails.

    python -m tests.fuzz --minutes 10

Answers are built from the grammar of RETS with the quirks of real servers mixed in (Q1-Q105 of the
field guide), and damaged: cut, flipped, swapped, repeated, spliced. What must hold of each:

1. nothing is raised but a ParseError, by a feed nothing but a ServiceError;
2. the work is bounded, whatever comes (tests/parsers/deadline.py);
3. so is the memory (test_hostile_answers.py);
4. whole, byte by byte and cut anywhere, the bytes read the same;
5. no picture is accepted that was cut or replaced.

A failure is printed by hypothesis with the smallest example that it found and a line that repeats
it, and the whole round can be repeated by its seed. The floods are the same in each round, so one
has them.
"""

import argparse
import secrets
import subprocess
import sys
import time

from tests.fuzz.budget import LONG_RUN

FLOODS = "tests/fuzz/test_hostile_answers.py"


def main() -> int:
    """The exit status of the last round: 0 when nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="of the first round")
    said = parser.parse_args()
    end, longest, seed = time.monotonic() + said.minutes * 60, 0.0, said.seed
    while True:
        started = time.monotonic()
        status = run_round(seed, floods=seed == said.seed)
        longest = max(longest, time.monotonic() - started)
        if status:
            sys.stdout.write(f"\nThe same round again: python -m tests.fuzz --minutes 0 --seed {seed}\n")
        if status or time.monotonic() + longest > end:
            return status
        seed += 1


def run_round(seed: int, *, floods: bool) -> int:
    """Every test once, with the examples that this seed gives."""
    command = [sys.executable, "-m", "pytest", "tests/fuzz", "-q", "--timeout", "3600"]
    command += [f"--hypothesis-profile={LONG_RUN}", f"--hypothesis-seed={seed}"]
    command += [] if floods else [f"--ignore={FLOODS}"]
    sys.stdout.write(f"round with seed {seed}\n")
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
