"""Damage to bytes: flipped, cut off, taken out, repeated, put in, exchanged, spliced; and where it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

TOKENS = [
    *[b"\r\n", b"\n", b"\r", b"--", b"\r\n--", b"\r\n\r\n", b"<", b">", b"&", b'"', b"'", b"=", b":", b"\t"],
    *[b"\0", b"\x0b", b"\xff\xd9", b"\xff\xd8\xff", b"\xc3", b"\xef\xbb\xbf", b"&#55357;", b"&#x10;"],
    *[b"</RETS>", b"<DATA>", b"</DATA>", b'<RETS ReplyCode="20403"/>'],
    *[b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?"],
]

_PUT_IN = -1
_FROM_OTHER = 2**32
"""The place of the first byte of another body: behind any place of the first one's."""


@dataclass(frozen=True)
class Damaged:
    """Bytes after the damage. A joint is a place whose byte did not follow the one before it."""

    body: bytes
    joints: tuple[int, ...]

    def leads_through(self, text: bytes) -> bool:
        """Whether the text stands in the body at a place that the damage has touched."""
        at = self.body.find(text)
        while at >= 0:
            if any(at <= joint < at + len(text) for joint in self.joints):
                return True
            at = self.body.find(text, at + 1)
        return False


Letters = list[tuple[int, int]]
"""Bytes with their places in what was sent."""

Wound = Callable[[st.DrawFn, Letters], Letters]


@st.composite
def damaged(draw: st.DrawFn, body: bytes, other: bytes = b"", tokens: Sequence[bytes] = TOKENS) -> Damaged:
    """The body with up to four wounds; tokens are put into it, and pieces of another body."""
    graft: Letters = [(_FROM_OTHER + at, letter) for at, letter in enumerate(other)]
    wounds: list[Wound] = [_flip, _remove, _repeat, _exchange, _cut_off, _insertion(tokens)]
    wounds += [_splice(graft), _splice(graft)] * bool(other)
    letters: Letters = list(enumerate(body))
    for _ in range(draw(st.integers(1, 4))):
        letters = draw(st.sampled_from(wounds))(draw, letters)
    joints = [
        at
        for at, (place, _) in enumerate(letters)
        if place == _PUT_IN or (at and place != letters[at - 1][0] + 1)
    ]
    return Damaged(bytes(letter for _, letter in letters), tuple(joints))


def damaged_one_of(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[Damaged]:
    """One of these, with damage; pieces of another may have come into it."""
    return st.tuples(bodies, bodies).flatmap(lambda two: damaged(*two))


def _edges(draw: st.DrawFn, letters: Letters, count: int) -> list[int]:
    """Places in order. Many stand close together: whole chunks are lost, and single bytes too."""
    first = draw(st.integers(0, len(letters)))
    near = st.integers(first, min(len(letters), first + 8))
    far = st.integers(0, len(letters))
    return sorted([first, *(draw(near | far) for _ in range(count - 1))])


def _flip(draw: st.DrawFn, letters: Letters) -> Letters:
    at = draw(st.integers(0, max(0, len(letters) - 1)))
    mask = draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128, 255]))
    flipped = [(_PUT_IN, letter ^ mask) for _, letter in letters[at : at + 1]]
    return letters[:at] + flipped + letters[at + 1 :]


def _remove(draw: st.DrawFn, letters: Letters) -> Letters:
    start, end = _edges(draw, letters, 2)
    return letters[:start] + letters[end:]


def _repeat(draw: st.DrawFn, letters: Letters) -> Letters:
    start, end = _edges(draw, letters, 2)
    end = min(end, start + 4000)  # more would only cost time
    return letters[:end] + letters[start:]


def _exchange(draw: st.DrawFn, letters: Letters) -> Letters:
    a, b, c, d = _edges(draw, letters, 4)
    return letters[:a] + letters[c:d] + letters[b:c] + letters[a:b] + letters[d:]


def _cut_off(draw: st.DrawFn, letters: Letters) -> Letters:
    (at,) = _edges(draw, letters, 1)
    return letters[:at]


def _insertion(tokens: Sequence[bytes]) -> Wound:
    def insert(draw: st.DrawFn, letters: Letters) -> Letters:
        (at,) = _edges(draw, letters, 1)
        text = draw(st.sampled_from(tokens) | st.binary(max_size=6))
        return letters[:at] + [(_PUT_IN, letter) for letter in text] + letters[at:]

    return insert


def _splice(graft: Letters) -> Wound:
    """A piece of the other body in the place of one of this, as when two answers are mixed up."""

    def splice(draw: st.DrawFn, letters: Letters) -> Letters:
        start, end = _edges(draw, letters, 2)
        first, last = _edges(draw, graft, 2)
        return letters[:start] + graft[first:last] + letters[end:]

    return splice
