"""Heads, parts and bundles as GetObject sends them, and what is made of them."""

from parsers.mime import Headers
from parsers.records import Outcome
from parsers.rets.objects import ObjectHead, is_image_start, judge_text, read_object_head
from tests.parsers.bundles import parts_everywhere

NO_OBJECT = b'<RETS ReplyCode="20403" ReplyText="No Object Found"/>'
FINE = b'<RETS ReplyCode="0" ReplyText="Success"/>'
NAMED = {"Content-ID": "111", "Object-ID": "3"}


def head(**headers: str) -> ObjectHead:
    """A head of these headers, with `_` for `-`; a part of listing 111, photo 3."""
    return read_object_head(
        Headers({**NAMED, **{key.replace("_", "-"): v for key, v in headers.items()}}.items())
    )


NAMELESS = read_object_head(Headers([("Content-Type", "text/xml")]))


def judged(bundle: bytes) -> list[tuple[str | None, str | None, Outcome | None]]:
    """Listing, id and outcome of each part of a bundle; None for a picture."""
    found: list[tuple[str | None, str | None, Outcome | None]] = []
    for headers, body in parts_everywhere(bundle):
        part = read_object_head(headers)
        found.append((part.listing, part.id, None if is_image_start(part, body) else judge_text(part, body)))
    return found


GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
"""As small as a picture can be, since bundles are cut at every byte."""


def part(*lines: str, body: bytes = GIF) -> bytes:
    return "\r\n".join(("--b", *lines, "", "")).encode() + body + b"\r\n"


def bundle(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"
