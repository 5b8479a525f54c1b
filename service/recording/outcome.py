"""What a live cycle did, in the words of a fixture's expected.json."""

import json
import re
from typing import Any

from service.core.photos import segment
from service.core.ports import ObjectStore
from service.ingest.report import Report
from service.simulator.fixture import MEDIA_NAMES, ExpectedCycle

_LIVE = re.compile(r"https?://|denied: a photo's URL leads to")
"""Where a reason begins to speak of live hosts: by their URLs, or by an address that is refused."""


def outcome(feed: str, report: Report, asked: list[str], store: ObjectStore) -> dict[str, Any]:
    """Counts, GetObject IDs, reasons of what is owed, and every manifest of the bucket."""
    counts = report.snapshot()
    manifests = [
        json.loads(store.get(info.key))
        for info in store.list(segment(feed) + "/")
        if info.key.endswith("/manifest.json")
    ]
    return {
        "cycle": {name: counts[name] for name in ExpectedCycle.model_fields},
        "asked": sorted(asked),
        "owed": {listing: lasting_words(why) for listing, why in report.owed.items()},
        "listings": {manifest["listing"]: _listing(manifest) for manifest in manifests},
    }


def lasting_words(why: str) -> str:
    """The part of a reason that a replay says, too: up to where it speaks of live hosts.

    >>> lasting_words("photo 2: retryable: the answer of http://mls.example/getobject was cut")
    'photo 2: retryable'
    """
    live = _LIVE.search(why)
    return why[: live.start()].rpartition(": ")[0] if live else why


def _listing(manifest: dict[str, Any]) -> dict[str, Any]:
    media = [{name: entry[name] for name in MEDIA_NAMES} for entry in manifest["media"]]
    return {"default": manifest["default"], "media": media}
