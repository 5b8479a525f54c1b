"""Tables of URLs, the third form of a GetObject answer: columns in any order and spelling."""

from dataclasses import dataclass

from hypothesis import strategies as st

from service.errors import RetryLater, ServiceError, TransferCut
from tests.fuzz.chain import Came
from tests.fuzz.parts import LOCATIONS
from tests.fuzz.replies import attributes

LISTING = "100"

# Each role's columns, by the names that servers give them.
COLUMNS = {
    "listing": ["ResourceRecordKey", "ResourceRecordID", "resourcerecordid"],
    "id": ["ObjectID", "Object-ID", "Order"],
    "url": ["MediaURL", "MediaUrl"],
    "stamp": ["MediaModificationTimestamp"],
    "other": ["MimeType"],
}
IDS = ["0", "1", "2", "3", "27", " 28 ", "front", ""]
STAMPS = ["2019-01-22T22:17:29Z", ""]


@dataclass(frozen=True)
class UrlTable:
    """An answer as sent, what must come of it, and the error that must end it."""

    body: bytes
    came: tuple[Came, ...]
    trouble: type[ServiceError] | None


@st.composite
def url_tables(draw: st.DrawFn) -> UrlTable:
    roles = draw(
        st.permutations(
            ["id", "url", *draw(st.lists(st.sampled_from(["listing", "stamp", "other"]), unique=True))]
        )
    )
    mark = draw(st.sampled_from(["\t", "\t", "|"]))
    names = [draw(st.sampled_from(COLUMNS[role])) for role in roles]
    rows = draw(st.lists(st.fixed_dictionaries(_CELLS), min_size=1, max_size=6))
    count = draw(st.none() | st.sampled_from([len(rows), len(rows), len(rows) + 1]))
    closed = draw(st.integers(0, 5)) > 0
    lines = [mark.join(["", *(row[role][0] for role in roles), ""]) for row in rows]
    parts = [
        f"<RETS {draw(attributes('0'))}>\r\n",
        f'<COUNT Records="{count}"/>' if count is not None else "",
        f'<DELIMITER value="{ord(mark):02X}"/>\r\n',
        f"<COLUMNS>{mark.join(['', *names, ''])}</COLUMNS>\r\n",
        *(f"<DATA>{line}</DATA>\r\n" for line in lines),
        "</RETS>\r\n" if closed else "",
    ]
    came = [_came(row, roles, number) for number, row in enumerate(rows, 1)]
    ours = tuple(said for said in came if said.listing == LISTING and said.id)
    named = sum(bool(said.id) for said in came)
    return UrlTable("".join(parts).encode(), ours, _trouble(named, len(rows), count, closed=closed))


_CELLS = {
    "listing": st.sampled_from([(LISTING, LISTING)] * 4 + [("200", "200")]),
    "id": st.sampled_from([(id_, id_.strip()) for id_ in IDS]),
    "url": st.sampled_from([*LOCATIONS, ("", "")]),
    "stamp": st.sampled_from([(stamp, stamp) for stamp in STAMPS]),
    "other": st.sampled_from([("image/jpeg", ""), ("", "")]),
}


def _came(row: dict[str, tuple[str, str]], roles: list[str], number: int) -> Came:
    said = {role: meant for role, (_, meant) in row.items() if role in roles}
    id_, url = said["id"], said["url"]
    order = int(id_) if id_.isdigit() else number
    mark = f"{url} {said.get('stamp') or None}" if url else ""
    return Came(said.get("listing", LISTING), id_, order, "Redirect" if url else "Unknown", mark)


def _trouble(named: int, rows: int, count: int | None, *, closed: bool) -> type[ServiceError] | None:
    """Nothing may be removed on the word of a table that is cut, or that contradicts itself."""
    if not closed:
        return TransferCut
    return RetryLater if named < rows or count not in {None, rows} else None
