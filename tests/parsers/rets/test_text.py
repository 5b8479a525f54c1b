import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from parsers.rets.text import Decoder, Repair, declared_encoding, decode, drop_controls, printable, unescape
from tests.parsers.splits import byte_by_byte, every_way


def decoded_every_way(body: bytes, encoding: str = "utf-8") -> str:
    texts = set()
    for chunks in every_way(body):
        decoder = Decoder(encoding)
        # A blank behind the body shows what is held back at its end.
        texts.add("".join(map(decoder.receive_data, [*chunks, b" "])))
    assert len(texts) == 1
    return texts.pop().removesuffix(" ")


def repaired_every_way(text: str) -> str:
    texts = set()
    for at in range(len(text) + 1):
        repair = Repair()
        texts.add(repair.receive_data(text[:at]) + repair.receive_data(text[at:]) + repair.receive_data(" "))
    repair = Repair()
    texts.add("".join(map(repair.receive_data, (*text, " "))))
    assert len(texts) == 1
    return texts.pop().removesuffix(" ")


@pytest.mark.parametrize(
    ("prolog", "encoding"),
    [
        (b"", "utf-8"),
        (b'<?xml version="1.0"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="UTF-8"?>', "utf-8"),
        (b"<?xml version='1.0' encoding = 'iso-8859-1'?>", "cp1252"),
        (b'<?xml version="1.0" encoding="windows-1252"?>', "cp1252"),
        (b'<?xml version="1.0" encoding="ISO-8859-15"?>', "iso8859-15"),
        (b'<?xml version="1.0" encoding="utf-16"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="no-such"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="rot13"?>', "utf-8"),
        (b'<?xml version="1.0" encoding="\xe9"?>', "utf-8"),
    ],
)
def test_q75_the_declared_encoding_counts_where_it_can_be_believed(prolog: bytes, encoding: str) -> None:
    assert declared_encoding(prolog) == encoding


def test_q75_bytes_that_are_no_utf8_are_windows_1252_and_their_neighbours_stay_utf8() -> None:
    mixed = "Montr\u00e9al ".encode() + b"Qu\xe9bec \x93old\x94 \x81 " + "\u20ac".encode()
    assert decoded_every_way(mixed) == "Montr\u00e9al Qu\u00e9bec \u201cold\u201d \ufffd \u20ac"
    assert decode(mixed) == decoded_every_way(mixed)


def test_q75_a_declared_single_byte_encoding_is_used() -> None:
    assert decoded_every_way(b"\xa4 5", "iso8859-15") == "\u20ac 5"


def test_q72_control_characters_are_dropped_before_the_parser() -> None:
    body = b"a\x0bb\x00c\x1f\t\r\nd" + "\ufffe\uffff".encode()
    assert decoded_every_way(body) == "abc\t\r\nd"
    assert drop_controls("a\x0bb\tc\ufffe") == "ab\tc"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("Smith &amp; Sons &lt;b&gt; &quot;x&apos;", "Smith & Sons <b> \"x'"),
        ("&#233;&#xE9;&#XE9;&#0233;", "\u00e9\u00e9\u00e9\u00e9"),
        ("a&#x10;b&#11;c&#0;", "abc"),  # Q72
        ("&#55357;&#56832;", "\U0001f600"),  # Q72
        ("&#xD83D;&#xde00;", "\U0001f600"),
        ("x&#55357;y&#56832;z&#xFFFF;", "xyz"),
        ("&#1114112;", ""),
        ("&amp;#233; &amp;amp;", "&#233; &amp;"),  # Q74: once
        ("R&D & &nbsp; &#; &#x; &#12345678; &AMP;", "R&D & &nbsp; &#; &#x; &#12345678; &AMP;"),
    ],
)
def test_references_mean_the_same_to_unescape_and_to_an_xml_parser_behind_repair(
    sent: str, meant: str
) -> None:
    assert unescape(sent) == meant
    assert etree.fromstring(f"<a>{repaired_every_way(sent)}</a>").xpath("string()") == meant


@pytest.mark.parametrize("text", ["3 < 5 & 5<6", "a <= b << c", "x ]]> y ]] > ]>"])
def test_q73_what_looks_like_markup_but_is_none_becomes_text(text: str) -> None:
    assert etree.fromstring(f"<a>{repaired_every_way(text)}</a>").text == text


def test_cdata_sections_pass_as_they_are() -> None:
    text = "<a>R&D<![CDATA[a & b &#x10; < ]] ]]>&<![CDATA[]]></a>"
    assert repaired_every_way(text) == "<a>R&amp;D<![CDATA[a & b &#x10; < ]] ]]>&amp;<![CDATA[]]></a>"


@given(st.text(alphabet="&#;xXdD8e012345amplgt<![CDATA]> \n") | st.text())
def test_repair_does_not_depend_on_the_chunks(text: str) -> None:
    whole, pieces = Repair(), Repair()
    assert whole.receive_data(text + "  ") == "".join(map(pieces.receive_data, text)) + pieces.receive_data(
        "  "
    )


@given(st.binary(max_size=60))
def test_decoding_does_not_depend_on_the_chunks(body: bytes) -> None:
    whole, pieces = Decoder("utf-8"), Decoder("utf-8")
    once = whole.receive_data(body + b" ")
    assert once == "".join(map(pieces.receive_data, byte_by_byte(body + b" ")))


def test_evidence_is_one_short_printable_line() -> None:
    assert printable(b"Server\r\n\x00 too   busy\xe9\x1b[31m") == "Server . too busy\u00e9.[31m"
    assert len(printable(b"x" * 5000)) == 200
