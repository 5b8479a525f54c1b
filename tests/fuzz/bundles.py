"""Whole bundles: parts in a frame that is written as real servers write it."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from service.core.ports import Wanted
from tests.fuzz.album import Picture
from tests.fuzz.parts import Frame, Part, parts

BOUNDARIES = [
    "xyz",
    "a",
    "0-0",
    "simple boundary",
    "rets.object.content.0001",
    "=_Next:Part/1",
    "----=_Part_7",
    "'quoted'",
    "b" * 70,
]

LISTINGS = ["100", "100", "100", "20270724", "A-1", ""]  # the last: no Content-ID
IDS = ["0", "1", "1", "2", "2", "3", "10", "27", "front", "*", ""]  # Q34, Q35, Q37, Q39, Q33, Q32

# A body may begin with them before its first delimiter (Q6). The long ones hide the boundary from
# whoever looks at the beginning alone.
BLANKS = [b"", b"", b"", b"\r\n", b"\n\n  \r\n"]
JUNK = [
    b"This is a message with several parts.\r\n\r\n",
    b"junk\n" * 300,
    b"\x00\xff" * 800 + b"\r\n",
    b"-- the MLS server --\r\n",
]
EPILOGUES = [
    b"",
    b"",
    b"\r\n",
    b"  \r\n",
    b"\r\nbye",
    b"\r\n--xyz\r\nObject-ID: 9\r\n\r\nGIF87a",
    b"x" * 3000,
]


@dataclass(frozen=True)
class Bundle:
    """One multipart answer. `closed`: it has its closing delimiter; else the last part ends with it (Q7)."""

    boundary: str
    content_type: str | None
    body: bytes
    parts: tuple[Part, ...]
    closed: bool

    @property
    def pictures(self) -> list[Picture]:
        """The whole ones that were put in."""
        return [part.content.begun for part in self.parts if part.content.begun and part.content.whole]


@dataclass(frozen=True)
class _Type:
    """A Content-Type; `names_boundary` when it says the real one, and in one way only."""

    value: str | None
    names_boundary: bool = True


@st.composite
def bundles(draw: st.DrawFn, *, coded: bool = True, boundary: str = "") -> Bundle:
    """Any bundle, or any of this boundary; `coded` as in Frame."""
    boundary = boundary or draw(st.sampled_from(BOUNDARIES))
    frame = Frame(boundary.encode(), draw(st.sampled_from([b"\r\n", b"\r\n", b"\n"])), coded)
    names = draw(
        st.lists(st.tuples(st.sampled_from(LISTINGS), st.sampled_from(IDS)), max_size=6, unique=True)
    )
    sent = tuple(draw(parts(frame, listing, id_)) for listing, id_ in names)
    # Without a part there is no line from which a boundary could be read.
    kind = draw(content_types(boundary)) if sent else _Type(f'multipart/parallel; boundary="{boundary}"')
    preambles = BLANKS + JUNK if kind.names_boundary else BLANKS
    closed = not (sent and sent[-1].content.body) or draw(st.integers(0, 3)) > 0
    pieces = [draw(st.sampled_from(preambles))]
    for part in sent:
        pieces += [draw(delimiters(frame)), draw(written(part))]
    last = sent[-1].content.body if sent else b""
    pieces.append(draw(endings(frame, last, closed=closed)))
    return Bundle(boundary, kind.value, _fitted(pieces, frame.line_end), sent, closed)


def _fitted(pieces: Sequence[bytes], line_end: bytes) -> bytes:
    """Each delimiter begins on a new line; a preamble has ended its own, and an empty one needs none (Q5)."""
    preamble, *rest = pieces
    body = b"".join(rest)
    return preamble + body.removeprefix(line_end)


@st.composite
def content_types(draw: st.DrawFn, boundary: str) -> _Type:
    quoted = f'multipart/parallel; boundary="{boundary}"'
    bare = f"multipart/parallel;boundary={boundary}"
    named = [
        f"{quoted}; charset=utf-8",  # Q1
        f"{bare};charset=US-ASCII",  # Q2
        f'MULTIPART/Mixed; type="image/jpeg"; BOUNDARY="{boundary}"',  # Q4
        f"mutipart/parallel; boundary={boundary}",  # Q4
        f'multipart/parallel; boundary="--{boundary}"',
        f"{bare}, {bare}",  # Q23
    ]
    nameless = [
        *["multipart/parallel", "multipart/parallel; boundary=other", "application/octet-stream", None],
        f"multipart/parallel; boundary='{boundary}'",  # Q3: the body shows whether the quotes belong to it
    ]
    return draw(
        st.sampled_from([_Type(value) for value in named] + [_Type(value, False) for value in nameless])
    )


@st.composite
def delimiters(draw: st.DrawFn, frame: Frame) -> bytes:
    """With the line end before it. Two in a row hold no part between them."""
    padding = draw(st.sampled_from([b"", b"", b" ", b" \t"]))
    mark = frame.line_end + b"--" + frame.boundary + padding + draw(line_ends)
    return mark + mark[len(frame.line_end) :] if draw(st.integers(0, 9)) == 0 else mark


line_ends = st.sampled_from([b"\r\n", b"\r\n", b"\n"])  # Q8


@st.composite
def written(draw: st.DrawFn, part: Part) -> bytes:
    """Head and body. What an empty body has of blank lines differs from server to server (Q9)."""
    head = b"".join(line + draw(line_ends) for line in part.head.lines)
    content = part.content
    if content.in_head and part.head.lines:
        return head + content.body if content.body else head.removesuffix(b"\n").removesuffix(b"\r")
    if not content.body and part.head.lines and draw(st.booleans()):
        return head  # the blank line is the delimiter's own
    return head + draw(line_ends) + content.body


@st.composite
def endings(draw: st.DrawFn, frame: Frame, last: bytes, *, closed: bool) -> bytes:
    """The closing delimiter, or how a body ends without it (Q7)."""
    mark = frame.line_end + b"--" + frame.boundary
    if closed:
        return mark + b"--" + draw(st.sampled_from(EPILOGUES))
    # A last body that ends in CR could be meant to end in the first half of a line end.
    return draw(st.sampled_from([b"" if not last.endswith(b"\r") else mark, mark, mark + b"\r\n"]))


@st.composite
def questions(draw: st.DrawFn, sent: Sequence[Part]) -> list[Wanted]:
    """What may have been asked: whole listings, some photos of them, or a single photo."""
    listings = sorted({part.listing for part in sent} - {""}) or ["100"]
    listings = draw(st.lists(st.sampled_from(listings), min_size=1, unique=True))
    # A photo that is asked for alone may have to be held back, in base64 only a legal one.
    least = 2 if any(part.content.is_illegal for part in sent) else 1
    ids = st.none() | st.lists(st.sampled_from(["0", "1", "2", "27", "front"]), min_size=least, unique=True)
    return [Wanted(key, None if (some := draw(ids)) is None else tuple(some)) for key in listings]


def everything(bundle: Bundle) -> list[Wanted]:
    """Each listing of the bundle, asked for in whole."""
    return [Wanted(key) for key in sorted({part.listing for part in bundle.parts} - {""}) or ["100"]]
