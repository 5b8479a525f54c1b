"""What a feed must say of the parts of an answer, for what was asked: a model of Asked, short and slow."""

from collections.abc import Sequence
from dataclasses import replace

from parsers.records import WHOLE_SET
from service.core.ports import Wanted
from tests.fuzz.chain import Came
from tests.fuzz.parts import Part


def expected(parts: Sequence[Part], wanted: Sequence[Wanted]) -> list[Came]:
    """Photos of listings that were asked for, under the ids that were asked for, in the order sent."""
    only = _only(wanted)
    came = [_came(part, number, alone=only is not None) for number, part in enumerate(parts, 1)]
    ours = [owned for said in came if (owned := _owned(said, wanted))]
    if only is not None:  # Q36
        exact = [said for said in ours if said.id == only]
        return [_renamed(said, only) for said in (exact or ours * (len(ours) == 1))]
    ids = {item.listing: item.ids for item in wanted}
    return [said for said in ours if said.id in (*(ids[said.listing] or [said.id]), WHOLE_SET)]


def _only(wanted: Sequence[Wanted]) -> str | None:
    ids = wanted[0].ids if len(wanted) == 1 else None
    return ids[0] if ids is not None and len(ids) == 1 else None


def _came(part: Part, number: int, *, alone: bool) -> Came:
    content, head = part.content, part.head
    order = int(part.id) if part.id.isdigit() else number
    if part.id or alone:
        return Came(part.listing, part.id, order, content.kind, content.mark, head.caption, head.preferred)
    # Among several, a picture without an Object-ID could be any; a failure without one is the set's.
    found = content.begun or content.kind == "Redirect"
    return Came(part.listing, WHOLE_SET, 0, "Unknown" if found else content.kind)


def _owned(said: Came, wanted: Sequence[Wanted]) -> Came | None:
    """Q38; without a Content-ID only a single listing can be meant."""
    listing = said.listing or (wanted[0].listing if len(wanted) == 1 else "")
    if listing not in {item.listing for item in wanted}:
        return None
    return replace(said, listing=listing)


def _renamed(said: Came, only: str) -> Came:
    return replace(said, id=only, order=int(only) if only.isdigit() else said.order)
