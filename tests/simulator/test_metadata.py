from collections.abc import Mapping

import pytest
from lxml import etree

from service.rets_config import RetsFeed, RetsFields
from service.simulator.front_desk import Site
from service.simulator.metadata import Metadata
from service.simulator.mls import Mls
from service.simulator.server import LoopbackServer
from tests.simulator.client import ACCOUNT, beside, logged_in

SETTINGS = {
    "class": "ResidentialProperty",
    "fields": {"listing": "ID", "modified": "LastUpdated", "photos_changed": "", "photos_count": ""},
}
METADATA = Metadata.of_feed(SETTINGS)


def ask(metadata: Metadata, kind: str, id_: str = "0", format_: str = "COMPACT") -> etree._Element:
    answer = metadata.answer({"Type": kind, "ID": id_, "Format": format_})
    assert isinstance(answer.body, bytes)
    return etree.fromstring(answer.body)


def table(metadata: Metadata, kind: str, id_: str = "0") -> list[Mapping[str, str]]:
    root = ask(metadata, kind, id_)
    assert root.get("ReplyCode") == "0"
    lines = [(line.text or "")[1:-1].split("\t") for line in root.iter("COLUMNS", "DATA")]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def test_what_the_settings_leave_out_is_what_the_configuration_leaves_out() -> None:
    defaults, silent = RetsFeed.model_fields, Metadata.of_feed({"class": "RES"})
    assert silent == Metadata()
    assert (silent.resource, silent.object_types) == (
        defaults["resource"].default,
        defaults["object_types"].default,
    )


def test_the_system_says_its_version_as_the_login_does() -> None:
    root = ask(METADATA, "METADATA-SYSTEM")
    assert root.find("METADATA-SYSTEM").get("Version") == "1.00.00001"  # type: ignore[union-attr]
    assert root.find("METADATA-SYSTEM/SYSTEM").get("TimeZoneOffset") == "Z"  # type: ignore[union-attr]


def test_a_client_finds_its_way_from_the_resource_to_its_fields() -> None:
    (resource,) = table(METADATA, "METADATA-RESOURCE")
    assert (resource["ResourceID"], resource["KeyField"]) == ("Property", "ID")
    (class_,) = table(METADATA, "METADATA-CLASS", resource["ResourceID"])
    assert class_ == {"ClassName": "ResidentialProperty", "ClassTimeStamp": "LastUpdated"}
    (object_,) = table(METADATA, "METADATA-OBJECT", resource["ResourceID"])
    assert object_["ObjectType"] == "Photo"
    fields = table(METADATA, "METADATA-TABLE", f"{resource['ResourceID']}:{class_['ClassName']}")
    assert [field["SystemName"] for field in fields] == ["ID", "LastUpdated"]


def test_a_field_says_its_standard_name_and_its_type() -> None:
    names = RetsFields(listing="sysid", photos_changed="LIST_134")
    fields = table(Metadata(fields=names), "METADATA-TABLE", "Property:RES")
    assert [(field["SystemName"], field["StandardName"], field["DataType"]) for field in fields] == [
        ("sysid", "ListingKey", "Character"),
        ("LIST_134", "PhotosChangeTimestamp", "DateTime"),
        ("PhotosCount", "PhotosCount", "Int"),
        ("ModificationTimestamp", "ModificationTimestamp", "DateTime"),
    ]
    assert [field["SystemName"] for field in fields if field["Unique"] == "1"] == ["sysid"]


def test_every_object_type_has_a_row_with_the_field_of_its_time() -> None:
    metadata = Metadata.of_feed({"class": "RES", "object_types": ["LargePhoto", "Photo"]})
    rows = table(metadata, "METADATA-OBJECT", "Property")
    assert [(row["ObjectType"], row["ObjectTimeStamp"]) for row in rows] == [
        ("LargePhoto", "PhotosChangeTimestamp"),
        ("Photo", "PhotosChangeTimestamp"),
    ]


def test_rows_name_what_they_belong_to() -> None:
    element = ask(METADATA, "METADATA-TABLE", "Property:ResidentialProperty").find("METADATA-TABLE")
    assert element is not None
    assert (element.get("Resource"), element.get("Class")) == ("Property", "ResidentialProperty")


@pytest.mark.parametrize("id_", ["0", "*", "Property", "Property:0", "Property:*", "0:ResidentialProperty"])
def test_a_level_is_asked_for_by_its_name_or_by_0_or_by_a_star(id_: str) -> None:
    assert len(table(METADATA, "METADATA-TABLE", id_)) == 2


@pytest.mark.parametrize(
    ("kind", "id_", "code"),
    [
        ("METADATA-CLASS", "Agent", "20502"),
        ("METADATA-CLASS", "Property:ResidentialProperty", "20502"),
        ("METADATA-TABLE", "Property:Farm", "20502"),
        ("METADATA-RESOURCE", "Property", "20502"),
        ("METADATA-LOOKUP", "0", "20503"),
        ("", "0", "20503"),
    ],
)
def test_what_there_is_not_is_said_so(kind: str, id_: str, code: str) -> None:
    assert ask(METADATA, kind, id_).get("ReplyCode") == code


def test_there_is_no_other_form_than_compact() -> None:
    assert ask(METADATA, "METADATA-RESOURCE", format_="STANDARD-XML").get("ReplyCode") == "20514"


def test_the_login_names_the_capability_and_a_live_mls_answers_it_with_its_fields() -> None:
    mls = Mls(fields=RetsFields(listing="sysid"))
    with (
        LoopbackServer({"live": Site(ACCOUNT, mls)}) as server,
        logged_in(server.login_url("live")) as session,
    ):
        url = server.login_url("live")
        assert b"GetMetadata = /live/getmetadata" in session.get(url, timeout=10).content
        params = {"Type": "METADATA-RESOURCE", "ID": "0", "Format": "COMPACT"}
        answer = session.get(beside(url, "getmetadata"), params=params, timeout=10)
    assert b"\tsysid\t" in answer.content
