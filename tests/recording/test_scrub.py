import time
from urllib.parse import quote

import pytest

from parsers.mime import Headers
from service.recording.scrub import Scrubber
from service.rets_config import RetsFeed

ACCOUNT = {
    "kind": "rets",
    "login_url": "https://rets.board.example:6103/login",
    "hosts": ["images.board.example:443"],
    "username": "jdoe77",
    "class": "RES",
    "query": "(ModificationTimestamp={since}+)",
    "password_file": "",
    "user_agent_password_file": "",
}
PASSWORD, AGENT = "pa<ss&word/1", "agent-secret"


@pytest.fixture
def account(tmp_path_factory: pytest.TempPathFactory) -> RetsFeed:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "p").write_text(PASSWORD)
    (folder / "a").write_text(AGENT)
    files = {"password_file": str(folder / "p"), "user_agent_password_file": str(folder / "a")}
    return RetsFeed.model_validate({**ACCOUNT, **files})


@pytest.mark.parametrize(
    "planted",
    [
        PASSWORD,
        quote(PASSWORD, safe=""),
        "pa&lt;ss&amp;word/1",
        AGENT,
        "amRvZTc3OnBhPHNzJndvcmQvMQ==",
        "jdoe77",
        "JDOE77",
        "rets.board.example",
        "images.board.example",
    ],
)
def test_what_the_account_knows_as_secret_goes_wherever_it_stands(account: RetsFeed, planted: str) -> None:
    clean = Scrubber.of_feed(account).clean_words(f"before <{planted}> after")
    assert planted.lower() not in clean.lower()
    assert clean.startswith("before <")
    assert clean.endswith("> after")


def test_a_user_name_inside_another_word_stays(account: RetsFeed) -> None:
    assert Scrubber.of_feed(account).clean_words("jdoe777 ajdoe77") == "jdoe777 ajdoe77"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://u:pw@cdn.example/a/1.jpg?X-Sig=abc&amp;t=1 x", "https://cdn.example/a/1.jpg?scrubbed x"),
        ("Location: /image.ashx?id=1&sig=abc", "Location: /image.ashx?scrubbed"),
        ("see http://h.example/p;jsessionid=AB12/x", "see http://h.example/p;jsessionid=scrubbed"),
        ('<Foo SessionID="abc123" Other="1"/>', '<Foo SessionID="scrubbed" Other="1"/>'),
        ("<AccessToken>abc</AccessToken>", "<AccessToken>scrubbed</AccessToken>"),
        ("PropMediaSignature=ab/cd==; x", "PropMediaSignature=scrubbed; x"),
        ('Authorization: Digest username="j", response="0f"\r\nA: b', "Authorization: scrubbed\r\nA: b"),
        ('<RETS ReplyText="Authorization: Basic ab=">x', '<RETS ReplyText="Authorization: scrubbed">x'),
        (
            "<![CDATA[http://h.example/?a=b]]><!-- Cookie: x=y --><A/>",
            "<![CDATA[http://h.example/?scrubbed]]><!-- Cookie: scrubbed--><A/>",
        ),
        ("<!-- token=abc-->", "<!-- token=scrubbed-->"),
        ("sent Bearer abcdefghijklmnop here", "sent Bearer scrubbed here"),
        ("token eyJhbGciOi.eyJzdWIi.sig-1 end", "token scrubbed end"),
        ("write to jane.o'hara+x@broker.example.com!", "write to scrubbed!"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, left: str) -> None:
    assert Scrubber().clean_words(text) == left


@pytest.mark.parametrize(
    "text",
    [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<RETS ReplyCode="20403" ReplyText="No object found"><RETS-STATUS ReplyCode="0"/>',
        '<PropertyDetails ID="1" LastUpdated="Thu, 21 Feb 2019 23:40:21 GMT">',
        "\tListingKey\tSecretAgent\tPhotosCount\t",
        "Object 111285:* not found. Really? Yes.",
    ],
)
def test_the_words_of_rets_stay(text: str) -> None:
    assert Scrubber().clean_words(text) == text


def test_a_cookie_is_a_secret_once_it_is_known() -> None:
    scrubber = Scrubber()
    assert scrubber.clean_words("id SESSION-12345 1") == "id SESSION-12345 1"
    scrubber.learn(['"SESSION-12345"', "1"])
    assert scrubber.clean_words("id SESSION-12345 1") == "id scrubbed 1"


def test_headers_are_kept_by_name() -> None:
    head = Headers(
        [
            ("Content-Type", 'multipart/parallel; boundary="_Part.root@mail.example"'),
            ("Set-Cookie", "a=b"),
            ("X-Whatever", "token"),
            ("Content-Length", "12"),
            ("Content-Encoding", "gzip"),
            ("Content-Description", "Kitchen of jane@x.example"),
            ("OBJECT-ID", "1"),
        ]
    )
    kept = [("Content-Type", 'multipart/parallel; boundary="_Part.root@mail.example"'), ("OBJECT-ID", "1")]
    caption = ("Content-Description", "Kitchen of scrubbed")
    assert list(Scrubber().clean_head(head, people=False)) == [kept[0], caption, kept[1]]
    assert list(Scrubber().clean_head(head, people=True)) == kept


@pytest.mark.parametrize("text", [b"a-" * 500_000, b"a." * 500_000, b"x" * 1_000_000, b"?a" * 500_000])
def test_a_megabyte_without_a_blank_takes_no_time(text: bytes) -> None:
    scrubber = Scrubber(["secret-1"], ["name-1"], ["host.example"])
    start = time.process_time()
    scrubber.clean(text)
    assert time.process_time() - start < 10
