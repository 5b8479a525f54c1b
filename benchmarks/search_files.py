"""Large search answers, written to a file: rows and records with all that stands around the photos."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from service.simulator.mls import eastern, iso, rfc1123

WANTED = ("ListingKey", "PhotosChangeTimestamp", "ModificationTimestamp")
PLACES = (1, 21, 41)
"""Where the three wanted columns stand in a row that begins with a delimiter."""

NAMESPACE = "{urn:CREA.Search.Property}"

_COLUMNS = 60
_REMARKS = "Bright &amp; spacious home close to schools, parks and transit. " * 3
_WORDS = ("Detached", "", "1", "Toronto", "2015", "Forced air, natural gas", "0.25", "Yes")
_START = datetime(2026, 1, 1, tzinfo=UTC)


def write_compact(path: Path, rows: int) -> None:
    """A COMPACT-DECODED answer of 60 columns."""
    names = [f"Column{place}" for place in range(1, _COLUMNS + 1)]
    for place, name in zip(PLACES, WANTED, strict=True):
        names[place - 1] = name
    columns = "\t".join(names)
    with path.open("w", encoding="utf-8", newline="\r\n") as out:
        out.write(f'<RETS ReplyCode="0" ReplyText="ok">\n<COUNT Records="{rows}"/>\n')
        out.write(f'<DELIMITER value="09"/>\n<COLUMNS>\t{columns}\t</COLUMNS>\n')
        out.writelines(_rows(rows))
        out.write("</RETS>\n")


def _rows(rows: int) -> Iterator[str]:
    cells = [_WORDS[place % len(_WORDS)] for place in range(_COLUMNS)]
    cells[30] = _REMARKS
    for row in range(rows):
        when = _START + timedelta(seconds=row)
        for place, cell in zip(PLACES, (f"R{row:06}", iso(when), iso(when)), strict=True):
            cells[place - 1] = cell
        yield "<DATA>\t" + "\t".join(cells) + "\t</DATA>\n"


def write_standard_xml(path: Path, listings: int, photos: int) -> None:
    """A STANDARD-XML answer in CREA's shape."""
    with path.open("w", encoding="utf-8", newline="\r\n") as out:
        out.write('<?xml version="1.0" encoding="utf-8"?>\n<RETS ReplyCode="0" ReplyText="ok">\n')
        out.write(f'<COUNT Records="{listings}"></COUNT>\n')
        out.write(f'<RETS-RESPONSE xmlns="{NAMESPACE[1:-1]}">\n')
        out.writelines(_record(number, photos) for number in range(listings))
        out.write("</RETS-RESPONSE>\n</RETS>\n")


def _record(number: int, photos: int) -> str:
    when = _START + timedelta(seconds=number)
    gmt, local = rfc1123(when), eastern(when)
    shown = "".join(
        f"\n    <PropertyPhoto><SequenceId>{n}</SequenceId><LastUpdated>{local}</LastUpdated>"
        f"<PhotoLastUpdated>{gmt}</PhotoLastUpdated></PropertyPhoto>"
        for n in range(1, photos + 1)
    )
    return (
        f'<PropertyDetails ID="R{number:06}" LastUpdated="{gmt}">\n  <ListingID>M{number:06}</ListingID>\n'
        f"{_AROUND}  <Photo>{shown}</Photo>\n  <PublicRemarks>{_REMARKS}</PublicRemarks>\n"
        "</PropertyDetails>\n"
    )


_AROUND = "".join(
    f"  <{group}>"
    + "".join(f"<{name}>{_WORDS[place % len(_WORDS)]}</{name}>" for place, name in enumerate(names.split()))
    + f"</{group}>\n"
    for group, names in (
        ("Address", "StreetAddress AddressLine1 StreetNumber StreetName City Province PostalCode Country"),
        ("Building", "BathroomTotal BedroomsTotal ConstructedDate CoolingType HeatingFuel Type StoriesTotal"),
        ("Land", "SizeTotal SizeTotalText Acreage Amenities SizeIrregular"),
    )
)
