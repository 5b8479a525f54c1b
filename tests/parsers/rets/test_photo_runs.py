import random

import pytest
from lxml import etree

from parsers.records import ListingState, PhotoRef
from parsers.rets.photo_runs import MAX_LEAVES, MAX_PHOTOS, MAX_RUNS, RUN, PhotoRuns
from parsers.rets.standard_xml import StandardXmlListings
from tests.parsers.rets.played import FIELDS, play, standard
from tests.parsers.splits import byte_by_byte, cut_at, in_chunks

SHAPE = (
    "<Photo><SequenceID>1</SequenceID><Size>9</Size><PhotoLastUpdated>t</PhotoLastUpdated>"
    "<PhotoURL>u</PhotoURL><Description>d</Description></Photo>"
)


def taught(shape: str = SHAPE) -> PhotoRuns:
    runs = PhotoRuns()
    runs.learn(etree.fromstring(shape))
    return runs


def taken(runs: PhotoRuns, text: str) -> tuple[str, list[list[PhotoRef]]]:
    rest = runs.take_out(text)
    root = etree.fromstring(f"<r>{rest}</r>")
    return rest, [runs.pop(element) for element in root.iter(RUN)]


def test_nothing_is_taken_out_before_a_shape_is_known() -> None:
    assert PhotoRuns().take_out(SHAPE) == SHAPE


def test_a_run_becomes_one_element() -> None:
    rest, runs = taken(taught(), f"<a>{SHAPE}\r\n{SHAPE.replace('>1<', '>2<')}</a><b/>{SHAPE}tail")
    assert rest == f'<a><{RUN} n="1"/></a><b/><{RUN} n="2"/>tail'
    assert runs == [
        [PhotoRef("1", 1, "t", "u", caption="d"), PhotoRef("2", 2, "t", "u", caption="d")],
        [PhotoRef("1", 1, "t", "u", caption="d")],
    ]


def test_every_leaf_but_the_sequence_id_may_be_missing_or_empty() -> None:
    text = "<Photo><SequenceID>7</SequenceID><PhotoURL></PhotoURL></Photo>"
    assert taken(taught(), text)[1] == [[PhotoRef("7", 7)]]


def test_the_large_url_is_preferred_and_references_are_resolved() -> None:
    form = "<P><PhotoURL>{}</PhotoURL><LargePhotoURL>{}</LargePhotoURL><SequenceId>{}</SequenceId></P>"
    text = form.format("u", " l?a&amp;b\n", 1) + form.format("u?a&amp;b", " ", 2)
    assert taken(taught(form.format("u", "l", 1)), text)[1] == [
        [PhotoRef("1", 1, url="l?a&b"), PhotoRef("2", 2, url="u?a&b")]
    ]


@pytest.mark.parametrize(
    "photo",
    [
        SHAPE.replace(">1<", ">a<"),
        SHAPE.replace(">1<", "> 1<"),
        SHAPE.replace(">1<", "><"),
        SHAPE.replace(">t<", ">t\rt<"),
        SHAPE.replace(">t<", "><![CDATA[t]]><"),
        SHAPE.replace("<Size>", '<Size unit="px">'),
        SHAPE.replace("<Photo>", "<photo>"),
        SHAPE.replace("<Size>9</Size>", "<Size/>"),
        SHAPE.replace("<Size>9</Size>", "<Other>9</Other>"),
        SHAPE.replace("</Photo>", ""),
        SHAPE.replace("<SequenceID>1</SequenceID>", ""),
    ],
)
def test_a_photo_of_another_shape_stays_in_the_text(photo: str) -> None:
    assert taught().take_out(photo) == photo


@pytest.mark.parametrize(
    "shape",
    [
        SHAPE.replace("SequenceID", "Number"),
        SHAPE.replace("<Photo>", "<Photo id='1'>"),
        SHAPE.replace("<Size>9</Size>", "<Size><W/></Size>"),
        SHAPE.replace("<Size>9</Size>", "<PhotoURL>x</PhotoURL>"),
        SHAPE.replace("</Photo>", "".join(f"<L{n}/>" for n in range(MAX_LEAVES)) + "</Photo>"),
        SHAPE.replace("Photo>", "x:Photo>").replace("<x:Photo>", "<x:Photo xmlns:x='u'>"),
    ],
)
def test_a_shape_that_is_not_flat_and_plain_is_not_learnt(shape: str) -> None:
    assert taught(shape).take_out(SHAPE + shape) == SHAPE + shape


def test_a_dot_in_a_name_is_a_dot() -> None:
    runs = taught("<P.1><SequenceID>1</SequenceID></P.1>")
    other = "<Px1><SequenceID>1</SequenceID></Px1>"
    assert runs.take_out(other) == other
    assert taken(runs, "<P.1><SequenceID>1</SequenceID></P.1>")[1] == [[PhotoRef("1", 1)]]


def test_a_richer_shape_replaces_a_poorer_one_and_not_the_other_way_round() -> None:
    runs = taught("<Photo><SequenceID>1</SequenceID></Photo>")
    assert runs.take_out(SHAPE) == SHAPE
    runs.learn(etree.fromstring(SHAPE))
    runs.learn(etree.fromstring("<Photo><SequenceID>1</SequenceID></Photo>"))
    assert taken(runs, SHAPE)[1] == [[PhotoRef("1", 1, "t", "u", caption="d")]]


def test_runs_that_nobody_reads_are_bounded() -> None:
    runs = taught()
    text = f"<x>{SHAPE}</x>" * (MAX_RUNS + 5)
    assert runs.take_out(text).count(RUN) == MAX_RUNS + 5
    assert runs.take_out(SHAPE) == SHAPE


def test_photos_that_nobody_reads_are_bounded_however_few_the_runs_are() -> None:
    runs = taught()
    held = etree.fromstring(f"<r>{runs.take_out(SHAPE * MAX_PHOTOS)}</r>")
    assert runs.take_out(SHAPE) == SHAPE
    assert len(runs.pop(held[0])) == MAX_PHOTOS
    assert RUN in runs.take_out(SHAPE)


def test_runs_before_one_that_was_read_are_forgotten() -> None:
    runs = taught()
    first = etree.fromstring(f"<r>{runs.take_out(f'{SHAPE}<x/>{SHAPE}')}</r>")
    assert len(runs.pop(first[2])) == 1
    runs.take_out("")
    assert runs.pop(first[0]) == []


TEXTS = ["d", "R&D", "a &amp; b", "&#233;", "x\r\ny", "3 < 5", "", " t "]


def photo(dice: random.Random, n: int) -> str:
    """Photos as servers vary them: most alike, some not."""
    id_ = dice.choice([*[f"{n}"] * 4, f" {n}", "x"])
    leaves = [f"<SequenceID>{id_}</SequenceID>", f"<Description>{dice.choice(TEXTS)}</Description>"]
    if dice.random() < 0.7:
        leaves.insert(1, f"<PhotoLastUpdated>{dice.choice(TEXTS)}</PhotoLastUpdated>")
    return f"<Photo>{dice.choice(['', ' ']).join(leaves)}</Photo>"


def test_what_was_taken_out_reads_as_if_it_had_stayed() -> None:
    dice = random.Random(7)  # noqa: S311 - the same answer each time
    records = [
        f"<P><ListingKey>{n}</ListingKey><Photos>{''.join(photo(dice, m) for m in range(n % 9))}</Photos></P>"
        for n in range(60)
    ]
    body = standard(*records)
    # Byte by byte no photo is ever whole in a chunk, so nothing is taken out.
    untouched = play(StandardXmlListings(FIELDS), byte_by_byte(body))
    assert untouched[1].rows == 60
    for chunks in (in_chunks(body, 4096), in_chunks(body, 997), cut_at(body, [1000, 2000, 10_000])):
        assert play(StandardXmlListings(FIELDS), chunks) == untouched


def test_an_element_of_the_same_name_in_the_answer_is_no_run() -> None:
    record = f"<P><ListingKey>1</ListingKey><Photos><{RUN} n='1'/><{RUN}/></Photos></P>"
    assert play(StandardXmlListings(FIELDS), [standard(record)])[0] == [ListingState("1", photos=())]
