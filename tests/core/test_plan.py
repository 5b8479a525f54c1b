from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.records import (
    WHOLE_SET,
    Absent,
    Denied,
    Image,
    ListingState,
    Outcome,
    PhotoRef,
    Redirect,
    Retryable,
    Unknown,
)
from service.core.guards import Guard
from service.core.photos import Pin, StoredPhoto, StoredSet, default_ref
from service.core.plan import (
    Answer,
    Commit,
    FeedRules,
    Gate,
    Refusal,
    Tally,
    plan_listing,
    remove_listing,
    settle,
)
from tests.core.strategies import by_sequence, by_whole_set, image, images, photo_lists, stored_sets

ALL = FeedRules()
DEFAULT_ONLY = FeedRules(default_only=True)
OLD, NEW = "2024-01-01T00:00:00Z", "2024-02-02T00:00:00Z"


def ref(number: int, stamp: str | None = OLD) -> PhotoRef:
    return PhotoRef(str(number), number, stamp)


def stored(*numbers: int, stamp: str | None = OLD) -> StoredSet:
    photos = tuple(StoredPhoto(ref(number), image(number)) for number in numbers)
    return StoredSet("1001", 3, stamp, photos)


def record(*refs: PhotoRef, complete: bool = True, stamp: str | None = NEW) -> ListingState:
    return ListingState("1001", stamp, photos=refs, complete=complete)


def row(stamp: str | None = NEW, count: int | None = None) -> ListingState:
    return ListingState("1001", stamp, expected_count=count)


def answers(**outcomes: Outcome) -> dict[str, Answer]:
    """Keyword `p3=` answers photo 3, `whole=` the set."""
    named = {WHOLE_SET if name == "whole" else name[1:]: outcome for name, outcome in outcomes.items()}
    return {
        id_: Answer(PhotoRef(id_, int(id_) if id_.isdecimal() else 0), outcome)
        for id_, outcome in named.items()
    }


def ids(photos: tuple[StoredPhoto, ...]) -> list[str]:
    return [photo.ref.id for photo in photos]


def committed(result: Commit | Refusal) -> Commit:
    assert isinstance(result, Commit), result
    return result


# What to ask, by sequence (seed 002, Standard-XML Search).


def test_a_new_listing_asks_for_the_whole_set_in_one_request() -> None:
    assert plan_listing(record(ref(1), ref(2)), StoredSet("1001"), ALL).ask is None


def test_a_new_listing_with_one_photo_asks_for_that_photo() -> None:
    assert plan_listing(record(ref(4)), StoredSet("1001"), ALL).ask == ("4",)


def test_an_unchanged_record_asks_nothing() -> None:
    assert plan_listing(record(ref(1), ref(2)), stored(1, 2), ALL).ask == ()


def test_only_the_photo_whose_stamp_differs_is_asked_for() -> None:
    assert plan_listing(record(ref(1), ref(2, NEW), ref(3)), stored(1, 2, 3), ALL).ask == ("2",)


def test_an_older_stamp_differs_too() -> None:
    assert plan_listing(record(ref(1), ref(2, "2001-01-01")), stored(1, 2), ALL).ask == ("2",)


def test_an_added_photo_is_asked_for_and_a_missing_one_is_not() -> None:
    plan = plan_listing(record(ref(1), ref(3)), stored(1, 2), ALL)
    assert plan.ask == ("3",)
    commit = committed(settle(plan, answers(p3=image(3)), stored(1, 2)))
    assert ids(commit.after.photos) == ["1", "3"]
    assert commit.dropped == {f"{image(2).sha256}.jpg"}
    assert commit.tally == Tally(unchanged=1, removed=1)


def test_a_gate_by_url_ignores_the_stamp() -> None:
    said = record(ref(1, NEW)._replace(url="a"), ref(2)._replace(url="b2"))
    have = StoredSet(
        "1001",
        1,
        photos=tuple(StoredPhoto(ref(n)._replace(url=url), image(n)) for n, url in ((1, "a"), (2, "b"))),
    )
    assert plan_listing(said, have, FeedRules(gate=Gate.URL)).ask == ("2",)


# What to ask, by whole set (seed 002, Compact Search).


def test_an_equal_photos_change_timestamp_asks_nothing() -> None:
    assert plan_listing(row(OLD), stored(1, 2), ALL).ask == ()


def test_a_different_photos_change_timestamp_asks_for_the_whole_set() -> None:
    assert plan_listing(row(NEW), stored(1, 2), ALL).ask is None


def test_a_row_without_a_stamp_is_no_gate_and_asks() -> None:
    assert plan_listing(row(None), stored(1, stamp=None), ALL).ask is None


def test_a_row_that_counts_no_photos_asks_nothing_once_the_empty_set_is_stored() -> None:
    assert plan_listing(row(None, count=0), StoredSet("1001", 1), ALL).ask == ()
    assert plan_listing(row(None, count=0), StoredSet("1001"), ALL).ask is None


def test_a_listing_that_was_gone_and_is_back_is_asked_for() -> None:
    gone = StoredSet("1001", 4, gone=True)
    assert plan_listing(row(OLD), gone, ALL).ask is None


# The default photo alone (seed 002, Default Property Photo).


def test_default_only_asks_for_sequence_id_0_where_the_record_does_not_say() -> None:
    assert plan_listing(row(), StoredSet("1001"), DEFAULT_ONLY).ask == ("0",)


def test_default_only_asks_for_the_recorded_default() -> None:
    assert plan_listing(record(ref(1), ref(0)), StoredSet("1001"), DEFAULT_ONLY).ask == ("0",)
    assert plan_listing(record(ref(3), ref(2)), StoredSet("1001"), DEFAULT_ONLY).ask == ("2",)


def test_default_only_keeps_one_photo_whatever_else_is_stored() -> None:
    plan = plan_listing(record(ref(1), ref(2)), stored(1, 2), DEFAULT_ONLY)
    assert ids(committed(settle(plan, {}, stored(1, 2))).after.photos) == ["1"]


def test_default_only_by_whole_set_takes_the_one_answer() -> None:
    plan = plan_listing(row(count=9), StoredSet("1001"), DEFAULT_ONLY)
    commit = committed(settle(plan, answers(p0=image(1)), StoredSet("1001")))
    assert (commit.settled, ids(commit.after.photos)) == (True, ["0"])


def test_default_only_does_not_believe_that_a_listing_with_photos_has_no_default() -> None:
    plan = plan_listing(row(count=9), stored(0), DEFAULT_ONLY)
    assert isinstance(settle(plan, answers(p0=Absent("20403")), stored(0)), Refusal)


# Settling by sequence.


@pytest.mark.parametrize(
    "outcome", [Absent("20403"), Denied("20407"), Retryable("20409"), Unknown("<html>"), Redirect("//x")]
)
def test_a_photo_that_cannot_be_had_keeps_its_old_picture_and_stays_owed(outcome: Outcome) -> None:
    plan = plan_listing(record(ref(1), ref(2, NEW)), stored(1, 2), ALL)
    commit = committed(settle(plan, answers(p2=outcome), stored(1, 2)))
    assert commit.after.photos == stored(1, 2).photos
    assert not commit.settled
    assert commit.retry is not isinstance(outcome, Denied)
    assert commit.tally.failed == 1
    # The old stamp stands beside the old picture, so the next look asks again.
    assert plan_listing(plan.said, commit.after, ALL).ask == ("2",)


def test_a_bad_part_does_not_stop_the_other_photos() -> None:
    plan = plan_listing(record(ref(1), ref(2), ref(3)), StoredSet("1001"), ALL)
    commit = committed(
        settle(plan, answers(p1=image(1), p2=Unknown("<html>"), p3=image(3)), StoredSet("1001"))
    )
    assert ids(commit.after.photos) == ["1", "3"]
    assert "photo 2" in commit.owed


def test_a_cut_answer_keeps_what_came_and_owes_the_rest() -> None:
    plan = plan_listing(record(ref(1, NEW), ref(2, NEW)), stored(1, 2), ALL)
    commit = committed(settle(plan, answers(p1=image(7), whole=Retryable("cut")), stored(1, 2)))
    assert [photo.image for photo in commit.after.photos] == [image(7), image(2)]
    assert not commit.settled


def test_an_answer_that_names_other_photos_settles_nothing() -> None:
    plan = plan_listing(record(ref(1), ref(2)), StoredSet("1001"), ALL)
    commit = committed(settle(plan, answers(p9=image(9)), StoredSet("1001")))
    assert (commit.after.photos, commit.settled) == ((), False)


def test_a_record_that_contradicts_its_own_count_removes_nothing() -> None:
    plan = plan_listing(record(ref(1), complete=False), stored(1, 2, 3), ALL)
    commit = committed(settle(plan, {}, stored(1, 2, 3)))
    assert ids(commit.after.photos) == ["1", "2", "3"]
    assert "nothing was removed" in commit.owed


def test_an_empty_complete_record_empties_the_set() -> None:
    commit = committed(settle(plan_listing(record(), stored(1, 2), ALL), {}, stored(1, 2)))
    assert (commit.after.photos, commit.tally.removed, commit.changed) == ((), 2, True)


def test_a_new_order_is_a_touch_without_a_question() -> None:
    said = record(ref(1)._replace(order=2), ref(2)._replace(order=1))
    plan = plan_listing(said, stored(1, 2), ALL)
    commit = committed(settle(plan, {}, stored(1, 2)))
    assert plan.ask == ()
    assert ids(commit.after.photos) == ["2", "1"]
    assert (commit.tally, commit.dropped) == (Tally(moved=2), frozenset())


def test_a_caption_from_the_answer_serves_where_the_record_has_none() -> None:
    plan = plan_listing(record(ref(1)), StoredSet("1001"), ALL)
    told = {"1": Answer(PhotoRef("1", 1, caption="Front"), image(1))}
    after = committed(settle(plan, told, StoredSet("1001"))).after
    assert after.photos[0].ref.caption == "Front"
    _second_plan_is_empty(plan.said, committed(settle(plan, told, StoredSet("1001"))), ALL)


# Settling by whole set.


def test_a_complete_answer_replaces_the_set() -> None:
    plan = plan_listing(row(), stored(1, 2), ALL)
    commit = committed(settle(plan, answers(p1=image(1), p5=image(5)), stored(1, 2)))
    assert (ids(commit.after.photos), commit.after.stamp, commit.after.generation) == (["1", "5"], NEW, 4)
    assert commit.dropped == {f"{image(2).sha256}.jpg"}


@pytest.mark.parametrize("outcome", [Denied("20407"), Retryable("20409"), Unknown("<html>"), Redirect("x")])
def test_a_stored_set_is_not_swapped_for_one_with_a_bad_part(outcome: Outcome) -> None:
    result = settle(plan_listing(row(), stored(1, 2), ALL), answers(p1=image(9), p2=outcome), stored(1, 2))
    assert isinstance(result, Refusal)
    assert result.retry is not isinstance(outcome, Denied)


def test_a_stored_set_is_not_swapped_for_a_cut_answer() -> None:
    told = answers(p1=image(9), p2=image(8), whole=Retryable("cut"))
    assert isinstance(settle(plan_listing(row(), stored(1, 2), ALL), told, stored(1, 2)), Refusal)


def test_a_first_load_shows_what_came_and_owes_the_rest() -> None:
    told = answers(p1=image(1), whole=Retryable("cut"))
    commit = committed(settle(plan_listing(row(), StoredSet("1001"), ALL), told, StoredSet("1001")))
    assert (ids(commit.after.photos), commit.settled, commit.after.stamp) == (["1"], False, None)
    assert plan_listing(row(), commit.after, ALL).ask is None


def test_an_absent_set_empties_a_listing_that_does_not_count_photos() -> None:
    plan = plan_listing(row(), stored(1, 2), ALL)
    commit = committed(settle(plan, answers(whole=Absent("20403")), stored(1, 2)))
    assert (commit.after.photos, commit.tally.removed) == ((), 2)


def test_a_set_that_empties_against_its_own_count_is_refused() -> None:
    plan = plan_listing(row(count=2), stored(1, 2), ALL)
    assert isinstance(settle(plan, answers(whole=Absent("20403")), stored(1, 2)), Refusal)


def test_fewer_photos_than_the_count_are_refused_unless_the_rest_is_absent() -> None:
    plan = plan_listing(row(count=3), stored(1, 2), ALL)
    assert isinstance(settle(plan, answers(p1=image(1), p2=image(2)), stored(1, 2)), Refusal)
    told = answers(p1=image(1), p2=image(2), p3=Absent("20403"))
    assert committed(settle(plan, told, stored(1, 2))).settled


def test_an_answer_without_any_part_is_no_empty_set() -> None:
    assert isinstance(settle(plan_listing(row(), stored(1), ALL), {}, stored(1)), Refusal)


def test_photos_that_change_places_are_moved_not_removed() -> None:
    plan = plan_listing(row(), stored(1, 2), ALL)
    told = {id_: Answer(ref(int(id_)), picture) for id_, picture in (("1", image(2)), ("2", image(1)))}
    commit = committed(settle(plan, told, stored(1, 2)))
    assert (commit.tally, commit.dropped) == (Tally(moved=2), frozenset())


@pytest.mark.parametrize("said", [record(ref(1, NEW)), row()])
def test_a_picture_that_names_no_photo_is_none(said: ListingState) -> None:
    result = settle(plan_listing(said, stored(1), ALL), answers(whole=image(9)), stored(1))
    assert isinstance(result, Refusal) or (result.after.photos == stored(1).photos and not result.settled)


# A listing that is gone.


def test_a_gone_listing_drops_every_object_and_keeps_its_generation_counting() -> None:
    commit = remove_listing(stored(1, 2))
    assert (commit.after.gone, commit.after.generation, commit.tally.removed) == (True, 4, 2)
    assert commit.dropped == stored(1, 2).names


# Laws.


@given(by_sequence, stored_sets(), st.data())
def test_applying_a_plan_gives_what_is_desired_and_a_second_plan_is_empty(
    said: ListingState, have: StoredSet, data: st.DataObject
) -> None:
    plan = plan_listing(said, have, ALL)
    assert plan.desired is not None
    asked = [r.id for r in plan.desired] if plan.ask is None else plan.ask
    told = {id_: Answer(PhotoRef(id_, 0), data.draw(images)) for id_ in asked}
    commit = committed(settle(plan, told, have))
    assert commit.settled
    assert {(p.ref.id, p.ref.stamp) for p in commit.after.photos} == {
        (r.id, r.stamp) for r in said.photos or ()
    }
    assert commit.dropped == have.names - commit.after.names
    _second_plan_is_empty(said, commit, ALL)


@given(by_whole_set, stored_sets(), photo_lists, st.data())
def test_a_settled_whole_set_is_exactly_what_came(
    said: ListingState, have: StoredSet, came: tuple[PhotoRef, ...], data: st.DataObject
) -> None:
    plan = plan_listing(said, have, ALL)
    told = {r.id: Answer(r, data.draw(images)) for r in came} if plan.ask is None else {}
    result = settle(plan, told, have)
    if isinstance(result, Refusal):
        return
    if plan.ask is None:
        assert {p.ref: p.image for p in result.after.photos} == {a.ref: a.outcome for a in told.values()}
    if result.settled and said.stamp is not None:
        _second_plan_is_empty(said, result, ALL)


outcomes = st.one_of(
    images,
    st.just(Denied("20407")),
    st.just(Retryable("20409")),
    st.just(Unknown("?")),
    st.just(Redirect("http://x")),
)


@given(
    st.one_of(by_sequence, by_whole_set),
    stored_sets(),
    st.dictionaries(st.sampled_from(["0", "1", "2", "3", "7", WHOLE_SET]), outcomes),
    st.sampled_from([ALL, DEFAULT_ONLY]),
)
def test_without_an_absence_no_photo_that_the_record_lists_is_ever_dropped(
    said: ListingState, have: StoredSet, told: dict[str, Outcome], rules: FeedRules
) -> None:
    plan = plan_listing(said, have, rules)
    result = settle(plan, {id_: Answer(PhotoRef(id_, 0), o) for id_, o in told.items()}, have)
    if isinstance(result, Refusal):
        return
    kept = {photo.ref.id for photo in result.after.photos}
    if plan.desired is None:
        failed = any(not isinstance(outcome, Image) for outcome in told.values())
        assert not (failed and result.dropped)
    else:
        listed = {r.id for r in plan.desired}
        assert {photo.ref.id for photo in have.photos} & listed <= kept


def _second_plan_is_empty(said: ListingState, commit: Commit, rules: FeedRules) -> None:
    again = plan_listing(said, commit.after, rules)
    assert again.ask == ()
    second = committed(settle(again, {}, commit.after))
    assert not second.changed
    assert second.dropped == frozenset()


@given(photo_lists)
def test_the_default_photo_is_0_else_preferred_else_the_lowest(photos: tuple[PhotoRef, ...]) -> None:
    default = default_ref(photos)
    if not photos:
        assert default is None
        return
    assert default is not None
    if any(r.id == "0" for r in photos):
        assert default.id == "0"
    elif any(r.preferred for r in photos):
        assert default.preferred
    else:
        assert default.order == min(r.order for r in photos)


# Guards.


def pinned(*numbers: int) -> StoredSet:
    return replace(stored(*numbers), pin=Pin.PHOTOS)


def test_what_was_undeleted_gets_no_smaller_on_the_feeds_word() -> None:
    said = record(ref(1))
    refusal = settle(plan_listing(said, pinned(1, 2, 3), FeedRules()), {}, pinned(1, 2, 3))
    assert isinstance(refusal, Refusal)
    assert (refusal.guard, refusal.loses, refusal.retry) == (Guard.UNDELETED, 2, False)


def test_what_was_undeleted_may_grow_and_change() -> None:
    said = record(ref(1), ref(2, NEW), ref(3), ref(4))
    plan = plan_listing(said, pinned(1, 2, 3), FeedRules())
    came = answers(p2=image(7), p4=image(8))
    assert committed(settle(plan, came, pinned(1, 2, 3))).settled


def test_a_set_that_is_smaller_than_its_count_says_what_it_would_lose() -> None:
    before = stored(1, 2, 3)
    plan = plan_listing(row(count=3), before, FeedRules())
    refusal = settle(plan, answers(p1=image(1)), before)
    assert isinstance(refusal, Refusal)
    assert (refusal.guard, refusal.loses) == (Guard.COUNT, 2)
    commit = committed(settle(plan_listing(record(ref(1), complete=False), before, FeedRules()), {}, before))
    assert commit.guard is Guard.COUNT
    assert not commit.settled


@given(by_sequence, stored_sets())
def test_a_loss_is_counted_where_readers_see_fewer_photos(said: ListingState, before: StoredSet) -> None:
    commit = committed(settle(plan_listing(said, before, FeedRules()), {}, before))
    assert commit.loses == (len(before.photos) - len(commit.after.photos) if commit.loses else 0)
    assert bool(commit.loses) <= bool(commit.dropped)
