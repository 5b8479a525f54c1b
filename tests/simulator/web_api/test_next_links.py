"""Next links over real HTTP: opaque, exact, perishable."""

import pytest
from requests import Request

from service.simulator.web_api.dialects import CONSTELLATION1, REALTRACS, RESO, SPARK_REPLICATION, Dialect
from tests.simulator.web_api.client import Asking, Said, asking, listing

NARROW = "OriginatingSystemName eq 'LOOPBACK' and ModificationTimestamp ge 2020-01-01T00:00:00Z"


def all_pages(client: Asking, said: Said) -> list[list[str]]:
    pages = [[row["ListingKey"] for row in said.rows]]
    while said.link:
        said = client.get(said.link)
        assert said.status == 200
        pages.append([row["ListingKey"] for row in said.rows])
    return pages


@pytest.mark.parametrize("dialect", [RESO, REALTRACS, SPARK_REPLICATION], ids=["reso", "realtracs", "spark"])
def test_a_chain_of_links_brings_every_row_once(dialect: Dialect) -> None:
    with asking(dialect, *(listing(str(n)) for n in range(5))) as (_, client):
        assert all_pages(client, client.ask("Property", top="2")) == [["0", "1"], ["2", "3"], ["4"]]


def test_c7_a_full_last_page_links_to_one_that_counts_nothing() -> None:
    with asking(CONSTELLATION1, *(listing(str(n)) for n in range(4))) as (_, client):
        assert all_pages(client, client.ask("Property", top="2")) == [["0", "1"], ["2", "3"], []]


def test_c8_a_link_is_good_byte_for_byte_only() -> None:
    with asking(CONSTELLATION1, *(listing(str(n)) for n in range(4))) as (_, client):
        link = client.ask("Property", top="2", filter=NARROW).link
        assert link
        assert "%7E==" in link
        again = Request("GET", f"http://127.0.0.1{link}").prepare().path_url
        assert again != link, "an HTTP library encodes it anew"
        assert client.get(again).status == 404
        assert "%3a" in link
        assert client.get(link.replace("%3a", "%3A")).status == 404
        assert client.get(link.replace("%20", "+")).status == 404
        assert client.get(link.replace("==", "%3D%3D")).status == 404
        assert [row["ListingKey"] for row in client.get(link).rows] == ["2", "3"]


def test_a_link_in_the_query_is_good_byte_for_byte_only() -> None:
    with asking(RESO, *(listing(str(n)) for n in range(4))) as (_, client):
        link = client.ask("Property", top="2", filter=NARROW).link
        assert link
        assert client.get(link.replace("%7E", "~")).status == 404
        assert client.get(link).status == 200


def test_c8_links_expire() -> None:
    with asking(CONSTELLATION1, *(listing(str(n)) for n in range(4))) as (api, client):
        link = client.ask("Property", top="2").link
        assert link
        api.expire_links()
        assert client.get(link).status == 410
        fresh = client.ask("Property", top="2").link
        assert fresh
        assert fresh != link
        assert client.get(fresh).status == 200


def test_a_chain_keeps_to_what_it_found_when_it_began() -> None:
    with asking(RESO, *(listing(str(n)) for n in range(4))) as (api, client):
        said = client.ask("Property", top="2")
        api.listings.remove("0")
        assert all_pages(client, said) == [["0", "1"], ["2", "3"]]
