import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.errors import LimitExceeded, Malformed, ParseError, Truncated
from parsers.records import ListingState, PhotoRef
from parsers.rets.reply import Reply, Verdict
from parsers.rets.search import SearchEnd
from parsers.rets.standard_xml import MAX_RECORD_NODES, StandardXmlListings
from tests.parsers.rets.played import FIELDS, play, play_every_way, standard
from tests.parsers.splits import byte_by_byte, cuts, in_chunks, whole


def new() -> StandardXmlListings:
    return StandardXmlListings(FIELDS)


def read(body: bytes) -> tuple[list[ListingState], SearchEnd]:
    return play_every_way(new, body)


def keys(body: bytes) -> list[str]:
    return [listing.key for listing in read(body)[0]]


def record(key: str, inside: str = "") -> str:
    return f"<Property><ListingKey>{key}</ListingKey>{inside}</Property>"


def photos(*ids: int, stamp: str = "t", more: str = "") -> str:
    items = (
        f"<Photo><SequenceID>{n}</SequenceID>\r\n <PhotoLastUpdated>{stamp}{n}</PhotoLastUpdated>{more}"
        "</Photo>"
        for n in ids
    )
    return f"<Photos>{''.join(items)}</Photos>"


def test_listings_come_with_their_photos_count_and_end() -> None:
    body = standard(
        record("1", photos(1, 2)), record("2", "<Photos/>"), record("3"), head='<COUNT Records="3"/>'
    )
    listings, end = read(body)
    refs = (PhotoRef("1", 1, "t1"), PhotoRef("2", 2, "t2"))
    assert listings == [ListingState("1", photos=refs), ListingState("2", photos=()), ListingState("3")]
    assert end == SearchEnd(Reply(0, "ok"), 3, 3, max_rows=False, ended=True, quarantined=())


def test_listings_are_given_out_before_the_answer_ends() -> None:
    parser = new()
    body = standard(record("1"), record("2"))
    cut = body.index(b"<ListingKey>2")
    assert [listing.key for listing in parser.receive_data(body[:cut])] == ["1"]
    assert [listing.key for listing in parser.receive_data(body[cut:])] == ["2"]


def test_q55_q56_rets_status_and_empty_answers() -> None:
    status = '<RETS-STATUS ReplyCode="20208" ReplyText="Maximum records"/><MAXROWS/>'
    listings, end = read(standard(record("1")).replace(b"</RETS>", f"{status}</RETS>".encode()))
    assert (len(listings), end.reply.code, end.max_rows) == (1, 20208, True)
    for empty in (b'<RETS ReplyCode="20201" ReplyText="none"/>', b'<RETS replycode="20201"></RETS>\r\n'):
        listings, end = read(empty)
        assert (listings, end.reply.verdict, end.ended) == ([], Verdict.NOTHING, True)


def test_q57_q59_the_count_is_kept_beside_the_rows() -> None:
    assert read(b'<RETS ReplyCode="0"><COUNT Records="1402"/></RETS>')[1].count == 1402
    assert read(standard(record("1")))[1].count is None


def test_q72_control_characters_and_references_are_filtered_before_the_parser() -> None:
    assert keys(standard(record("a\x0b&#x10;\x00b&#55357;&#56832;"))) == ["ab\U0001f600"]


def test_q73_bare_ampersands_and_angles_are_repaired() -> None:
    inside = "<Remarks>R&D &nbsp; 3 < 5 &lt;b&gt; ]]></Remarks>"
    listings, end = read(standard(record("R&D", inside), record("2")))
    assert ([listing.key for listing in listings], end.ended) == (["R&D", "2"], True)


def test_q74_doubly_encoded_references_stay_text() -> None:
    assert keys(standard(record("&amp;#233;"))) == ["&#233;"]


@pytest.mark.parametrize("encoding", ["", "utf-8", "ISO-8859-1", "utf-16", "nonsense"])
def test_q75_windows_1252_bytes_under_any_declaration(encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>' if encoding else ""
    body = declaration.encode() + standard(record("Qu\u00e9bec")).decode().encode("cp1252")
    assert keys(body) == ["Qu\u00e9bec"]


def test_q76_blank_lines_before_the_declaration() -> None:
    assert keys(b'\r\n \r\n<?xml version="1.0"?>\r\n' + standard(record("1"))) == ["1"]


def test_q77_a_cut_answer_keeps_what_was_complete_and_did_not_end() -> None:
    body = standard(record("1", photos(1)), record("2", photos(1, 2)), record("3"))
    for length in (*range(body.index(b">") + 1, len(body), 5), len(body) - 1):
        ways = [play(new(), chunks) for chunks in (whole(body[:length]), byte_by_byte(body[:length]))]
        assert ways[0] == ways[1]
        listings, end = ways[0]
        assert [listing.key for listing in listings] == ["1", "2", "3"][: len(listings)]
        assert all(listing.complete for listing in listings)
        assert not end.ended
    assert len(listings) == 2  # nothing shows yet that the third is complete


def test_q77_nothing_is_recovered_behind_broken_xml() -> None:
    body = standard(record("1"), "<Property><ListingKey>2</Oops></Property>", record("3"))
    listings, end = read(body)
    assert [listing.key for listing in listings] == ["1"]
    assert not end.ended
    assert end.quarantined == ("broken XML: Opening and ending tag mismatch: ListingKey and Oops",)
    assert end.rows_quarantined == 0


def test_q29_what_follows_the_root_does_not_matter() -> None:
    listings, end = read(standard(record("1")) + b"\r\n<html>& trailing")
    assert ([listing.key for listing in listings], end.ended, end.quarantined) == (["1"], True, ())


def test_a_doctype_defines_nothing() -> None:
    bomb = '<!DOCTYPE RETS [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    assert keys(bomb.encode() + standard(record("&b;&f;"))) == ["&b;&f;"]


def test_comments_cdata_and_processing_instructions_in_a_record() -> None:
    inside = (
        "<!-- <ListingKey>9</ListingKey> --><?x y?><Note><![CDATA[<ListingKey>8</ListingKey> & ]]></Note>"
    )
    assert keys(standard(record("<![CDATA[1]]><!-- 2 -->", inside), record("3"))) == ["1", "3"]


def test_listings_may_stand_at_any_depth() -> None:
    deep = f"<A x='1'><B/><C><D>{record('1')}{record('2')}</D></C></A>".join(
        ("<RETS ReplyCode='0'>", "</RETS>")
    )
    assert keys(deep.encode()) == ["1", "2"]
    assert keys(f"<RETS ReplyCode='0'>{record('1')}<COUNT/>{record('2')}</RETS>".encode()) == ["1", "2"]


def test_a_listing_without_its_key_is_quarantined_wherever_it_stands() -> None:
    broken = "<Property><ModificationTimestamp>m</ModificationTimestamp></Property>"
    for records in ([broken, record("1")], [record("1"), broken], [record("1"), record(" ")]):
        listings, end = read(standard(*records))
        assert [listing.key for listing in listings] == ["1"]
        assert (len(end.quarantined), end.rows_quarantined) == (1, 1)
        assert end.quarantined[0].startswith("a listing without its key")


def test_a_listing_that_does_not_end_passes_a_limit() -> None:
    parser = StandardXmlListings(FIELDS, max_record_bytes=10_000)
    body = standard(record("1", "<Remark>never again</Remark>" * 1000))
    with pytest.raises(LimitExceeded, match="10000 bytes"):
        play(parser, in_chunks(body, 100))


@pytest.mark.parametrize("small", ["<a/>", '<a b="" c=""/>', "<Photo><Other>1</Other></Photo>"])
def test_a_listing_of_many_small_tags_passes_a_limit_that_bounds_the_tree(small: str) -> None:
    body = standard(record("1", small * (MAX_RECORD_NODES + 2000)))
    with pytest.raises(LimitExceeded, match=f"{MAX_RECORD_NODES} tags"):
        play(new(), in_chunks(body, 4000))


def test_an_answer_of_any_length_stays_within_the_limit() -> None:
    parser = StandardXmlListings(FIELDS, max_record_bytes=10_000)
    body = standard(*(record(str(n), photos(1, 2, 3)) for n in range(500)))
    listings, end = play(parser, in_chunks(body, 1000))
    assert (len(listings), end.rows, end.ended) == (500, 500, True)
    assert len(body) > 100_000


@pytest.mark.parametrize("body", [b"", b"\r\n", b'<?xml version="1.0"?>', b"<RETS"])
def test_an_empty_or_cut_answer_without_rets_is_truncated(body: bytes) -> None:
    with pytest.raises(Truncated):
        read(body)


@pytest.mark.parametrize("body", [b"<html><body/></html>", b"\xff\xd8\xff", b"<RETS></RETS>", b"{}"])
def test_what_is_no_rets_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


PIECES = st.sampled_from(
    [
        *[record("1"), record("2", photos(1, 2)), record("", photos(3)), photos(1, 1, 4, stamp=" &amp;R&D ")],
        *[
            "<Property>",
            "</Property>",
            "<ListingKey>9</ListingKey>",
            "</Photos>",
            "<Photos>",
            "<Photo>",
            "</X>",
        ],
        *[
            photos(7, 8, more="<Description>a &#233; <!-- c --></Description>"),
            photos(5, more="\r\n<A>x</A>"),
        ],
        *[
            "<![CDATA[",
            "]]>",
            "<!--",
            "-->",
            "&",
            "< ",
            "&#55357;",
            "&#56832;",
            "\u00e9",
            "\x0b",
            '<x a="1">',
            "</x>",
        ],
        *["<PropertyDetails ID='5'/>", "<PhotosCount>9</PhotosCount>", "<photo-run n='1'/>", "<Photo/>"],
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.lists(PIECES, max_size=9))
def test_any_answer_reads_the_same_however_it_is_cut(data: st.DataObject, pieces: list[str]) -> None:
    # The first record teaches the shape of a photo, so that later ones can be taken out of the text.
    body = standard(record("0", photos(1, more="<Description>d</Description>")), *pieces)
    once = play(new(), byte_by_byte(body))
    assert play(new(), data.draw(cuts(body))) == once
    assert play(new(), whole(body)) == once


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=3))
def test_mutated_answers_never_raise_anything_but_a_parse_error(
    data: st.DataObject, wounds: list[tuple[int, bytes]]
) -> None:
    body = standard(record("1", photos(1, 2)), record("2", photos(1)), head='<COUNT Records="2"/>')
    for at, bytes_ in wounds:
        body = body[:at] + bytes_ + body[at + 2 :]
    outcomes = []
    for chunks in (whole(body), byte_by_byte(body), data.draw(cuts(body))):
        try:
            outcomes.append(repr(play(new(), chunks)))
        except ParseError as error:
            outcomes.append(type(error).__name__)  # its text may show how much had come
    assert len({*outcomes}) == 1
