from base64 import encodebytes
from itertools import chain, repeat

import pytest

from parsers.records import WHOLE_SET, Absent, Denied, Redirect, Retryable, Unknown
from service.core.ports import Wanted
from service.errors import RetryLater, ServiceError, TransferCut
from tests.feeds.answers import PARALLEL, ROWS, Photos, Read, bundle, jpeg, part, reply, table, until_trouble
from tests.feeds.conftest import FIELDS, Open
from tests.feeds.scripted import Reply, ScriptedServer, chunked, ok

# Bundles.


def test_q24_q25_q26_q28_q30_q49_a_bad_part_is_an_outcome_of_its_photo_alone(
    server: ScriptedServer, read: Read
) -> None:
    parts = [
        part("not XML at all", "Content-Type: text/xml", id_="1"),
        part(reply(20403), "Content-Type: text/xml", id_="2"),
        part(jpeg("3"), "Content-Type: image/jpeg", id_="3"),
        part("Object 100:4 not found", "Content-Type: text/plain", id_="4"),
        part(reply(20409), "Content-Type: text/xml", id_="5"),
        part(reply(20407), "Content-Type: text/xml", id_="6"),
        part(reply(0), "Content-Type: text/xml", "Location: //cdn.example/7.jpg", id_="7"),
        part(jpeg("8"), "Content-Type: image/jpeg", "RETS-Error: 1", id_="8"),
        part(jpeg("9"), "Content-Type: image/jpeg", id_="9"),
    ]
    came = {id_: outcome for _, id_, outcome in read(ok(bundle(*parts), PARALLEL))}
    kinds = {id_: type(outcome) for id_, outcome in came.items()}
    assert kinds == {
        "1": Unknown,
        "2": Absent,
        "3": bytes,
        "4": Unknown,
        "5": Retryable,
        "6": Denied,
        "7": Redirect,
        "8": Unknown,
        "9": bytes,
    }
    assert came["7"] == Redirect("http://cdn.example/7.jpg")
    assert server.paths() == ["/rets/object"]


def test_q46_an_empty_location_leads_nowhere(read: Read) -> None:
    parts = [
        part("", "Location:", id_="1"),
        part(reply(20403), "Location: ", id_="2"),
        part(reply(0), "Location:", id_="3"),
    ]
    assert [type(outcome) for _, _, outcome in read(ok(bundle(*parts), PARALLEL))] == [
        Absent,
        Absent,
        Unknown,
    ]


def test_q54_q105_object_data_may_hold_the_url_and_the_time(photos: Photos) -> None:
    said = part(
        reply(0),
        "Content-Type: text/xml",
        "ObjectData: PropMediaBytes=12",
        "ObjectData: PropMediaURL=https://cdn.example/1.jpg?a=b&amp;c=d",
        "ObjectData: PropMediaModificationTimestamp=2024-01-01T00:00:00Z",
        id_="1",
    )
    (photo,) = photos(ok(bundle(said), PARALLEL))
    assert photo.outcome == Redirect("https://cdn.example/1.jpg?a=b&c=d", "2024-01-01T00:00:00Z")
    assert photo.ref.stamp == "2024-01-01T00:00:00Z"


def test_q105_the_names_in_object_data_are_configuration(server: ScriptedServer, open_source: Open) -> None:
    said = part(reply(0), "ObjectData: U=/1.jpg", "ObjectData: T=yesterday", id_="1")
    server.handlers["/object"] = lambda _request: ok(bundle(said), PARALLEL)
    server.handlers["/1.jpg"] = lambda _request: ok(jpeg("1"))
    source = open_source(fields={**FIELDS, "photo_url": "u", "photo_stamp": "t"})
    (photo,) = source.open_photos([Wanted("100")])
    assert (photo.ref.id, photo.ref.stamp) == ("1", "yesterday")


def test_q41_q42_a_location_is_resolved_against_the_answer(server: ScriptedServer, read: Read) -> None:
    locations = ("//cdn.example/1.jpg", "/photos/1.jpg", "1.jpg?a=1&amp;b=2", "https://cdn.example/x")
    parts = [part("", f"Location: {text}", id_=str(n)) for n, text in enumerate(locations, 1)]
    assert [outcome for _, _, outcome in read(ok(bundle(*parts), PARALLEL))] == [
        Redirect("http://cdn.example/1.jpg"),
        Redirect(server.url("/photos/1.jpg")),
        Redirect(server.url("/rets/1.jpg?a=1&b=2")),
        Redirect("https://cdn.example/x"),
    ]


def test_q43_images_count_beside_a_location(read: Read) -> None:
    said = bundle(part(jpeg("1"), "Content-Type: image/jpeg", "Location: http://h.example/1", id_="1"))
    assert read(ok(said, PARALLEL)) == [("100", "1", jpeg("1"))]


def test_q19_base64_is_decoded_and_a_broken_one_loses_only_itself(read: Read) -> None:
    base64 = "Content-Transfer-Encoding: base64"
    said = bundle(
        part(encodebytes(jpeg("1")), base64, id_="1"), part("%%%%", base64, id_="2"), part(jpeg("3"), id_="3")
    )
    came = read(ok(said, PARALLEL))
    assert came[0] == ("100", "1", jpeg("1"))
    assert isinstance(came[1][2], Unknown)
    assert came[2] == ("100", "3", jpeg("3"))


def test_q37_q39_q53_captions_order_and_preference_come_from_the_head(
    photos: Photos,
) -> None:
    said = bundle(
        part(jpeg("a"), "Content-Description: Front", "Preferred: 1", id_="27"),
        part(jpeg("b"), "Content-Description: null", id_="front"),
        part(jpeg("c"), "Description: Back", id_="3"),
    )
    refs = [photo.ref for photo in photos(ok(said, PARALLEL))]
    assert [(ref.id, ref.order, ref.caption, ref.preferred) for ref in refs] == [
        ("27", 27, "Front", True),
        ("front", 2, None, False),
        ("3", 3, "Back", False),
    ]


# Single texts, which speak for all.


@pytest.mark.parametrize("kind", ["text/xml", "text/plain", PARALLEL])
@pytest.mark.parametrize("ids", [None, ("1", "2"), ("5",)])
def test_q27_a_text_instead_of_images_speaks_for_what_was_asked(
    read: Read, kind: str, ids: tuple[str, ...] | None
) -> None:
    id_ = ids[0] if ids and len(ids) == 1 else WHOLE_SET
    wanted = [Wanted("100", ids)]
    assert read(ok(reply(20403), kind), wanted) == [("100", id_, Absent("20403 said"))]
    assert read(ok(reply(20409), kind), wanted) == [("100", id_, Retryable("20409 said"))]


def test_q33_nothing_found_under_a_star_speaks_for_the_set(read: Read) -> None:
    said = ok(bundle(part(reply(20403), "Content-Type: text/xml", id_="*")), PARALLEL)
    assert read(said) == [("100", WHOLE_SET, Absent("20403 said"))]


@pytest.mark.parametrize("kind", [PARALLEL, "image/jpeg", ""])
def test_q22_an_empty_answer_is_not_an_absence(read: Read, kind: str) -> None:
    for length in (True, False):
        said = ok(b"", kind, headers=[("Content-ID", "100"), ("Object-ID", "1")], length=length)
        assert read(said) == [("100", WHOLE_SET, Unknown("an empty answer with HTTP 200"))]


def test_q31_an_empty_single_answer_that_names_its_photo_is_an_absence_only_when_vouched_for(
    read: Read,
) -> None:
    ids = [("Content-ID", "100"), ("Object-ID", "1")]
    wanted = [Wanted("100", ("1",))]
    assert isinstance(read(ok(b"", "", headers=ids), wanted)[0][2], Absent)
    assert isinstance(read(ok(b"", "", headers=ids, length=False), wanted)[0][2], Unknown)


@pytest.mark.parametrize("body", [jpeg("placeholder"), b"<html>not found</html>", b""])
def test_an_error_status_without_a_reply_code_decides_nothing(read: Read, body: bytes) -> None:
    (came,) = read(ok(body, "image/jpeg", status=404))
    assert came[:2] == ("100", WHOLE_SET)
    assert isinstance(came[2], Unknown)
    assert "HTTP 404" in came[2].evidence


def test_a_page_of_html_is_no_picture(read: Read) -> None:
    (came,) = read(ok("<html>" + "x" * 10**6, "image/jpeg"))
    assert isinstance(came[2], Unknown)


def test_a_single_location_is_a_redirect(server: ScriptedServer, read: Read) -> None:
    said = ok(reply(0), headers=[("Location", "/p/1.jpg"), ("Object-ID", "1")])
    assert read(said) == [("100", "1", Redirect(server.url("/p/1.jpg")))]


# Tables of URLs.


def test_a_table_of_urls_gives_redirects_with_their_times(
    photos: Photos,
) -> None:
    found = list(photos(ok(table(*ROWS)), [Wanted("100", ("1", "3"))]))
    assert [(photo.listing, photo.ref.id, photo.ref.order) for photo in found] == [
        ("100", "1", 1),
        ("100", "3", 3),
    ]
    assert found[1].outcome == Redirect("https://cdn.example/3.jpg", "2024-01-03T00:00:00Z")


def test_a_table_of_urls_may_be_longer_than_what_is_looked_at_first(read: Read) -> None:
    many = [f"100\t{n}\thttps://cdn.example/{n}.jpg\t" for n in range(5000)]
    assert len(read(ok(table(*many)))) == 5000


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (ok(table(*ROWS, end="")), TransferCut),
        (ok(table(*ROWS, count=4)), RetryLater),
        (ok(table(*ROWS, "100\t\thttps://cdn.example/4.jpg\t")), RetryLater),
    ],
)
def test_a_table_that_is_not_whole_raises_after_its_rows(
    photos: Photos, said: Reply, error: type[ServiceError]
) -> None:
    came, raised = until_trouble(photos(said))
    assert len(came) == 3
    assert type(raised) is error


def test_a_table_without_rows_decides_nothing(read: Read) -> None:
    (came,) = read(ok(table()))
    assert came[:2] == ("100", WHOLE_SET)
    assert isinstance(came[2], Unknown)


def test_a_table_that_goes_on_for_ever_is_left(photos: Photos) -> None:
    opening, _, _ = table(*ROWS).partition("</RETS>")
    row = f"<DATA>\t{ROWS[-1]}\t</DATA>".encode()
    endless = chunked(chain((opening.encode(),), repeat(row * 1000)))
    came, trouble = until_trouble(photos(endless))
    assert isinstance(trouble, RetryLater)
    assert "no end" in trouble.what
    assert {id_ for _, id_, _ in came} == {"1", "2", "3"}
