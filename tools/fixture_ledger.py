"""What a bucket must hold after each step, kept by the fixtures' own rules.

It is told what the MLS has and which pictures came whole, and knows nothing of the service: when
the two agree, two authors agree.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Row:
    """A photo in the bucket: its number or key, what the feed says of it, its bytes.

    `place` is its order where the key does not say it; `url` is where a URL names its content.
    """

    id: str
    stamp: str | None
    caption: str | None
    preferred: bool
    picture: bytes
    place: int | None = None
    url: str | None = None

    @property
    def order(self) -> int:
        """What sorts the set."""
        return int(self.id) if self.place is None else self.place

    def is_known(self, before: "Row | None") -> bool:
        """Whether a record says no more of it than is held, or only what needs no picture."""
        return self == before or (before is not None and self.place is not None and self.sha == before.sha)

    @property
    def sha(self) -> str:
        """Its identity."""
        return sha256(self.picture).hexdigest()


@dataclass(frozen=True)
class Asked:
    """What is asked of one listing: the photos that should come, those that came, what stays owed.

    `ids` is its part of a GetObject's ID. It may stay owed though nothing of it is missing: a whole
    set in a batch that was cut.
    """

    ids: str
    wanted: tuple[Row, ...]
    came: frozenset[str]
    owed: str = ""

    @property
    def listing(self) -> str:
        """The listing's key."""
        return self.ids.partition(":")[0]

    @property
    def rows(self) -> tuple[Row, ...]:
        """What came whole."""
        return tuple(row for row in self.wanted if row.id in self.came)

    @property
    def failed(self) -> int:
        """Photos asked for and not had; a set that may lack some counts once."""
        return len(self.wanted) - len(self.rows) or int(bool(self.owed))


@dataclass
class Ledger:
    """The listings' sets as the last step left them."""

    by_sequence: bool
    held: dict[str, tuple[Row, ...]] = field(default_factory=dict)

    def close_step(
        self,
        found: Sequence[str],
        requests: Iterable[str],
        asked: Sequence[Asked],
        records: Mapping[str, tuple[Row, ...]],
        gone: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Enter one step and return its expected.json.

        `found` are the keys that the search returned, `requests` the IDs of each GetObject; `records`
        holds, for each listing worked on, the photos that the MLS has of it.
        """
        cycle = dict.fromkeys(("downloaded", "uploaded", "unchanged", "moved", "removed", "failed"), 0)
        by_listing = {one.listing: one for one in asked}
        for key, said in records.items():
            before, one = self.held.get(key, ()), by_listing.get(key)
            self.held[key] = after = self._after(key, said, one)
            _count(cycle, before, after, one)
        for key in gone:
            _count(cycle, self.held.pop(key), (), None)
        return {
            "cycle": {"listings": len(found), **cycle},
            "asked": sorted(requests),
            "owed": {one.listing: one.owed for one in asked if one.failed},
            "listings": {key: _shown(rows) for key, rows in sorted(self.held.items())},
        }

    def _after(self, key: str, said: tuple[Row, ...], asked: Asked | None) -> tuple[Row, ...]:
        before = {row.id: row for row in self.held.get(key, ())}
        came = {row.id: row for row in asked.rows} if asked else {}
        if self.by_sequence:
            wanted = asked.wanted if asked else ()
            kept = {row.id: came.get(row.id) or before.get(row.id) if row in wanted else row for row in said}
            forgotten = [row for row in said if row not in wanted and not row.is_known(before.get(row.id))]
            assert not forgotten, f"{key}: the step forgot to ask"
            return tuple(row for row in kept.values() if row)
        # By whole set: all or nothing.
        if asked is None or asked.failed:
            assert key in self.held, f"{key}: a first load must come whole"
            return tuple(before.values())
        return asked.rows


def _count(
    cycle: dict[str, int], before: tuple[Row, ...], after: tuple[Row, ...], asked: Asked | None
) -> None:
    shas, now_shas = {row.sha for row in before}, {row.sha for row in after}
    ids = {row.id for row in after}
    same = sum(row in before for row in after)
    cycle["unchanged"] += same
    cycle["moved"] += sum(row.sha in shas for row in after) - same
    cycle["removed"] += sum(row.id not in ids and row.sha not in now_shas for row in before)
    if asked:
        cycle["downloaded"] += len(asked.rows)
        cycle["uploaded"] += len({row.sha for row in asked.rows} - shas)
        cycle["failed"] += asked.failed


def _shown(rows: tuple[Row, ...]) -> dict[str, Any]:
    """A manifest's media: by number, and a picture that 0 repeats only under its own number (Q34)."""
    numbered = {row.sha for row in rows if row.id != "0"}
    shown = sorted(
        (row for row in rows if row.id != "0" or row.sha not in numbered), key=lambda row: row.order
    )
    default = min(rows, key=lambda row: (row.id != "0", not row.preferred, row.order), default=None)
    return {
        "default": next((row.id for row in shown if default and row.sha == default.sha), None),
        "media": [_entry(row, preferred=bool(default and row.sha == default.sha)) for row in shown],
    }


def _entry(row: Row, *, preferred: bool) -> dict[str, Any]:
    with Image.open(BytesIO(row.picture)) as image:
        width, height, media_type = *image.size, image.get_format_mimetype()
    return {
        "MediaKey": row.id,
        "SequenceID": int(row.id) if row.id.isdecimal() else None,
        "Order": row.order,
        "PreferredPhotoYN": preferred,
        "MediaType": media_type,
        "ImageWidth": width,
        "ImageHeight": height,
        "MediaModificationTimestamp": row.stamp,
        "Sha256": row.sha,
        "Bytes": len(row.picture),
    }
