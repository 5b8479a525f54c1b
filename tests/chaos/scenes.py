"""The scenes that are played: each way in which a feed can be read, by turns."""

from typing import Any

from tests.chaos.stage import Scene

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "sequence": ("STANDARD-XML", {}),
    "sequence-pages": ("STANDARD-XML", {"limit": 5}),
    "sequence-batches": ("STANDARD-XML", {"batch_listings": 4, "batch_objects": 12}),
    "set": ("COMPACT", {}),
    "set-pages": ("COMPACT", {"limit": 5}),
    "set-batches": ("COMPACT", {"batch_listings": 4, "batch_objects": 12}),
    "set-urls": ("COMPACT", {"location": 1}),
}
"""Each way by its name: the search format, and what else the feed's table says."""


def scene(way: str, seed: int, cycles: int, **more: Any) -> Scene:
    """A scene to be played."""
    form, settings = WAYS[way]
    return Scene(seed, way, form, cycles=cycles, settings=settings, **more)
