"""What a repair does about one listing's differences.

It never takes bytes from the bucket. The set that readers see goes on without its damaged photos at
once, since a manifest names only what is there; the next cycle brings them back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from parsers.records import Image
from service.core.audit import Difference, Mend, Side, distrust, said_before, salvage
from service.core.manifest import read_manifest, render_manifest
from service.core.photos import IMMUTABLE, StoredSet
from service.core.ports import CHANGES
from service.ingest.feed import Feed
from service.ingest.listings import write_manifest
from service.ingest.report import Report

IN_MEMORY = 2**20
"""Bytes of a photo that is stored again; a larger one goes through a temporary file."""


@dataclass(frozen=True)
class Mending:
    """A `Repair`. `by_sequence`: the feed's records list their photos."""

    by_sequence: bool

    def __call__(self, feed: Feed, side: Side, differences: Sequence[Difference]) -> int:
        """Mend what can be mended; returns how many differences that were."""
        keys = {mend: [found.key for found in differences if found.mend is mend] for mend in Mend}
        if keys[Mend.KEEP]:
            feed.catalog.deleted(feed.name, keys[Mend.KEEP])
        if keys[Mend.QUEUE]:
            feed.catalog.queue_deletions(feed.name, keys[Mend.QUEUE], feed.clock() + feed.delete_after)
        for key in keys[Mend.RETYPE]:
            _retype(feed, side, key)
        if keys[Mend.RESTORE]:
            _restore(feed, side)
        elif keys[Mend.REFETCH] or keys[Mend.SEARCH]:
            self._distrust(feed, side, keys[Mend.REFETCH])
        elif keys[Mend.REWRITE] and side.holding.stored:
            write_manifest(feed, Report(feed.name), side.holding.stored)
        return len(differences) - len(keys[Mend.LEAVE])

    def _distrust(self, feed: Feed, side: Side, damaged: list[str]) -> None:
        """Without a damaged photo it is not known what the set lacks: only the feed's own record tells."""
        stored = side.holding.stored or StoredSet(side.listing or "")
        commit = distrust(stored, frozenset(key.removeprefix(side.prefix) for key in damaged))
        said = said_before(stored, by_sequence=self.by_sequence) if damaged else None
        now = feed.clock()
        if said is None:
            _search_again(feed)
        feed.catalog.distrust(feed.name, commit, said, now, now + feed.delete_after)
        write_manifest(feed, Report(feed.name), replace(commit.after, updated=now))


def _restore(feed: Feed, side: Side) -> None:
    read = read_manifest(feed.name, side.document or b"")
    found = salvage(read, side.objects)
    cut = frozenset() if found == read else frozenset([read.key])
    if cut:
        _search_again(feed)
    feed.catalog.restore(feed.name, [found], due=cut)
    stored = feed.catalog.stored_sets(feed.name, [read.key])[read.key]
    if render_manifest(feed.name, stored, feed.public_url) != side.document:
        write_manifest(feed, Report(feed.name), stored)


def _search_again(feed: Feed) -> None:
    """The next cycle's search begins from the start. Said first: a repair may be killed in between."""
    feed.catalog.set_mark(feed.name, CHANGES, "")


def _retype(feed: Feed, side: Side, key: str) -> None:
    """The same bytes once more; the put checks them against their sha256."""
    stored = side.holding.stored
    images: list[Image] = [photo.image for photo in stored.photos] if stored else []
    image = next(image for image in images if image.sha256 in key)
    with feed.store.open(key) as source, SpooledTemporaryFile(IN_MEMORY) as body:
        for chunk in source.chunks:
            body.write(chunk)
        body.seek(0)
        bytes_again = cast("BinaryIO", body)
        feed.store.put(
            key, bytes_again, image.length, image.sha256, media_type=image.media_type, cache_control=IMMUTABLE
        )
