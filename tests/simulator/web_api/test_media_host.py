"""Media by URL, over real HTTP."""

from dataclasses import replace

import pytest

from service.simulator.web_api.dialects import CONSTELLATION1, RESO
from tests.simulator.web_api.client import TOKEN, Asking, asking, listing, moment, photo

PICTURE = b"\xff\xd8 a picture of some bytes \xff\xd9"
SIGNED = replace(RESO, signed=True)


def url_of(client: Asking, key: str = "a") -> str:
    (row,) = client.ask("Media", filter=f"MediaKey eq '{key}'").rows
    url: str = row["MediaURL"]
    return url


def test_a_picture_comes_with_its_type_length_and_etag() -> None:
    with asking(RESO, listing("A 1", photo("a/b", PICTURE, media_type="image/png"))) as (_, client):
        url = url_of(client, "a/b")
        assert url == "/x/media/A%201/a%2Fb.png"
        said = client.get(url)
        assert (said.status, said.body) == (200, PICTURE)
        assert (said.headers["content-type"], said.headers["content-length"]) == (
            "image/png",
            str(len(PICTURE)),
        )
        assert said.headers["etag"]
        assert client.server.requests[-1].params == {"URL": "media/A%201/a%2Fb.png"}


def test_a_picture_can_be_made_when_it_is_asked_for() -> None:
    made = replace(photo("a"), picture=lambda: PICTURE)
    with asking(RESO, listing("1", made)) as (_, client):
        assert client.get(url_of(client)).body == PICTURE


def test_x9_whoever_sends_credentials_is_refused_where_none_are_wanted() -> None:
    with asking(RESO, listing("1", photo("a"))) as (_, client):
        for name, value in (("Authorization", f"Bearer {TOKEN}"), ("Cookie", "a=planted")):
            said = client.get("/x/media/1/a.jpg", **{name: value})
            assert said.status == 400
            assert value not in said.body.decode()


def test_a_host_can_want_credentials() -> None:
    with asking(RESO, listing("1", photo("a", PICTURE)), media="with credentials") as (_, client):
        assert client.get("/x/media/1/a.jpg").status == 401
        assert client.get("/x/media/1/a.jpg", Authorization=f"Bearer {TOKEN}").body == PICTURE


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_picture_can_be_missing_or_refused(status: int) -> None:
    with asking(RESO, listing("1", photo("a", status=status))) as (_, client):
        assert client.get("/x/media/1/a.jpg").status == status


@pytest.mark.parametrize("path", ["1/z.jpg", "2/a.jpg", "1/a.png", "a.jpg", "1/2/a.jpg", "1/t.jpg"])
def test_what_is_not_hosted_is_not_found(path: str) -> None:
    tour = photo("t", category="Virtual Tour", link="https://tours.example/7")
    with asking(RESO, listing("1", photo("a"), tour)) as (_, client):
        assert client.get(f"/x/media/{path}").status == 404


def test_the_url_of_a_picture_that_was_replaced_is_gone_where_urls_name_content() -> None:
    with asking(CONSTELLATION1, listing("1", photo("a"))) as (api, client):
        old = url_of(client)
        api.listings.put(listing("1", photo("a", PICTURE, changed=moment(5))))
        assert client.get(old).status == 404
        assert client.get(url_of(client)).body == PICTURE


def test_c15_a_size_is_part_of_the_query() -> None:
    with asking(CONSTELLATION1, listing("1", photo("a", PICTURE))) as (_, client):
        assert client.get(f"{url_of(client)}?d=500x320").body == PICTURE


def test_a_picture_can_be_elsewhere() -> None:
    with asking(RESO, listing("1", photo("a", location="b.jpg"), photo("b"))) as (_, client):
        said = client.get("/x/media/1/a.jpg")
        assert (said.status, said.headers["location"]) == (302, "b.jpg")


def test_x1_signed_urls_differ_in_every_answer_and_expire() -> None:
    with asking(SIGNED, listing("1", photo("a", PICTURE))) as (api, client):
        first, second = url_of(client), url_of(client)
        assert first != second
        assert client.get(first).body == client.get(second).body == PICTURE
        api.expire_signatures()
        assert client.get(second).status == 403
        assert client.get(url_of(client)).status == 200


def test_x6_a_signature_that_was_encoded_anew_is_refused() -> None:
    with asking(SIGNED, listing("1", photo("a"))) as (_, client):
        url = url_of(client)
        for anew in (url.replace("%7E", "~"), url.replace("%2f", "%2F"), url.partition("?")[0]):
            assert anew != url
            assert client.get(anew).status == 403


def test_a_part_of_the_same_picture_comes_alone() -> None:
    with asking(RESO, listing("1", photo("a", PICTURE))) as (_, client):
        etag = client.get("/x/media/1/a.jpg").headers["etag"]
        said = client.get("/x/media/1/a.jpg", Range="bytes=5-", If_Range=etag)
        assert (said.status, said.body) == (206, PICTURE[5:])
        assert said.headers["content-range"] == f"bytes 5-{len(PICTURE) - 1}/{len(PICTURE)}"
        assert client.get("/x/media/1/a.jpg", Range="bytes=2-4").body == PICTURE[2:5]


def test_of_another_picture_everything_comes_and_beyond_the_end_nothing() -> None:
    with asking(RESO, listing("1", photo("a", PICTURE))) as (_, client):
        said = client.get("/x/media/1/a.jpg", Range="bytes=5-", If_Range='"another"')
        assert (said.status, said.body) == (200, PICTURE)
        assert client.get("/x/media/1/a.jpg", Range="bytes=99-").status == 416
