"""What a driver is told and what it tells: one JSON document each, on standard input and output.

Only the standard library is used here: a driver runs in the environment of the client that it
drives. What a client raises is told, never raised on: the other steps go on and show more.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

WHY_LENGTH = 160
"""Characters that are kept of an error: some clients put the whole answer into it."""


@dataclass(frozen=True)
class Task:
    """One feed to visit. `ask` holds, per listing, its key and what stands behind the colon of an ID."""

    login_url: str
    username: str
    password: str
    resource: str
    class_: str
    query: str
    search_format: str
    key_field: str
    object_type: str
    ask: list[tuple[str, str]]


@dataclass
class Visit:
    """What a client got: names from metadata, listing keys, photos, and the steps that failed."""

    task: Task
    metadata: dict[str, Any] = field(default_factory=dict)
    listings: list[str] = field(default_factory=list)
    photos: list[tuple[str, str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A part of the visit whose failure is told."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - foreign code raises what it likes
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"
            self.failures.append((name, why[:WHY_LENGTH]))

    def learn(
        self, resource: str, key_field: str, classes: list[str], types: list[str], fields: list[str]
    ) -> None:
        """Keep the names that GetMetadata gave."""
        self.metadata = {
            "resource": resource,
            "key_field": key_field,
            "classes": classes,
            "object_types": types,
            "fields": fields,
        }

    def photo(self, listing: str, object_id: str, picture: bytes) -> None:
        """Keep a photo under the ids that the client gave it."""
        self.photos.append((listing, object_id, sha256(picture).hexdigest()))


def run(drive: Callable[[Visit], None]) -> None:
    """Read the task, visit the feed, print what came of it as the last line."""
    visit = Visit(Task(**json.load(sys.stdin)))
    with visit.step("session"):
        drive(visit)
    told = {
        "metadata": visit.metadata,
        "listings": visit.listings,
        "photos": visit.photos,
        "failures": visit.failures,
    }
    sys.stdout.write(json.dumps(told) + "\n")
