"""Scene after scene with seeds of their own, until so many cycles were played; stops at the first that fails.

python -m tests.chaos [--cycles N] [--way WAY] [--seed SEED]
"""

import argparse
import logging
import secrets
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import structlog

from service.stores.embedded import EmbeddedStore
from tests.chaos.run import chaos
from tests.chaos.scenes import WAYS, scene
from tests.chaos.stage import ROUGH, Scene

CYCLES_OF_A_SCENE = 30


def main() -> int:
    """0 when every scene ended as it has to."""
    options = _options()
    if not options.log:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        logging.disable(logging.CRITICAL)
    ways = cycle([options.way] if options.way else WAYS)
    size = min(options.cycles, CYCLES_OF_A_SCENE)
    with tempfile.TemporaryDirectory() as folder, EmbeddedStore(Path(folder) / "s3") as s3:
        for _ in range(-(-options.cycles // size)):
            seed = secrets.randbelow(10**9) if options.seed is None else options.seed
            if not _play(scene(next(ways), seed, size), s3, Path(folder)):
                return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--cycles", type=int, default=420, help="how many, in scenes of 30")
    parser.add_argument("--way", choices=WAYS, help="how the feed is read; all ways by turns without it")
    parser.add_argument("--seed", type=int, help="of every scene; random without it")
    parser.add_argument("--log", action="store_true", help="show what the cycles log")
    return parser.parse_args()


def _play(played: Scene, s3: EmbeddedStore, folder: Path) -> bool:
    began = time.monotonic()
    with chaos(played, s3, folder) as run:
        wrong = run.play()
        met, changes = run.stage.faults_met(), run.stage.worlds[ROUGH].changes
    _say(
        f"{played.way:17} seed {played.seed:<10} {played.cycles} cycles, {changes} changes, "
        f"{met.total()} faults of {len(met)} kinds, {run.reader.looks} manifests read, "
        f"{time.monotonic() - began:.0f} s: {'wrong' if wrong else 'right'}"
    )
    if wrong:
        _say("\n".join(f"  {line}" for line in wrong))
        _say(f"again: python -m tests.chaos --cycles {played.cycles} --way {played.way} --seed {played.seed}")
    return not wrong


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
