"""`make kills`: hundreds of kill -9 of the daemon, at every step and at random instants.

    python -m tests.reliability.kills --kills 100 --seed 7 [--postgresql]

Each round is a scenario of its own: up to four kills, one after the other, then a daemon that nobody
kills, which must make of it what an undisturbed one makes. It prints the seed; the same seed chooses
the same rounds, though threads and processes still take their own time.
"""
# ruff: noqa: T201 - it talks to the person who runs it

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from service.stores.catalog import migrate
from service.stores.embedded import EmbeddedStore
from service.stores.object_store import MinioStore
from tests.reliability.armed import CALLS
from tests.reliability.scenario import FORMS, Scenario, change, load, scenario
from tests.stores.support import bucket_of, postgres_server

STEPS = 70
"""About as many as a cycle of the scenario passes, SQL statements included."""

CYCLE_SECONDS = 0.8
"""About as long as a cycle of the scenario takes, from the start of its process."""

NAMED = [
    f"{when} {what}"
    for what in (*CALLS, "photo put", "manifest put", "manifest delete", "sweep")
    for when in (("before", "within", "after") if what in CALLS else ("before", "after"))
]


@dataclass
class Rounds:
    """Where scenarios live, and what was seen so far."""

    s3: EmbeddedStore
    store: MinioStore
    folder: Path
    new_url: Callable[[Path], str]
    chance: random.Random
    expected: dict[tuple[str, str], Any] = field(default_factory=dict)
    steps: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @contextmanager
    def begin(self, form: str, phase: str) -> Iterator[Scenario]:
        """The scenario right before a phase."""
        with TemporaryDirectory(dir=self.folder) as name:
            url = self.new_url(Path(name))
            migrate(url)
            with scenario(self.s3, self.store, Path(name), url, form) as made:
                load(made.mls)
                if phase == "change":
                    made.settle()
                    change(made.mls)
                yield made

    def undisturbed(self, form: str, phase: str) -> Any:
        """What is to come of it."""
        if (form, phase) not in self.expected:
            with self.begin(form, phase) as made:
                self.expected[form, phase] = made.settle()
        return self.expected[form, phase]

    def run(self, number: int) -> None:
        """One round."""
        form, phase = self.chance.choice(list(FORMS)), self.chance.choice(["load", "change"])
        expected = self.undisturbed(form, phase)
        with self.begin(form, phase) as made:
            for _ in range(self.chance.randint(1, 4)):
                self.kill(made)
            seen = made.settle()
        self.failed += [
            f"round {number} ({form}, {phase}), {name}: {seen[name]} instead of {expected[name]}"
            for name in expected
            if seen[name] != expected[name]
        ]

    def kill(self, made: Scenario) -> None:
        """One kill: at an instant, at any step, or at one that is named."""
        kind = self.chance.choice(["instant", "any", "named"])
        if kind == "instant":
            if made.killed_after(self.chance.uniform(0.1, CYCLE_SECONDS)):
                self.steps["from outside"] += 1
            return
        number = self.chance.randrange(1, STEPS if kind == "any" else 3)
        step = "any" if kind == "any" else self.chance.choice(NAMED)
        if made.killed_at(f"{step}#{number}"):
            found = re.search(r"^killed (.*)$", made.log.read_text(), re.MULTILINE)
            self.steps[found[1] if found else "?"] += 1


@contextmanager
def databases(*, postgresql: bool) -> Iterator[Callable[[Path], str]]:
    """Gives the URLs of new catalogs."""
    if not postgresql:
        yield lambda folder: f"sqlite:///{folder / 'catalog.db'}"
        return
    with postgres_server() as server:
        yield lambda _: server.fresh_database()


def main() -> int:
    """Rounds until there were enough kills. Exit 1 when a round ended differently."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=100)
    words.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311 - chance, not a secret
    words.add_argument("--postgresql", action="store_true")
    given = words.parse_args()
    print(f"seed {given.seed}")
    with (
        TemporaryDirectory() as name,
        EmbeddedStore(Path(name) / "s3") as s3,
        bucket_of(s3) as store,
        databases(postgresql=given.postgresql) as new_url,
    ):
        chance = random.Random(given.seed)  # noqa: S311 - see above
        rounds = Rounds(s3, store, Path(name), new_url, chance)
        number = 0
        while rounds.steps.total() < given.kills and not rounds.failed:
            number += 1
            rounds.run(number)
            print(f"round {number}: {rounds.steps.total()} kills", flush=True)
    for step, count in sorted(rounds.steps.items()):
        print(f"{count:5} {step}")
    print("\n".join(rounds.failed) or f"{rounds.steps.total()} kills, {number} rounds, no difference")
    return 1 if rounds.failed else 0


if __name__ == "__main__":
    sys.exit(main())
