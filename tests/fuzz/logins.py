"""Login answers (Q82-Q86, Q100, Q101): one set of keys and values, written in many ways."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.fuzz.replies import attributes

# Keys with values as sent and as meant. URLs may be relative (Q86) and hold `=` (Q83).
CAPABILITIES = [
    ("Login", "https://mls.example/rets/login", "https://mls.example/rets/login"),
    ("Logout", "/rets/logout;s=1", "/rets/logout;s=1"),
    ("Search", "/search?a=1&amp;b=2", "/search?a=1&b=2"),
    ("GetObject", "object.aspx?x=a=b", "object.aspx?x=a=b"),
    ("Action", "//mls.example/action", "//mls.example/action"),
    ("GetMetadata", "../metadata", "../metadata"),
    ("X-Tour", "HTTP://tours.example/", "HTTP://tours.example/"),
]
INFO = [
    ("MemberName", "Pat Lee Jr", "Pat Lee Jr"),
    ("User", "17, 3, B\x0b, 4711", "17, 3, B, 4711"),
    ("Broker", "R&D, 1", "R&D, 1"),
    ("MetadataVersion", "1.12.5", "1.12.5"),
    ("Expr", "a&#233;", "a\u00e9"),
    ("Empty", "", ""),
]
TIMEOUTS = [("1800", 1800), ("0900", 900), ("0", None), ("soon", None), ("", None)]


@dataclass(frozen=True)
class Login:
    """A login answer as sent, and what it says."""

    body: bytes
    capabilities: dict[str, str]
    info: dict[str, str]
    timeout_seconds: int | None


@st.composite
def logins(draw: st.DrawFn) -> Login:
    capabilities = draw(st.lists(st.sampled_from(CAPABILITIES), unique=True))
    seconds, timeout = draw(st.sampled_from(TIMEOUTS))
    info = draw(st.lists(st.sampled_from(INFO), unique=True))
    info += [("TimeoutSeconds", seconds, seconds)] if seconds or draw(st.booleans()) else []
    pairs = [
        draw(_pairs(*entry[:2], is_info=entry in info))
        for entry in draw(st.permutations([*capabilities, *info]))
    ]
    body = draw(_lines(pairs))
    wrapped = draw(
        st.sampled_from(
            ["{}", "<RETS-RESPONSE>{}</RETS-RESPONSE>", '<rets-response a="1">{}</rets-response >']
        )
    )
    before = draw(
        st.sampled_from(["", "\r\n\r\n", '<?xml version="1.0" encoding="utf-8"?>\r\n', "<!-- hello -->"])
    )
    after = draw(st.sampled_from(["", "\r\n", "<html>Search=/other"]))
    document = f"{before}<RETS {draw(attributes('0'))}>{wrapped.format(body)}</RETS>{after}"
    return Login(
        document.encode(),
        {key.lower(): meant for key, _, meant in capabilities},
        {key.lower(): meant for key, _, meant in info},
        timeout if seconds else None,
    )


@st.composite
def _pairs(draw: st.DrawFn, key: str, value: str, *, is_info: bool) -> str:
    """`Key = Value` in any case (Q84), or as RETS 1.8 writes what is no URL (Q85)."""
    key = draw(st.sampled_from([key, key, key.lower(), key.upper()]))
    equals = draw(st.sampled_from(["=", " = ", " =", "= "]))
    if not is_info or draw(st.booleans()):
        return f"{key}{equals}{value}"
    return f"Info{equals}{key}{draw(st.sampled_from([';Character;', ';;', ' ; Int ; ', ';']))}{value}"


@st.composite
def _lines(draw: st.DrawFn, pairs: Sequence[str]) -> str:
    """A line for each pair (Q83), or one for all (Q84)."""
    if len(pairs) > 1 and draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from([" ", "  ", "\t"])).join(pairs)
    end = draw(st.sampled_from(["\n", "\r\n"]))
    indent = draw(st.sampled_from(["", "  "]))
    junk = draw(st.sampled_from(["", f"{end}no pair{end}", f"= nothing{end}"]))
    return end + junk + "".join(f"{indent}{pair}{end}" for pair in pairs)
