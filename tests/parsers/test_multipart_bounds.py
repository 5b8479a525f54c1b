"""Limits, memory, and properties of random and damaged bundles."""

import gc
import tracemalloc
from collections.abc import Iterator
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests_toolbelt import MultipartDecoder

from parsers.errors import LimitExceeded, ParseError
from parsers.image import ImageProbe
from parsers.multipart import MultipartParser, PartData
from tests.parsers.bundles import Part, bodies, collect, ids
from tests.parsers.pictures import JPEGS
from tests.parsers.splits import byte_by_byte, cuts, every_way, in_chunks

# Limits and memory.


def test_q6_a_preamble_of_any_length_is_not_kept() -> None:
    parser = MultipartParser(b"b")
    chunk = b"junk without an end\r\n" * 3000
    tracemalloc.start()
    for _ in range(800):
        assert parser.receive_data(chunk) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
    assert bodies(collect(parser, [b"--b\r\n\r\nabc\r\n--b--"])) == [b"abc"]


def test_header_block_over_its_limit_is_refused_whatever_the_split() -> None:
    for size, fits in ((100, True), (101, False)):
        line = b"X: " + b"y" * (size - 4)  # and its CR
        body = b"--b\r\n" + line + b"\r\n\r\nabc\r\n--b--"
        for chunks in every_way(body):
            parser = MultipartParser(b"b", max_header_bytes=100)
            if fits:
                assert bodies(collect(parser, chunks)) == [b"abc"]
            else:
                with pytest.raises(LimitExceeded, match="over 100 bytes"):
                    collect(parser, chunks)


def test_endless_header_block_is_refused_early() -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b"--b\r\n"
        for chunk in repeat(b"X: yyyyyyyyyyy\r\n" * 64):
            sent += len(chunk)
            yield chunk

    with pytest.raises(LimitExceeded, match="65536"):
        collect(MultipartParser(b"b"), endless())
    assert sent < 70_000


def test_more_parts_than_the_limit_are_refused() -> None:
    body = b"--b\r\n\r\nx\r\n" * 10_001 + b"--b--"
    with pytest.raises(LimitExceeded, match="10000"):
        collect(MultipartParser(b"b"), [body])
    assert len(collect(MultipartParser(b"b", max_parts=10_001), [body])) == 10_001


def test_part_data_are_views_of_the_chunk_without_a_copy() -> None:
    parser = MultipartParser(b"b")
    parser.receive_data(b"--b\r\n\r\nabc")
    chunk = b"x" * 1000 + b"\r\n--"
    [event] = parser.receive_data(chunk)
    assert isinstance(event, PartData)
    assert event.data.obj is chunk
    assert len(event.data) == 1000


def test_bundle_of_500_mb_adds_less_than_4_mb() -> None:
    parser = MultipartParser(b"frame")
    chunk = bytes(range(256)) * 256
    gc.collect()
    tracemalloc.start()
    total = 0
    for number in range(7800):
        head = b"\r\n--frame\r\nObject-ID: %d\r\n\r\n" % number if number % 4 == 0 else b""
        for event in parser.receive_data(head + chunk):
            total += len(event.data) if isinstance(event, PartData) else 0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 500_000_000
    assert peak < 4 * 2**20


def test_a_photo_reaches_the_probe_complete_through_the_parser() -> None:
    photo = JPEGS["baseline"]
    body = b"--b\r\n\r\n" + photo + b"\r\n--b--"
    probe = ImageProbe()
    parser = MultipartParser(b"b")
    for chunk in in_chunks(body, 17):
        for event in parser.receive_data(chunk):
            if isinstance(event, PartData):
                probe.receive_data(event.data)
    facts = probe.result()
    assert facts is not None
    assert (facts.width, facts.height, facts.complete) == (40, 30, True)


# Properties.

LOOK_ALIKES = [
    b"\r\n",
    b"\n",
    b"\r",
    b"--",
    b"-",
    b"--b0",
    b"\r\n--b",
    b"\n--b0x",
    b"--b0--",
    b"\r\n--b0\r",
    b"b0",
]
BODY = st.lists(st.one_of(st.sampled_from(LOOK_ALIKES), st.binary(max_size=8)), max_size=6).map(b"".join)


def is_framed(body: bytes) -> bool:
    """Whether the body holds no delimiter, so that a bundle may carry it at all."""
    lines = [b"\n--b0" + end for end in (b"\n", b"\r\n", b"--", b" ", b"\t")]
    framed = b"\n" + body + b"\r\n"
    return not any(line in framed for line in lines)


@st.composite
def bundles(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    sent = draw(st.lists(BODY.filter(is_framed), max_size=5))
    crlf = draw(st.sampled_from([b"\r\n", b"\n"]))
    if crlf == b"\n":
        sent = [body for body in sent if not body.endswith(b"\r")]
    frame = [
        b"--b0" + crlf + b"Object-ID: %d" % id_ + crlf * 2 + body + crlf for id_, body in enumerate(sent)
    ]
    return sent, b"".join(frame) + b"--b0--" + crlf


@given(bundles(), st.data())
def test_random_parts_come_back_exactly_at_any_split(
    bundle: tuple[list[bytes], bytes], data: st.DataObject
) -> None:
    sent, body = bundle
    parts = collect(MultipartParser(b"b0"), data.draw(cuts(body)))
    assert bodies(parts) == sent
    assert ids(parts) == [str(id_) for id_ in range(len(sent))]


@given(bundles())
def test_random_parts_come_back_exactly_byte_by_byte(bundle: tuple[list[bytes], bytes]) -> None:
    sent, body = bundle
    assert bodies(collect(MultipartParser(b"b0"), byte_by_byte(body))) == sent


# The oracle takes boundary text for a delimiter wherever it stands, and cannot read an empty bundle.
@given(st.lists(BODY.filter(lambda body: b"--b0" not in body), min_size=1, max_size=5))
def test_well_formed_bundles_parse_as_with_the_oracle(sent: list[bytes]) -> None:
    frame = [b"--b0\r\nObject-ID: 7\r\nContent-Type: image/jpeg\r\n\r\n" + body + b"\r\n" for body in sent]
    body = b"".join(frame) + b"--b0--\r\n"
    oracle = MultipartDecoder(body, 'multipart/parallel; boundary="b0"').parts
    ours = collect(MultipartParser(b"b0"), [body])
    assert bodies(ours) == [part.content for part in oracle]
    assert [{name.encode(): value.encode() for name, value in headers} for headers, _ in ours] == [
        dict(part.headers.items()) for part in oracle
    ]


@given(
    st.lists(st.one_of(st.sampled_from([*LOOK_ALIKES, b"<", b":", b"A: b\r\n"]), st.binary(max_size=6))),
    st.data(),
)
def test_any_bytes_raise_parse_errors_only_and_the_same_at_any_split(
    pieces: list[bytes], data: st.DataObject
) -> None:
    body = b"".join(pieces)

    def outcome(chunks: list[bytes]) -> list[Part] | type[ParseError]:
        try:
            return collect(MultipartParser(b"b0"), chunks, vouched=True)
        except ParseError as error:
            return type(error)

    assert outcome([body]) == outcome(byte_by_byte(body)) == outcome(data.draw(cuts(body)))


@given(bundles(), st.data())
def test_a_damaged_bundle_raises_parse_errors_only(
    bundle: tuple[list[bytes], bytes], data: st.DataObject
) -> None:
    _, body = bundle
    at = data.draw(st.integers(0, len(body)))
    damaged = body[:at] + data.draw(st.binary(max_size=4)) + body[at + data.draw(st.integers(0, 4)) :]

    def outcome(chunks: list[bytes]) -> list[Part] | type[ParseError]:
        try:
            return collect(MultipartParser(b"b0"), chunks)
        except ParseError as error:
            return type(error)

    assert outcome([damaged]) == outcome(data.draw(cuts(damaged)))
