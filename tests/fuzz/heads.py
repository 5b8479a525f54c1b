"""Heads of parts: what they say, and every odd way in which servers write it."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

Field = tuple[str, str]
"""Name and value."""

JUNK: list[list[bytes]] = [
    [b"MIME-Version: 1.0, 1.0"],  # Q23
    [b": a value without a name"],  # Q14
    [b"X-Empty:"],
    [b"X-Server: a=b; c"],
    [b"Content-Description-Language: en"],
]

FIRST_JUNK: list[list[bytes]] = [[], [], [], [b"a line without colon"], [b" folded under nothing"]]  # Q14

CAPTIONS: list[tuple[list[bytes], str | None]] = [
    ([], None),
    ([], None),
    ([b"Content-Description: Front"], "Front"),
    ([b"Description:K\xc3\xbcche"], "K\u00fcche"),  # Q53
    ([b"content-description: K\xfcche"], "K\u00fcche"),
    ([b"Content-Description: null"], None),  # Q53
    ([b"Content-Description:", b"Description: Garden"], "Garden"),
    (
        [b"Content-Description: North", b"side, with", b"two words: more"],
        "North side, with two words: more",
    ),  # Q11
    ([b"Content-Description: North", b"\tside", b"", b"  "][:2], "North side"),
]

PREFERENCES: list[tuple[list[bytes], bool]] = [
    ([], False),
    ([], False),
    ([b"Preferred: 1"], True),
    ([b"preferred:0"], False),
    ([b"PREFERRED : true"], True),
]


@dataclass(frozen=True)
class Head:
    """The header lines of a part, and what they say besides its ids."""

    lines: tuple[bytes, ...]
    caption: str | None
    preferred: bool


@st.composite
def heads(draw: st.DrawFn, fields: Sequence[Field]) -> Head:
    """These fields among others, in any order and any spelling."""
    captions, caption = draw(st.sampled_from(CAPTIONS))
    preferences, preferred = draw(st.sampled_from(PREFERENCES))
    groups = [draw(spelt(field)) for field in fields]
    groups += [captions, preferences, *draw(st.lists(st.sampled_from(JUNK), max_size=2))]
    first = draw(st.sampled_from(FIRST_JUNK))
    lines = [line for group in [first, *draw(st.permutations(groups))] for line in group]
    return Head(tuple(lines), caption, preferred)


@st.composite
def spelt(draw: st.DrawFn, field: Field) -> list[bytes]:
    """One header line: the name in any case (Q13), with or without blanks around the colon (Q12)."""
    name, value = field
    name = draw(st.sampled_from([name, name, name.lower(), name.upper(), name.capitalize()]))
    colon = draw(st.sampled_from([": ", ": ", ":", " : ", ":\t "]))
    end = draw(st.sampled_from(["", "", " "]))
    return [f"{name}{colon}{value}{end}".encode()]
