"""The texts of a RETS server, as pure functions of what they say.

Times are given as they are to appear: how a server spells them is the caller's matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

TIMEOUT_SECONDS = 1800
"""What the login answer promises; sessions of this server never time out by themselves."""

TAB = "\t"

METADATA_VERSION = "1.00.00001"
METADATA_DATE = "Wed, 01 May 2024 09:00:00 GMT"
"""Of whatever GetMetadata says: it never changes while a server runs."""


def reply(code: int, text: str) -> bytes:
    """A bare reply: `<RETS ReplyCode="20403" ReplyText="No Object Found."/>`."""
    return f"{_open(code, text)[:-1]}/>\r\n".encode()


def login(member: str, links: Mapping[str, str]) -> bytes:
    """The answer to Login; `links` are capabilities with absolute or relative URLs (Q86)."""
    facts = {
        "MemberName": member,
        "User": f"{member},0,0,{member}",
        "Broker": "LOOPBACK,1",
        "MetadataVersion": METADATA_VERSION,
        "MinMetadataVersion": METADATA_VERSION,
        "TimeoutSeconds": str(TIMEOUT_SECONDS),
    }
    lines = "".join(f"{name} = {escape(value)}\r\n" for name, value in {**facts, **links}.items())
    text = f"{_open()}\r\n<RETS-RESPONSE>\r\n{lines}</RETS-RESPONSE>\r\n</RETS>\r\n"
    return text.encode()


def logout() -> bytes:
    """The answer to Logout."""
    lines = "ConnectTime = 1\r\nSignOffMessage = Goodbye\r\n"
    return f"{_open()}\r\n<RETS-RESPONSE>\r\n{lines}</RETS-RESPONSE>\r\n</RETS>\r\n".encode()


@dataclass(frozen=True, slots=True)
class PropertyPhoto:
    """A photo in a STANDARD-XML record, its three values as text."""

    sequence_id: str
    last_updated: str
    photo_last_updated: str


@dataclass(frozen=True, slots=True)
class PropertyDetails:
    """One STANDARD-XML record. `photos` None makes it a row of the master list: key and time alone."""

    id: str
    last_updated: str
    photos: tuple[PropertyPhoto, ...] | None


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a result an answer holds. `offset` is 1-based; `count` asks for COUNT."""

    total: int
    limit: int | None
    offset: int
    count: bool = True


def standard_xml(records: Sequence[PropertyDetails], part: Slice) -> bytes:
    """A search answer in CREA's shape, its default namespace and Pagination included."""
    limit = part.limit or 100
    pages = -(-part.total // limit)
    text = (
        f'<?xml version="1.0" encoding="utf-8"?>\r\n{_open()}\r\n{_count(part, closed=False)}'
        '<RETS-RESPONSE xmlns="urn:CREA.Search.Property">\r\n'
        f"<Pagination><TotalRecords>{part.total}</TotalRecords><Limit>{limit}</Limit>"
        f"<Offset>{part.offset}</Offset><TotalPages>{pages}</TotalPages>"
        f"<RecordsReturned>{len(records)}</RecordsReturned></Pagination>\r\n"
        f"{''.join(map(_property_details, records))}</RETS-RESPONSE>\r\n</RETS>\r\n"
    )
    return text.encode()


def _property_details(record: PropertyDetails) -> str:
    head = f'<PropertyDetails ID="{escape(record.id)}" LastUpdated="{escape(record.last_updated)}"'
    if record.photos is None:
        return f"{head} />\r\n"
    photos = "".join(map(_property_photo, record.photos))
    return (
        f"{head}>\r\n  <ListingID>M{escape(record.id)}</ListingID>\r\n"
        f"  <Photo>{photos}</Photo>\r\n</PropertyDetails>\r\n"
    )


def _property_photo(photo: PropertyPhoto) -> str:
    return (
        f"\r\n    <PropertyPhoto><SequenceId>{escape(photo.sequence_id)}</SequenceId>"
        f"<LastUpdated>{photo.last_updated}</LastUpdated>"
        f"<PhotoLastUpdated>{photo.photo_last_updated}</PhotoLastUpdated></PropertyPhoto>"
    )


def compact(
    columns: Sequence[str], rows: Sequence[Sequence[str]], part: Slice, delimiter: str = TAB
) -> bytes:
    """A COMPACT search answer: the delimiter in hexadecimal (Q68), MAXROWS while more is to come."""
    more = part.offset - 1 + len(rows) < part.total
    lines = "".join(f"<DATA>{_line(row, delimiter)}</DATA>\r\n" for row in rows)
    text = (
        f'<?xml version="1.0" encoding="utf-8"?>\r\n{_open()}\r\n{_count(part, closed=True)}'
        f'<DELIMITER value="{ord(delimiter):02X}"/>\r\n<COLUMNS>{_line(columns, delimiter)}</COLUMNS>\r\n'
        f"{lines}{'<MAXROWS/>' if more else ''}</RETS>\r\n"
    )
    return text.encode()


def metadata_system() -> bytes:
    """The answer to GetMetadata for METADATA-SYSTEM, the one type that is not a table."""
    system = '<SYSTEM SystemID="LOOPBACK" SystemDescription="Loopback RETS server" TimeZoneOffset="Z"/>'
    return _metadata("METADATA-SYSTEM", {}, f"{system}\r\n<COMMENTS/>\r\n")


def metadata(
    kind: str, owner: Mapping[str, str], columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> bytes:
    """A COMPACT answer to GetMetadata, `<METADATA-CLASS Resource="Property" ...>`, in tabs.

    `owner` is what the rows belong to: the attributes Resource and Class.
    """
    lines = "".join(f"<DATA>{_line(row, TAB)}</DATA>\r\n" for row in rows)
    return _metadata(kind, owner, f"<COLUMNS>{_line(columns, TAB)}</COLUMNS>\r\n{lines}")


def _metadata(kind: str, owner: Mapping[str, str], content: str) -> bytes:
    about = {**owner, "Version": METADATA_VERSION, "Date": METADATA_DATE}
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in about.items())
    text = f"{_open()}\r\n<{kind}{attributes}>\r\n{content}</{kind}>\r\n</RETS>\r\n"
    return text.encode()


def _line(values: Sequence[str], delimiter: str) -> str:
    return delimiter + "".join(f"{escape(value, quote=False)}{delimiter}" for value in values)


def _open(code: int = 0, text: str = "Operation successful") -> str:
    return f'<RETS ReplyCode="{code}" ReplyText="{escape(text)}">'


def _count(part: Slice, *, closed: bool) -> str:
    if not part.count:
        return ""
    element = f'<COUNT Records="{part.total}"'
    return f"{element}/>\r\n" if closed else f"{element}></COUNT>\r\n"
