import pytest

from parsers.records import (
    Absent,
    Outcome,
    PhotoRef,
    Redirect,
    Retryable,
    Unknown,
)
from parsers.rets.objects import (
    UrlRow,
    UrlTable,
    is_url_table,
)
from tests.parsers.pictures import JPEGS
from tests.parsers.rets.object_parts import FINE, NO_OBJECT
from tests.parsers.rets.played import play_every_way

JPEG = JPEGS["baseline"]


def table(
    columns: str, *rows: str, end: str = "</RETS>", reply: str = 'ReplyCode="0" ReplyText="ok"'
) -> bytes:
    body = "".join(f"<DATA>{row}</DATA>" for row in rows)
    return f"<RETS {reply}><COLUMNS>{columns}</COLUMNS>{body}{end}".encode()


@pytest.mark.parametrize(
    "columns",
    [
        "\tResourceRecordKey\tObjectID\tMediaURL\t",
        "\tRESOURCERECORDID\tObject-ID\tMEDIAURL\t",
        "\tresourcerecordkey\torder\tmediaurl\t",
    ],
)
def test_columns_of_a_table_are_known_by_their_usual_spellings(columns: str) -> None:
    body = table(columns, "\tK\t5\thttps://h.test/5\t")
    rows, end = play_every_way(UrlTable, body)
    url = "https://h.test/5"
    assert rows == [UrlRow("K", PhotoRef("5", 5, None, url), Redirect(url))]
    assert end.complete
    assert is_url_table(body)


def test_a_table_without_a_listing_column_leaves_it_to_who_asked() -> None:
    rows, _ = play_every_way(UrlTable, table("\tObjectID\tMediaURL\t", "\t5\tu\t"))
    assert rows[0].listing == ""


def test_an_object_id_is_preferred_to_an_order() -> None:
    rows, _ = play_every_way(UrlTable, table("\tOrder\tObjectID\tMediaURL\t", "\t1\tx9\tu\t"))
    assert (rows[0].ref.id, rows[0].ref.order) == ("x9", 1)


def test_a_row_without_a_url_is_unknown_and_one_without_an_id_makes_the_table_incomplete() -> None:
    rows, end = play_every_way(UrlTable, table("\tOrder\tMediaURL\t", "\t1\t\t", "\t2\tu\t"))
    assert rows[0].outcome == Unknown("a row without a URL")
    assert end.complete
    rows, end = play_every_way(UrlTable, table("\tOrder\tMediaURL\t", "\t\tu\t", "\t2\tu\t"))
    assert [row.ref.id for row in rows] == ["2"]
    assert (end.complete, end.outcome) == (False, None)


@pytest.mark.parametrize(
    "body",
    [
        table("\tOrder\tMediaURL\t", "\t1\tu\t", end=""),
        table("\tOrder\tMediaURL\t", "\t1\tu\t", end="<MAXROWS/></RETS>"),
        table("\tOrder\tMediaURL\t", "\t1\tu\t", end='<COUNT Records="2"/></RETS>'),
        table("\tOrder\tMediaURL\t", "\t1\tu\t", "\t2\tu\tx\t"),
        table("\tOrder\tMediaURL\t", "\t1\tu\t", end='<RETS-STATUS ReplyCode="20403" ReplyText="x"/></RETS>'),
    ],
)
def test_a_table_that_is_cut_or_contradicts_itself_is_not_complete(body: bytes) -> None:
    rows, end = play_every_way(UrlTable, body)
    assert ([row.ref.id for row in rows], end.complete, end.outcome) == (["1"], False, None)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (table("\tOrder\tMediaURL\t"), Unknown("a table of URLs without rows")),
        (
            table("\tOrder\tMediaURL\t", reply='ReplyCode="20403" ReplyText="x"', end=""),
            Unknown("a table of URLs without rows"),
        ),
        (table("\tOrder\tMediaURL\t", reply='ReplyCode="20403" ReplyText="x"'), Absent("20403 x")),
        (table("\tOrder\tMediaURL\t", reply='ReplyCode="20409" ReplyText="x"'), Retryable("20409 x")),
    ],
)
def test_a_table_without_rows_speaks_for_all_that_was_asked(body: bytes, outcome: Outcome) -> None:
    rows, end = play_every_way(UrlTable, body)
    assert (rows, end.outcome) == ([], outcome)


@pytest.mark.parametrize(
    "answer", [b"", NO_OBJECT, FINE, JPEG[:64], b"<html>", table("\tListingKey\tPhotosCount\t", "\t1\t2\t")]
)
def test_other_answers_are_no_table_of_urls(answer: bytes) -> None:
    assert not is_url_table(answer)
