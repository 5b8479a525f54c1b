"""Reply codes: where an answer carries one, and the one verdict that each code has."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from parsers.errors import Malformed
from parsers.rets.opening import Opening, maybe_opening, read_attributes


class Verdict(Enum):
    """What to do about a reply."""

    FINE = "fine"
    NOTHING = "nothing there"
    LOGIN_AGAIN = "log in again, once"
    RETRY_LATER = "retry later"
    ASK_LESS = "ask for less"
    SKIP = "skip this item"
    STOP_CONFIGURATION = "stop this feed: configuration"
    STOP_ACCOUNT = "stop this feed: account"


# RETS 1.7.2 and 1.8, the tables of reply codes of Login, Search, GetObject, GetMetadata and Logout.
_CODES = {
    Verdict.FINE: (0, 20208),
    Verdict.NOTHING: (20201, 20403),
    Verdict.LOGIN_AGAIN: (20701,),
    Verdict.RETRY_LATER: (
        *(10000, 20022, 20050),
        *(20203, 20209, 20210),
        *(20408, 20409, 20411, 20412, 20413),
        *(20508, 20511, 20512, 20513),
    ),
    Verdict.ASK_LESS: (20211, 20410, 20510),
    Verdict.SKIP: (20402, 20406, 20407),
    Verdict.STOP_CONFIGURATION: (20200, 20202, 20206, 20207, 20400, 20401, 20601),
    Verdict.STOP_ACCOUNT: (20003, 20012, 20013, 20036, 20037, 20041),
}
_VERDICTS = {code: verdict for verdict, codes in _CODES.items() for code in codes}

# An unknown code means what its family's miscellaneous error means. Only the login family's
# (20036) stops a feed: those of Search, GetObject and GetMetadata ask for patience.
_LOGIN_FAMILY = range(20000, 20040)

_STATUS = re.compile(rb"""<RETS-STATUS\b((?:[^<>"']++|"[^"]*+"|'[^']*+')*+)>""", re.IGNORECASE)
_END = re.compile(rb"</RETS\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """`ReplyCode` and `ReplyText` of an answer."""

    code: int
    text: str = ""

    @property
    def verdict(self) -> Verdict:
        """What to do; an unknown code is treated as its family's miscellaneous error."""
        family = Verdict.STOP_ACCOUNT if self.code in _LOGIN_FAMILY else Verdict.RETRY_LATER
        return _VERDICTS.get(self.code, family)


def stops_feed(reply: Reply) -> bool:
    """Whether nothing of this feed can work until its configuration or account changes."""
    return reply.verdict in {Verdict.STOP_CONFIGURATION, Verdict.STOP_ACCOUNT}


def reply_in(attributes: Mapping[str, str]) -> Reply | None:
    """The reply in the attributes of a RETS or RETS-STATUS element; None when there is no number."""
    code = attributes.get("replycode", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", code):
        return None
    return Reply(int(code), attributes.get("replytext", "").strip())


def read_reply(document: bytes) -> Reply | None:
    r"""The reply of the RETS element that a text begins with; None where there is none (Q26, Q100).

    What follows the element does not matter (Q29); a RETS-STATUS inside it wins (Q55).

    >>> read_reply(b'<RETS ReplyCode="20403" ReplyText="No Object Found"/>\r\n\r\n')
    Reply(code=20403, text='No Object Found')
    """
    opening = _opening(document)
    if opening is None:
        return None
    return _late_reply(document, opening) or reply_in(opening.attributes)


def is_whole(document: bytes) -> bool:
    """Whether the RETS element that a text begins with is also closed in it."""
    opening = _opening(document)
    return opening is not None and (opening.empty or _END.search(document, opening.end) is not None)


def _opening(document: bytes) -> Opening | None:
    try:
        return maybe_opening(document)
    except Malformed:
        return None


def _late_reply(document: bytes, opening: Opening) -> Reply | None:
    if opening.empty or opening.name.lower() != "rets":
        return None
    end = _END.search(document, opening.end)
    status = _STATUS.search(document, opening.end, end.start() if end else len(document))
    return reply_in(read_attributes(status[1], opening.encoding)) if status else None
