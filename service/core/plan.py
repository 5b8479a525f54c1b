"""The two decisions of the whole program, both pure.

`plan_listing` compares what a feed says with what is stored, before any byte: what to ask for.
`settle` looks at what came: what becomes true. By sequence (the record lists its photos) and by
whole set (it does not) differ only in where the truth about a set stands: in the record, or in a
complete answer.

Nothing is deleted on doubt: a photo leaves a set only because a record that is complete does not
list it, or because an answer that is complete does not hold it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from parsers.records import (
    DEFAULT_ID,
    WHOLE_SET,
    Absent,
    Denied,
    Image,
    ListingState,
    Outcome,
    PhotoRef,
    Unknown,
)
from service.core.guards import Guard
from service.core.outcomes import describe
from service.core.photos import StoredPhoto, StoredSet, default_ref


class Gate(StrEnum):
    """Which fact about a photo says that its bytes are new."""

    STAMP = "stamp"
    URL = "url"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class FeedRules:
    """How a feed's photos are compared. `default_only` keeps SequenceID 0 alone (seed 002).

    `described`: a listing comes without its photos, or with URLs that are good only for a while; its
    own record says more.
    """

    default_only: bool = False
    gate: Gate = Gate.STAMP
    described: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask of the feed for one listing.

    `ask` holds photo ids; empty asks nothing, None asks for the whole set. `desired` is the set as
    the record lists it, or None where only an answer can tell.
    """

    said: ListingState
    desired: tuple[PhotoRef, ...] | None
    ask: tuple[str, ...] | None

    @property
    def spared(self) -> int:
        """Photos of the record that are current and need no download."""
        return len(self.desired) - len(self.ask) if self.desired and self.ask is not None else 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One outcome, with what the answer itself says of the photo."""

    ref: PhotoRef
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Tally:
    """How the photos of a set fared: same bytes in the same place, same bytes elsewhere, no more."""

    unchanged: int = 0
    moved: int = 0
    removed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Commit:
    """What becomes true. `dropped` are object names that the set needs no more.

    `owed` says what is still missing (empty: the listing is settled); `retry` whether asking
    again can help; `guard` what kept photos in the set that may have to leave it.
    """

    before: StoredSet
    after: StoredSet
    dropped: frozenset[str] = frozenset()
    tally: Tally = field(default_factory=Tally)
    owed: str = ""
    retry: bool = True
    guard: Guard | None = None

    @property
    def changed(self) -> bool:
        """Whether readers will see a new generation."""
        return self.after.generation != self.before.generation

    @property
    def loses(self) -> int:
        """By how many photos readers will see the set shrink. Replaced photos are no loss."""
        return max(0, len(self.before.photos) - len(self.after.photos)) if self.dropped else 0

    @property
    def settled(self) -> bool:
        """Whether the listing is now as the feed says."""
        return not self.owed


@dataclass(frozen=True, slots=True)
class Refusal:
    """The stored set stays as it is. `retry` False: asking again does not help.

    `guard` says what keeps it, and `loses` how many photos fewer it would otherwise have.
    """

    why: str
    retry: bool = True
    failed: int = 1
    guard: Guard | None = None
    loses: int = 0


def plan_listing(said: ListingState, stored: StoredSet, rules: FeedRules) -> Plan:
    """What to ask for, given what the feed says and what is stored."""
    if said.photos is None:
        whole = (DEFAULT_ID,) if rules.default_only else None
        return Plan(said, None, () if _set_is_current(said, stored) else whole)
    desired = _chosen(said.photos, rules)
    have = {photo.ref.id: photo for photo in stored.photos}
    ask = tuple(ref.id for ref in desired if not _is_current(ref, have.get(ref.id), rules.gate))
    # Everything is new: one request for the whole set costs less than a list of ids.
    everything = len(ask) == len(desired) > 1
    return Plan(said, desired, None if everything else ask)


def settle(plan: Plan, answers: Mapping[str, Answer], stored: StoredSet) -> Commit | Refusal:
    """What becomes true once the answers are in.

    An answer that did not end well holds a Retryable under WHOLE_SET, which speaks for all photos
    that it did not bring.
    """
    answers = _without_nameless(answers)
    if plan.desired is None:
        if plan.ask == ():
            return _commit(stored, stored)
        return _respect_pin(_settle_whole_set(plan, answers, stored))
    return _respect_pin(_settle_by_sequence(plan, plan.desired, answers, stored))


def remove_listing(stored: StoredSet) -> Commit:
    """The listing is gone from its feed: its manifest goes now, its objects after the grace period."""
    after = StoredSet(stored.key, stored.generation, gone=True)
    return _commit(stored, after)


# By whole set: the truth is a complete answer.


def _set_is_current(said: ListingState, stored: StoredSet) -> bool:
    """The whole-set gate (seed 002, Compact Search): an equal PhotosChangeTimestamp.

    Without a stamp the feed gives no gate, so the set is asked for whenever the listing comes up,
    except where the record counts no photos and none are stored.
    """
    if stored.generation == 0 or stored.gone:
        return False
    if said.stamp is None:
        return said.expected_count == 0 and not stored.photos
    return said.stamp == stored.stamp


def _settle_whole_set(plan: Plan, answers: Mapping[str, Answer], stored: StoredSet) -> Commit | Refusal:
    came = tuple(
        StoredPhoto(answer.ref, answer.outcome)
        for answer in answers.values()
        if isinstance(answer.outcome, Image)
    )
    doubt, retry, guard = _doubt(plan, answers, len(came))
    # A first load shows what came, since nothing can be mixed up or lost by it; a stored set is
    # swapped only for one that is beyond doubt.
    if doubt and (stored.photos or not came):
        loses = max(0, len(stored.photos) - len(came)) if guard else 0
        return Refusal(doubt, retry, _failures(answers) or 1, guard, loses)
    photos = tuple(sorted(came, key=lambda photo: photo.ref.order))
    stamp = None if doubt else plan.said.stamp
    after = StoredSet(plan.said.key, stored.generation, stamp, photos, plan.said.links)
    commit = _commit(stored, after, owed=doubt, retry=retry, failed=_failures(answers))
    return replace(commit, guard=guard) if guard else commit


class _Doubt(NamedTuple):
    """Why an answer may not be the whole set ("" when it is), and whether asking again can help."""

    why: str
    retry: bool = True
    guard: Guard | None = None


def _doubt(plan: Plan, answers: Mapping[str, Answer], images: int) -> _Doubt:
    bad = {id_: answer.outcome for id_, answer in answers.items() if _is_failure(answer.outcome)}
    if bad:
        return _Doubt(describe(bad), not all(isinstance(outcome, Denied) for outcome in bad.values()))
    if not answers:
        return _Doubt("the answer held nothing")
    counted = plan.said.expected_count
    expected = min(counted, 1) if counted is not None and plan.ask is not None else counted
    absent = sum(isinstance(answer.outcome, Absent) for id_, answer in answers.items() if id_ != WHOLE_SET)
    # With the default photo alone there is nothing that could make up for its absence.
    accounted = images + (absent if plan.ask is None else 0)
    if expected is not None and accounted < expected:
        why = f"the answer holds {images} photos, the listing counts {counted}"
        return _Doubt(why, guard=Guard.COUNT)
    return _Doubt("")


# By sequence: the truth is the record.


def _chosen(photos: tuple[PhotoRef, ...], rules: FeedRules) -> tuple[PhotoRef, ...]:
    default = default_ref(photos)
    if rules.default_only:
        return (default,) if default else ()
    return tuple(sorted(photos, key=lambda ref: ref.order))


def _is_current(ref: PhotoRef, stored: StoredPhoto | None, gate: Gate) -> bool:
    if stored is None:
        return False
    match gate:
        case Gate.URL:
            return ref.url == stored.ref.url
        case Gate.KEY:
            return True
    return ref.stamp == stored.ref.stamp


def _settle_by_sequence(
    plan: Plan, desired: tuple[PhotoRef, ...], answers: Mapping[str, Answer], stored: StoredSet
) -> Commit:
    have = {photo.ref.id: photo for photo in stored.photos}
    asked = {ref.id for ref in desired} if plan.ask is None else set(plan.ask)
    photos: list[StoredPhoto] = []
    missing: dict[str, Outcome] = {}
    for ref in desired:
        if ref.id not in asked:
            photos.append(_kept(ref, have[ref.id]))
            continue
        outcome = _outcome_of(ref.id, answers)
        if isinstance(outcome, Image):
            photos.append(StoredPhoto(_captioned(ref, answers[ref.id].ref), outcome))
            continue
        missing[ref.id] = outcome
        if ref.id in have:  # the old picture and its old stamp stay until the new one is here
            photos.append(have[ref.id])
    owed = describe(missing)
    links = plan.said.links
    guard = None if plan.said.complete else _unsettled(plan.said, desired, stored)
    if guard:
        listed = {ref.id for ref in desired}
        photos += [photo for photo in stored.photos if photo.ref.id not in listed]
        links = _with_others(links, stored.links)
        owed = owed or "the record lists fewer photos than it counts: nothing was removed"
    stamp = None if owed else plan.said.stamp
    after = StoredSet(plan.said.key, stored.generation, stamp, tuple(photos), links)
    retry = not missing or not all(isinstance(outcome, Denied) for outcome in missing.values())
    commit = _commit(stored, after, owed=owed, retry=retry, failed=len(missing))
    return replace(commit, guard=guard) if guard else commit


def _unsettled(said: ListingState, desired: tuple[PhotoRef, ...], stored: StoredSet) -> Guard | None:
    """What an incomplete record leaves open: nothing, where it has no photo, no count, and none was had."""
    listed = {link.id for link in said.links}
    had = bool(stored.photos) or any(link.id not in listed for link in stored.links)
    return Guard.COUNT if said.expected_count is not None or desired or had else None


def _with_others(links: tuple[PhotoRef, ...], stored: tuple[PhotoRef, ...]) -> tuple[PhotoRef, ...]:
    """These links, and the stored ones that are not among them."""
    known = {link.id for link in links}
    return links + tuple(link for link in stored if link.id not in known)


def _captioned(ref: PhotoRef, other: PhotoRef) -> PhotoRef:
    """The record's caption; where the record does not speak of captions (None), the other's."""
    return ref._replace(caption=other.caption) if ref.caption is None and other.caption else ref


def _kept(ref: PhotoRef, stored: StoredPhoto) -> StoredPhoto:
    """The stored picture under what the record says now; the same value where nothing differs."""
    ref = _captioned(ref, stored.ref)
    return stored if ref == stored.ref else StoredPhoto(ref, stored.image)


def _outcome_of(id_: str, answers: Mapping[str, Answer]) -> Outcome:
    """The photo's own outcome, else the one that speaks for the set, else that nothing came."""
    answer = answers.get(id_) or answers.get(WHOLE_SET)
    return answer.outcome if answer else Unknown("no answer named this photo")


# Both.


def _respect_pin(result: Commit | Refusal) -> Commit | Refusal:
    """A set that an operator brought back gets no smaller on the word that it was brought back against."""
    if isinstance(result, Refusal) or result.before.pin is None or not result.loses:
        return result
    why = f"it was undeleted, and the feed still has {result.loses} photos fewer"
    return Refusal(why, retry=False, guard=Guard.UNDELETED, loses=result.loses)


def _without_nameless(answers: Mapping[str, Answer]) -> Mapping[str, Answer]:
    """A picture under Object-ID `*` could be any photo of the set, so it is none."""
    whole = answers.get(WHOLE_SET)
    if whole is None or not isinstance(whole.outcome, Image):
        return answers
    return {**answers, WHOLE_SET: Answer(whole.ref, Unknown("a picture came that names no photo"))}


def _is_failure(outcome: Outcome) -> bool:
    return not isinstance(outcome, Image | Absent)


def _failures(answers: Mapping[str, Answer]) -> int:
    """Photos that were asked for and not had; a cut answer without a photo of its own counts once."""
    failed = {id_ for id_, answer in answers.items() if _is_failure(answer.outcome)}
    return len(failed - {WHOLE_SET}) or len(failed)


def _commit(
    stored: StoredSet, after: StoredSet, *, owed: str = "", retry: bool = True, failed: int = 0
) -> Commit:
    if after == stored and (stored.generation or owed):
        return Commit(stored, stored, tally=Tally(len(stored.photos), failed=failed), owed=owed, retry=retry)
    after = replace(after, generation=stored.generation + 1)
    return Commit(stored, after, stored.names - after.names, _tally(stored, after, failed), owed, retry)


def _tally(stored: StoredSet, after: StoredSet, failed: int) -> Tally:
    before = {photo.ref.id: photo for photo in stored.photos}
    shas = {photo.image.sha256 for photo in stored.photos}
    now_ids = {photo.ref.id for photo in after.photos}
    now_shas = {photo.image.sha256 for photo in after.photos}
    same = sum(before.get(photo.ref.id) == photo for photo in after.photos)
    known = sum(photo.image.sha256 in shas for photo in after.photos)
    removed = sum(
        photo.ref.id not in now_ids and photo.image.sha256 not in now_shas for photo in stored.photos
    )
    return Tally(unchanged=same, moved=known - same, removed=removed, failed=failed)
