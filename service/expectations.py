"""What a fixture's step should have done, held against what it did: the differences, in words.

The bucket is read as any consumer reads it: manifests first, then the objects that they name.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.core.photos import manifest_key, segment
from service.core.ports import ObjectStore
from service.ingest.report import Report
from service.simulator.fixture import Expected, ExpectedListing


def differences(
    feed: str, expected: Expected, report: Report, asked: list[str], store: ObjectStore
) -> list[str]:
    """Everything in which the step's result is not the expected one; empty when all is well."""
    counts = report.snapshot()
    found = [
        f"{name}: expected {amount}, got {counts[name]}"
        for name, amount in expected.cycle.model_dump().items()
        if counts[name] != amount
    ]
    if sorted(asked) != sorted(expected.asked):
        found.append(f"asked: expected {sorted(expected.asked)}, got {sorted(asked)}")
    found += _owed(expected.owed, report.owed)
    if report.error:
        found.append(f"the cycle failed: {report.error}")
    if report.held:
        found.append(f"a guard spoke: {report.held}")
    return found + list(bucket_differences(feed, expected.listings, store))


def _owed(expected: Mapping[str, str], owed: Mapping[str, str]) -> list[str]:
    found = [
        f"listing {key} should be owed for {word!r}, got {owed.get(key, 'nothing owed')!r}"
        for key, word in expected.items()
        if word not in owed.get(key, "")
    ]
    return found + [f"listing {key}: {why}" for key, why in owed.items() if key not in expected]


def bucket_differences(
    feed: str, listings: Mapping[str, ExpectedListing], store: ObjectStore
) -> Iterator[str]:
    """Manifests that are missing, differ or should not be there, and objects that they name in vain."""
    sizes = {info.key: info.length for info in store.list(segment(feed) + "/")}
    manifests = {key for key in sizes if key.endswith("/manifest.json")}
    for listing, expected in listings.items():
        key = manifest_key(feed, listing)
        if key not in manifests:
            yield f"listing {listing}: no manifest at {key}"
            continue
        manifest = json.loads(store.get(key))
        yield from (f"listing {listing}: {text}" for text in _manifest_differences(expected, manifest))
        for entry in manifest["media"]:
            if sizes.get(entry["Key"]) != entry["Bytes"]:
                yield f"listing {listing}: {entry['Key']} should have {entry['Bytes']} bytes"
    for key in sorted(manifests - {manifest_key(feed, listing) for listing in listings}):
        yield f"{key} should not be there"


def _manifest_differences(expected: ExpectedListing, manifest: Mapping[str, Any]) -> Iterator[str]:
    if manifest["default"] != expected.default:
        yield f"default: expected {expected.default}, got {manifest['default']}"
    yield from _link_differences(expected.links, manifest.get("links", []))
    wanted, got = expected.media, manifest["media"]
    if len(wanted) != len(got):
        yield f"expected photos {[e['MediaKey'] for e in wanted]}, got {[e['MediaKey'] for e in got]}"
        return
    for want, have in zip(wanted, got, strict=True):
        for name, value in want.items():
            if have[name] != value:
                yield f"photo {want['MediaKey']}: {name}: expected {value!r}, got {have[name]!r}"


def _link_differences(
    expected: Sequence[Mapping[str, Any]], links: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    if len(expected) != len(links):
        yield f"links: expected {len(expected)}, got {len(links)}"
        return
    for want, have in zip(expected, links, strict=True):
        for name, value in want.items():
            if have[name] != value:
                yield f"link {want['MediaKey']}: {name}: expected {value!r}, got {have[name]!r}"
