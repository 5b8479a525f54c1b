"""The answer to Login: `Key = Value` lines, of which those that hold a URL are capabilities."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from parsers.errors import Malformed, Truncated
from parsers.rets.opening import Opening, maybe_opening
from parsers.rets.reply import Reply, Verdict, is_whole, read_reply
from parsers.rets.text import decode, drop_controls, printable, unescape

# RETS 1.8 section 4.10 (capability URL list). Their URLs may be bare names (Q86); any other key is a
# capability only when its value is plainly a URL (X- extensions).
_CAPABILITIES = {
    *("action", "changepassword", "getmetadata", "getobject", "getpayloadlist", "login", "logincomplete"),
    *("logout", "postobject", "search", "serverinformation", "update"),
}
_URL = re.compile(r"https?://|/", re.IGNORECASE)

_BODY = re.compile(
    r"<RETS-RESPONSE\b[^<>]*+>(.*?)(?:</RETS-RESPONSE|</RETS\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_TAG = re.compile(r"<[^<>]*+>")
_KEY = re.compile(r"(?:^| )([A-Za-z][\w-]*+) ?=")


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """What a session starts with.

    `capabilities`: lower-case name to URL as sent, maybe relative (Q86). `info`: every other key,
    lower case. `timeout_seconds`: how long the session may rest (Q101).
    """

    reply: Reply
    capabilities: Mapping[str, str]
    info: Mapping[str, str]
    timeout_seconds: int | None


def parse_login(document: bytes) -> LoginAnswer:
    """Read a login answer, whole.

        <RETS ReplyCode="0" ReplyText="Operation Success">
        <RETS-RESPONSE>
        MemberName=Pat Lee
        Info=TimeoutSeconds;Int;1800
        Search=/rets/search
        </RETS-RESPONSE>
        </RETS>

    An error reply (Q92) is an answer like any other, without capabilities. Raises Malformed when
    this is no RETS answer (Q100: a login page), Truncated when a good answer ends too early.
    """
    opening, reply = maybe_opening(document), read_reply(document)
    if opening is None:
        raise Truncated(f"the login answer ends before its RETS element: {printable(document, 80)!r}")
    if reply is None:
        raise Malformed(f"the login answer has no reply code: {printable(document, 80)!r}")
    if reply.verdict is Verdict.FINE and not is_whole(document):
        raise Truncated("the login answer ends before </RETS>")
    capabilities: dict[str, str] = {}
    info: dict[str, str] = {}
    for key, value in _pairs(_body(document, opening)):
        is_url = bool(value) and (key in _CAPABILITIES or _URL.match(value))
        (capabilities if is_url else info)[key] = value
    seconds = info.get("timeoutseconds", "")
    timeout = int(seconds) if re.fullmatch(r"0*[1-9][0-9]{0,8}", seconds) else None
    return LoginAnswer(reply, capabilities, info, timeout)


def _body(document: bytes, opening: Opening) -> str:
    """The lines: inside RETS-RESPONSE, or straight under RETS (Q82, RETS 1.0)."""
    text = decode(document[opening.end :], opening.encoding)
    match = _BODY.search(text)
    if match:
        return match[1]
    return re.split(r"</RETS\s*>", text, maxsplit=1, flags=re.IGNORECASE)[0]


def _pairs(body: str) -> Iterator[tuple[str, str]]:
    # Not splitlines(), for which a control character inside a value is a line end too (Q72).
    text = drop_controls(_TAG.sub("\n", body))
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    for line in _split_keys(lines[0]) if len(lines) == 1 else lines:
        key, equals, value = line.partition("=")  # the first one only: URLs hold more (Q83)
        if equals and key.strip():
            yield _pair(key.strip().lower(), drop_controls(unescape(value.strip())))


def _split_keys(line: str) -> list[str]:
    """Everything on one line: a new pair begins at each word that stands before `=` (Q84)."""
    line = " ".join(line.split())
    starts = [match.start() for match in _KEY.finditer(line)]
    return [line[start:end] for start, end in pairwise((*starts, len(line)))]


def _pair(key: str, value: str) -> tuple[str, str]:
    """RETS 1.8 wraps what is no URL: `Info=Key;Type;Value`, with or without the type (Q85)."""
    if key != "info" or ";" not in value:
        return key, value
    name, *rest = (part.strip() for part in value.split(";", 2))
    return name.lower(), rest[-1]
