import pytest

from parsers.records import Redirect
from parsers.rets.objects import UrlTable
from service.recording.lenses import DocumentLens
from service.recording.links import PhotoLinks, UrlTableNames
from service.recording.scrub import Scrubber
from tests.parsers.splits import every_way

BASE = "https://mls.example:6103/rets/getobject"
SECRET = "planted-secret"


def links() -> PhotoLinks:
    made = PhotoLinks(Scrubber([SECRET], ["jdoe77"]))
    made.base = BASE
    return made


@pytest.mark.parametrize(
    ("said", "true"),
    [
        ("https://cdn.example/t/AB/1.jpg?sig=x%20y&t=1", "https://cdn.example/t/AB/1.jpg?sig=x%20y&t=1"),
        ("//cdn.example/1.jpg", "https://cdn.example/1.jpg"),
        ("/image.ashx?id=1", "https://mls.example:6103/image.ashx?id=1"),
        ("image.ashx?id=1", "https://mls.example:6103/rets/image.ashx?id=1"),
        ("?id=1", "https://mls.example:6103/rets/getobject?id=1"),
        ("http://user:word@cdn.example/1.jpg", "http://user:word@cdn.example/1.jpg"),
    ],
)
def test_q41_a_name_leads_back_to_the_url_that_was_meant(said: str, true: str) -> None:
    made = links()
    name = made.name(said)
    assert made.meant_by(f"https://anywhere.example/feed/{name}") == (name, true)
    assert made.meant_by("https://anywhere.example/feed/photos/other") is None


def test_a_name_holds_nothing_of_its_url() -> None:
    name = links().name("https://user@cdn.example/t/AB-token/1001/1.jpg?sig=0123")
    folder, _, digits = name.partition("/")
    assert (folder, len(digits)) == ("photos", 16)
    assert int(digits, 16)


def test_one_url_has_one_name_in_every_recording_and_another_has_another() -> None:
    name = links().name("https://cdn.example/image.ashx?id=1")
    assert links().name("https://cdn.example/image.ashx?id=1") == name
    assert links().name("https://cdn.example/image.ashx?id=2") != name


def test_what_the_account_knows_as_secret_makes_no_difference_to_a_name() -> None:
    """Else whoever has the name could try passwords on it."""
    plain = links().name("https://cdn.example/1.jpg?user=&word=")
    spoken = links().name(f"https://jdoe77:x@cdn.example/1.jpg?user=jdoe77&word={SECRET}")
    other = links().name("https://cdn.example/1.jpg?user=scrubbed&word=scrubbed")
    assert spoken == other != plain


@pytest.mark.parametrize(
    "said", ["ftp://jane:word@cdn.example/1.jpg?sig=x", "data:image/png;base64,AA", "http://[x"]
)
def test_what_is_no_http_url_stays_what_it_is_without_secrets(said: str) -> None:
    name = links().name(said)
    assert name.partition(":")[0] == said.partition(":")[0]
    assert "word" not in name
    assert "sig" not in name


URLS = ["https://cdn.example/1.jpg?sig=a&t=1", "//cdn.example/2.jpg?sig=b", "/3.jpg"]

TABLE = """<?xml version="1.0"?>
<RETS ReplyCode="0" ReplyText="ok"><COUNT Records="4"/>
<DELIMITER value="{value}"/>
<COLUMNS>{columns}</COLUMNS>
<DATA>{one}</DATA>
<data >{two}</data>
<DATA>{three}</DATA>
<DATA>{four}</DATA></RETS>
"""


def table(mark: str) -> bytes:
    """Edges as servers leave them (Q69), a short row (Q70), one without URL."""
    columns = mark.join(
        ["", "ResourceRecordID", "Order", "Agent", "mediaurl", "MediaModificationTimestamp", ""]
    )
    return TABLE.format(
        value=f"{ord(mark):02x}",
        columns=columns,
        one=mark.join(["", "1001", "1", "Jane", URLS[0].replace("&", "&amp;"), "2024", ""]),
        two=mark.join(["1001", "2", "Jane", URLS[1], "2024", ""]),
        three=mark.join(["", "1001", "3", "Jane", f" {URLS[2]} "]),
        four=mark.join(["", "1001", "4", "Jane", "", "2024", ""]),
    ).encode()


def named(body: bytes, made: PhotoLinks, *, people: bool = False) -> bytes:
    """The table with names, the same whichever way it comes."""

    def through(chunks: list[bytes]) -> bytes:
        lens = DocumentLens(UrlTableNames(made, people=people).clean)
        return b"".join(map(lens.receive_data, chunks)) + lens.close()

    whole = through([body])
    assert all(through(chunks) == whole for chunks in every_way(body))
    return whole


@pytest.mark.parametrize("mark", ["\t", "|"])
def test_a_table_of_urls_reads_the_same_with_names_in_their_place(mark: str) -> None:
    made, body = links(), table(mark)
    clean = named(body, made)
    assert b"cdn.example" not in clean
    assert b".jpg" not in clean
    before, after = UrlTable().receive_data(body), UrlTable().receive_data(clean)
    names = [made.name(url) for url in URLS]
    assert [row.outcome for row in after[:3]] == [
        Redirect(name, stamp) for name, stamp in zip(names, ["2024", "2024", None], strict=True)
    ]
    assert after[3] == before[3]
    assert [row._replace(url=None) for row in (one.ref for one in after)] == [
        row._replace(url=None) for row in (one.ref for one in before)
    ]
    for url, name in zip(URLS, names, strict=True):
        body = body.replace(url.replace("&", "&amp;").encode(), name.encode())
    assert clean == body.replace(f" {names[2]} ".encode(), names[2].encode())


def test_columns_that_nobody_reads_can_be_blanked() -> None:
    made = links()
    assert b"Jane" in named(table("\t"), made)
    clean = named(table("\t"), made, people=True)
    assert b"Jane" not in clean
    assert UrlTable().receive_data(clean) == UrlTable().receive_data(named(table("\t"), made))


def test_of_a_row_that_nobody_can_read_nothing_is_left() -> None:
    body = table("\t").replace(b"\t2024\t</DATA>", b"\t2024\tplanted\tplanted\t</DATA>", 1)
    clean = named(body, links())
    assert b"planted" not in clean
    for text in (body, clean):
        reader = UrlTable()
        reader.receive_data(text)
        end = reader.close()
        assert (end.complete, len(end.end.quarantined)) == (False, 1)


def test_a_delimiter_that_nobody_can_read_leaves_tabs() -> None:
    body = table("\t").replace(b'value="09"', b'value="ZZ"')
    assert b"cdn.example" not in named(body, links())
