from lxml import etree

from service.simulator import documents
from service.simulator.documents import PropertyDetails, PropertyPhoto, Slice

CREA = "{urn:CREA.Search.Property}"
RECORDS = (
    PropertyDetails("1", "Thu, 21 Feb 2019 23:40:21 GMT", (PropertyPhoto("3", "local", "gmt"),)),
    PropertyDetails("A&B", "later", ()),
)


def test_a_bare_reply_holds_code_and_text() -> None:
    root = etree.fromstring(documents.reply(20403, 'No "Object" Found.'))
    assert (root.get("ReplyCode"), root.get("ReplyText")) == ("20403", 'No "Object" Found.')


def test_login_and_logout_answer_in_key_value_lines() -> None:
    lines = etree.fromstring(documents.login("reader", {"Search": "/crea/search"})).findtext("RETS-RESPONSE")
    assert lines is not None
    assert "MemberName = reader\n" in lines
    assert "TimeoutSeconds = 1800\n" in lines
    assert "Search = /crea/search\n" in lines
    assert etree.fromstring(documents.logout()).get("ReplyCode") == "0"


def test_a_standard_xml_record_lists_its_photos_in_creas_shape() -> None:
    root = etree.fromstring(documents.standard_xml(RECORDS, Slice(5, 2, 3)))
    assert root.find("COUNT").get("Records") == "5"  # type: ignore[union-attr]
    page = root.find(f"{CREA}RETS-RESPONSE/{CREA}Pagination")
    assert page is not None
    assert [element.text for element in page] == ["5", "2", "3", "3", "2"]
    first, second = root.iter(f"{CREA}PropertyDetails")
    assert (first.get("ID"), first.get("LastUpdated")) == ("1", "Thu, 21 Feb 2019 23:40:21 GMT")
    (photo,) = first.iter(f"{CREA}PropertyPhoto")
    assert [child.text for child in photo] == ["3", "local", "gmt"]
    assert second.get("ID") == "A&B"
    assert second.find(f"{CREA}Photo") is not None
    assert second.find(f"{CREA}ListingID") is not None


def test_a_master_list_row_has_a_key_and_a_time_and_nothing_else() -> None:
    row = PropertyDetails("1", "then", None)
    (details,) = etree.fromstring(documents.standard_xml([row], Slice(1, None, 1))).iter(
        f"{CREA}PropertyDetails"
    )
    assert (details.get("ID"), details.get("LastUpdated"), len(details)) == ("1", "then", 0)


def test_a_compact_answer_says_its_delimiter_in_hexadecimal() -> None:
    rows = [["1", "a&b"], ["2", ""]]
    tabs = documents.compact(["Key", "Text"], rows, Slice(2, None, 1))
    pipes = documents.compact(["Key", "Text"], rows, Slice(2, None, 1), "|")
    assert etree.fromstring(tabs).find("DELIMITER").get("value") == "09"  # type: ignore[union-attr]
    assert etree.fromstring(pipes).find("DELIMITER").get("value") == "7C"  # type: ignore[union-attr]
    assert [row.text for row in etree.fromstring(tabs).iter("COLUMNS", "DATA")] == [
        "\tKey\tText\t",
        "\t1\ta&b\t",
        "\t2\t\t",
    ]
    assert [row.text for row in etree.fromstring(pipes).iter("DATA")] == ["|1|a&b|", "|2||"]


def test_maxrows_is_said_while_more_is_to_come() -> None:
    page = [["1"], ["2"]]
    assert b"<MAXROWS/>" in documents.compact(["Key"], page, Slice(5, 2, 1))
    assert b"<MAXROWS/>" in documents.compact(["Key"], page, Slice(5, 2, 3))
    assert b"<MAXROWS/>" not in documents.compact(["Key"], [["5"]], Slice(5, 2, 5))


def test_a_count_is_said_only_when_asked_for() -> None:
    part = Slice(1, None, 1, count=False)
    assert b"COUNT" not in documents.compact(["Key"], [["1"]], part)
    assert b"COUNT" not in documents.standard_xml(RECORDS[:1], part)
