"""RETS replies as parts and answers hold them, and what their codes mean for a photo."""

from dataclasses import dataclass

from hypothesis import strategies as st

KINDS = {
    "Absent": ["20403"],
    "Denied": ["20402", "20406", "20407", "20413"],
    "Retryable": ["10000", "20050", "20408", "20409", "20410", "20411", "20412", "20701"],
    "Unknown": ["20400", "20401", "20601"],
}
CODES = [(code, kind) for kind, codes in KINDS.items() for code in codes]
COMMON = [("20403", "Absent")] * 4 + [("20409", "Retryable"), ("20413", "Denied")]

TEXTS = ["No Object Found", "", "R&amp;D &lt;5", "Object 1:* > not found", "it's"]


@dataclass(frozen=True)
class Reply:
    """One RETS element, which is over at `end`.

    `kind` is the outcome that it stands for, "" where its code is 0.
    """

    xml: bytes
    kind: str
    end: int = 0


@st.composite
def attributes(draw: st.DrawFn, code: str) -> str:
    """The attributes of RETS and RETS-STATUS, their names in any case (Q78)."""
    code_name = draw(st.sampled_from(["ReplyCode", "replyCode", "Replycode", "REPLYCODE"]))
    text_name = draw(st.sampled_from(["ReplyText", "replytext"]))
    equals = draw(st.sampled_from(["=", " = "]))
    pairs = [f'{code_name}{equals}"{code}"', f'{text_name}{equals}"{draw(st.sampled_from(TEXTS))}"']
    if draw(st.booleans()):
        pairs[0] = pairs[0].replace('"', "'")
    shown = draw(st.sampled_from([pairs, pairs[::-1], pairs[:1]]))
    return draw(st.sampled_from([" ", "  ", "\r\n"])).join(shown)


@st.composite
def elements(draw: st.DrawFn, code: str) -> str:
    """A whole RETS element that says the code, at its root or in a late RETS-STATUS (Q55)."""
    said = draw(attributes(code))
    if draw(st.integers(0, 5)) == 0:
        status = f"<RETS-STATUS {said}/>"
        return f"<RETS {draw(attributes('0'))}>\r\n{status}\r\n</RETS>"
    return f"<RETS {said}" + draw(st.sampled_from(["/>", " />", "></RETS>", ">\r\n</RETS >"]))


PROLOGS = ["", "", "\r\n", '<?xml version="1.0" encoding="utf-8"?>\r\n', "<!-- none -->"]
TAILS = ["", "\r\n", "\r\ntrailing & text", "<html>"]  # Q29


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """A reply that is no success."""
    code, kind = draw(st.sampled_from(COMMON) | st.sampled_from(CODES))
    return draw(framed(draw(elements(code)), kind))


@st.composite
def successes(draw: st.DrawFn) -> Reply:
    """Code 0: what it stands for is decided by what else the part says (Q25, Q105)."""
    return draw(framed(draw(elements("0")), ""))


@st.composite
def cut_replies(draw: st.DrawFn) -> Reply:
    """An element whose end did not come decides nothing."""
    xml = f"<RETS {draw(attributes('20403'))}>"
    at = draw(st.just(len(xml)) | st.integers(1, len(xml)))
    return Reply(xml[:at].encode(), "Unknown")


@st.composite
def framed(draw: st.DrawFn, element: str, kind: str) -> Reply:
    """The element with what may stand before and behind it."""
    xml = (draw(st.sampled_from(PROLOGS)) + element).encode()
    return Reply(xml + draw(st.sampled_from(TAILS)).encode(), kind, len(xml))
