"""A bucket and a catalog damaged in every way; found by an audit, and mended by `--repair` and a cycle."""

from collections.abc import Callable

import pytest

from service.core.audit import Kind
from tests.ingest import damage
from tests.ingest.damage import BY_SEQUENCE, BY_WHOLE_SET, KEYS, Ward

DAMAGES: dict[Callable[[Ward], None], tuple[Kind, int]] = {
    damage.lose_a_photo: (Kind.MISSING, 1),
    damage.lose_all_of_a_listing: (Kind.MISSING, 4),
    damage.truncate_a_photo: (Kind.DIFFERING, 1),
    damage.exchange_bytes_of_a_photo: (Kind.DIFFERING, 1),
    damage.mix_up_two_photos: (Kind.DIFFERING, 2),
    damage.mistype_a_photo: (Kind.DIFFERING, 1),
    damage.let_a_photo_expire: (Kind.DIFFERING, 1),
    damage.mistype_a_manifest: (Kind.DIFFERING, 1),
    damage.lose_a_manifest: (Kind.MISSING, 1),
    damage.break_a_manifest: (Kind.DIFFERING, 1),
    damage.empty_a_manifest: (Kind.DIFFERING, 1),
    damage.reorder_a_manifest: (Kind.DIFFERING, 1),
    damage.alter_a_manifest_in_place: (Kind.DIFFERING, 1),
    damage.take_a_photo_out_of_a_manifest: (Kind.DIFFERING, 1),
    damage.put_an_older_manifest: (Kind.DIFFERING, 1),
    damage.put_another_listings_manifest: (Kind.DIFFERING, 1),
    damage.lose_a_photo_row: (Kind.DIFFERING, 3),
    damage.lose_a_photo_row_and_the_manifest: (Kind.DIFFERING, 3),
    damage.lose_a_listings_rows: (Kind.DIFFERING, 1),
    damage.lose_a_listings_rows_and_a_photo: (Kind.DIFFERING, 1),
    damage.doom_a_photo: (Kind.DIFFERING, 1),
    damage.leave_an_orphan: (Kind.ORPHANED, 1),
    damage.leave_an_orphan_of_no_listing: (Kind.ORPHANED, 1),
}


# What a repair fetches depends on the form of the feed; what it writes does not.
FETCHED = [harm for harm in DAMAGES if "manifest" not in harm.__name__ or "photo" in harm.__name__]
CASES = [(BY_SEQUENCE, harm) for harm in DAMAGES] + [(BY_WHOLE_SET, harm) for harm in FETCHED]


@pytest.mark.parametrize(("form", "harm"), CASES, ids=lambda case: getattr(case, "__name__", case))
def test_damage_is_found_and_gone_after_a_repair_and_a_cycle(
    wards: Callable[[str], Ward], form: str, harm: Callable[[Ward], None]
) -> None:
    ward = wards(form)
    before = ward.bucket()
    pictures = ward.pictures()
    harm(ward)
    kind, number = DAMAGES[harm]
    found = ward.audit()
    assert [one.kind for one in found.differences] == [kind] * number
    assert not found.ok
    repaired = ward.audit(repair=True)
    assert [one.key for one in repaired.differences] == [one.key for one in found.differences]
    assert repaired.ok
    assert ward.world.named() <= ward.world.objects()
    assert ward.world.cycle().ok
    assert ward.pictures() == pictures
    ward.world.cycle()  # an orphan's grace period ends
    assert ward.audit().differences == []
    after = ward.bucket()
    assert after.keys() == before.keys()
    changed = {key for key in before if after[key] != before[key]}
    assert all(key.endswith("manifest.json") for key in changed)


def test_by_sequence_only_the_damaged_photos_are_downloaded_again(ward: Ward) -> None:
    damage.truncate_a_photo(ward)
    ward.delete(ward.photo_key(2, KEYS[1]))
    ward.audit(repair=True)
    asked = len(ward.world.asked())
    report = ward.world.cycle()
    assert sorted(ward.world.asked()[asked:]) == ["1001:1", "1002:3"]
    assert report.snapshot()["downloaded"] == 2


def test_by_whole_set_the_damaged_set_is_downloaded_again_and_no_other(wards: Callable[[str], Ward]) -> None:
    ward = wards(BY_WHOLE_SET)
    damage.truncate_a_photo(ward)
    ward.audit(repair=True)
    asked = len(ward.world.asked())
    report = ward.world.cycle()
    assert ward.world.asked()[asked:] == ["1001:*"]
    assert (report.snapshot()["downloaded"], report.snapshot()["uploaded"]) == (3, 1)
