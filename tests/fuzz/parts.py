"""Parts of a bundle: pictures, texts, nothing at all; each with the outcome that it must have."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from tests.fuzz.album import HOLLOW, Picture, is_framed, pictures
from tests.fuzz.heads import Field, Head, heads
from tests.fuzz.replies import Reply, cut_replies, replies, successes
from tests.fuzz.wire import URL


@dataclass(frozen=True)
class Content:
    """A part without its ids: further header fields, a body, and what it means.

    `in_head`: the body stands where the last header line should be (Q10). `begun`: the picture that
    the body begins with; `whole`: all of it is there.
    """

    fields: tuple[Field, ...]
    body: bytes
    kind: str
    mark: str = ""
    in_head: bool = False
    begun: Picture | None = None
    whole: bool = False

    @property
    def is_illegal(self) -> bool:
        """Whether it is a picture in broken base64."""
        return self.begun is not None and self.kind == "Unknown"

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: bool) -> None:  # noqa: FBT001 - IPython's protocol
        printer.text(f"<{self.kind} {self.mark}{' in its head' * self.in_head}: {self.body[:40]!r}>")


@dataclass(frozen=True)
class Part:
    """A part with the ids in its head, "" where it has none (Q32)."""

    listing: str
    id: str
    head: Head
    content: Content


@dataclass(frozen=True)
class Frame:
    """What a body must not break. `coded`: pictures may also come as base64 (Q19)."""

    boundary: bytes
    line_end: bytes
    coded: bool = True


Draw = Callable[[st.DrawFn, Frame], Content]

# Shortest beginnings by which each kind of picture is known.
MAGIC = {
    "image/jpeg": 3,
    "image/gif": 6,
    "image/png": 8,
    "image/webp": 12,
    "image/bmp": 18,
    "image/tiff": 4,
    "image/avif": 12,
    "image/heic": 12,
}

# Each as sent and as meant: relative to the answer, and unescaped once (Q41, Q42).
LOCATIONS = [
    ("https://cdn.example/p/1.jpg", "https://cdn.example/p/1.jpg"),
    ("//cdn.example/p/1.jpg?a=1&b=2", "http://cdn.example/p/1.jpg?a=1&b=2"),
    ("/p/1.jpg?a=1&amp;b=2", "http://mls.example/p/1.jpg?a=1&b=2"),
    ("1.jpg", URL.replace("object", "1.jpg")),
]
TEXTS = [
    b"Object 111285:* not found",  # Q26
    b"not XML at all: <RETS",  # Q30
    b"<html><body>The image server is away</body></html>\r\n" * 20,
    b"\x00\x01\xff",
    b"GIF8",
    b"%PDF-1.4",
]
LENGTHS = ["", "", "29", "0", "99999999", "many"]  # Q15


@st.composite
def contents(draw: st.DrawFn, frame: Frame) -> Content:
    kinds = [_picture] * 6 + [_base64] * 2 * frame.coded + [_reply] * 4 + [_empty] * 3
    kinds += [_refused, _cut, _cut, _hollow, _redirect, _text]
    return draw(st.sampled_from(kinds))(draw, frame)


@st.composite
def parts(draw: st.DrawFn, frame: Frame, listing: str, id_: str) -> Part:
    content = draw(contents(frame))
    ids = [("Content-ID", listing)] * bool(listing) + [("Object-ID", id_)] * bool(id_)
    if content.kind == "Absent" and not content.body and (not listing or id_ in {"", "*"}):
        content = replace(content, kind="Unknown")  # nothing that names nothing says nothing (Q22)
    return Part(listing, id_, draw(heads([*ids, *content.fields])), content)


def _picture(draw: st.DrawFn, frame: Frame) -> Content:
    picture = draw(pictures(frame.boundary, frame.line_end))
    fields = _type(draw, picture, "image/jpeg", "text/xml") + _length(draw)
    fields += draw(
        st.sampled_from([(), (), (("Content-Transfer-Encoding", "binary"),), (("Location", "/x"),)])
    )
    return Content(fields, picture.body, "Image", picture.sha256, begun=picture, whole=True)


def _base64(draw: st.DrawFn, frame: Frame) -> Content:
    picture = draw(pictures(frame.boundary, frame.line_end))
    fields = (
        *_type(draw, picture),
        ("Content-Transfer-Encoding", draw(st.sampled_from(["base64", "Base64 "]))),
    )
    text = picture.base64.replace(b"\n", draw(st.sampled_from([b"\n", b"\r\n", b""])))
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(text)))
        return Content(fields, text[:at] + b"%" + text[at:], "Unknown", begun=picture)
    return Content(fields, text, "Image", picture.sha256, begun=picture, whole=True)


def _refused(draw: st.DrawFn, frame: Frame) -> Content:
    """Q28: the sender itself says that this is no picture."""
    return replace(
        _with(_picture(draw, frame), ("RETS-Error", "1")), kind="Unknown", mark="", begun=None, whole=False
    )


def _cut(draw: st.DrawFn, frame: Frame) -> Content:
    picture = draw(pictures(frame.boundary, frame.line_end))
    body = picture.body[: draw(st.integers(1, picture.end - 1))]
    if not is_framed(body, frame.boundary, frame.line_end):
        body = picture.body[:12]
    if len(body) < MAGIC[picture.media_type]:
        return Content(_type(draw, picture), body, "Unknown")
    return Content(_type(draw, picture), body, "Retryable", begun=picture)


def _hollow(draw: st.DrawFn, _frame: Frame) -> Content:
    """What has an end mark and no picture before it was cut, too."""
    body = draw(st.sampled_from(HOLLOW))
    return Content(
        (("Content-Type", "image/jpeg"),), body, "Retryable", begun=Picture(body, len(body), "image/jpeg")
    )


def _reply(draw: st.DrawFn, _frame: Frame) -> Content:
    reply = draw(st.one_of(replies(), replies(), replies(), cut_replies(), successes()))
    fields: tuple[Field, ...] = (("Content-Type", "text/xml"), *_length(draw))
    fields += draw(st.sampled_from([(), (("RETS-Error", "1"),), (("Location", ""),)]))  # Q28, Q46
    return _in_place(draw, fields, reply, reply.kind or "Unknown")


def _redirect(draw: st.DrawFn, _frame: Frame) -> Content:
    sent, meant = draw(st.sampled_from(LOCATIONS))
    media = (
        ("ObjectData", f"PropMediaURL={sent}"),
        ("ObjectData", "PropMediaModificationTimestamp=2024-01-01T00:00:00=Z"),  # Q54
    )
    fields, stamp = draw(
        st.sampled_from(
            [
                ((("Location", sent),), None),
                (media, "2024-01-01T00:00:00=Z"),  # Q105
                ((("Location", sent), ("ObjectData", "PropMediaURL=/other")), None),
            ]
        )
    )
    reply = draw(successes() | st.just(Reply(b"", "")) | st.just(Reply(b"see Location", "")))
    return _in_place(draw, fields, reply, "Redirect", f"{meant} {stamp}")


def _text(draw: st.DrawFn, _frame: Frame) -> Content:
    kind = draw(st.sampled_from(["text/plain", "text/xml", "image/jpeg", "text/html"]))
    return Content((("Content-Type", kind), *_length(draw)), draw(st.sampled_from(TEXTS)), "Unknown")


def _empty(draw: st.DrawFn, _frame: Frame) -> Content:
    """Q9, Q31, Q46: no body; an absence, unless a body was announced."""
    fields, kind = draw(
        st.sampled_from(
            [
                ((), "Absent"),
                ((), "Absent"),
                ((("Location", ""),), "Absent"),
                ((("Content-Type", "text/xml"), ("Content-Length", "0")), "Absent"),
                ((("RETS-Error", "1"),), "Unknown"),
                ((("Content-Type", "image/jpeg"),), "Unknown"),
                ((("Content-Length", "29"),), "Unknown"),
            ]
        )
    )
    return Content(fields, b"", kind, in_head=draw(st.booleans()))


def _in_place(draw: st.DrawFn, fields: tuple[Field, ...], reply: Reply, kind: str, mark: str = "") -> Content:
    """Q10: the XML may stand where the last header line belongs."""
    in_head = reply.xml[:1] in {b"", b"<"} and draw(st.integers(0, 2)) == 0
    return Content(fields, reply.xml, kind, mark, in_head=in_head)


def _with(content: Content, *fields: Field) -> Content:
    return replace(content, fields=(*content.fields, *fields))


def _type(draw: st.DrawFn, picture: Picture, *wrong: str) -> tuple[Field, ...]:
    """Right, with a parameter that no picture has (Q20), none at all, or wrong (Q26)."""
    right = picture.media_type
    said = draw(st.sampled_from([right, right.upper(), f"{right};charset=utf-8", "", *wrong]))
    return (("Content-Type", said),) if said else ()


def _length(draw: st.DrawFn) -> tuple[Field, ...]:
    said = draw(st.sampled_from(LENGTHS))
    return (("Content-Length", said),) if said else ()
