import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.rets.reply import Reply, Verdict, is_whole, read_reply, stops_feed
from tests.parsers.deadline import bounded

# The table of the field guide, written out once more: the code under test must agree with it.
TABLE = {
    Verdict.FINE: [0, 20208],
    Verdict.NOTHING: [20201, 20403],
    Verdict.LOGIN_AGAIN: [20701],
    Verdict.RETRY_LATER: [
        *[20022, 20050, 20209, 20411, 20511, 20210, 20412, 20512, 20408, 20508],
        *[20409, 20203, 20413, 20513, 10000],
    ],
    Verdict.ASK_LESS: [20410, 20510, 20211],
    Verdict.SKIP: [20402, 20407, 20406],
    Verdict.STOP_CONFIGURATION: [20200, 20202, 20206, 20207, 20400, 20401, 20601],
    Verdict.STOP_ACCOUNT: [20003, 20012, 20013, 20036, 20037, 20041],
}


@pytest.mark.parametrize(("code", "verdict"), [(code, key) for key, codes in TABLE.items() for code in codes])
def test_every_reply_code_has_its_verdict(code: int, verdict: Verdict) -> None:
    assert Reply(code).verdict is verdict
    stopping = {Verdict.STOP_CONFIGURATION, Verdict.STOP_ACCOUNT}
    assert stops_feed(Reply(code)) is (verdict in stopping)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (20001, Verdict.STOP_ACCOUNT),
        (20039, Verdict.STOP_ACCOUNT),
        (20051, Verdict.RETRY_LATER),
        (20299, Verdict.RETRY_LATER),
        (20499, Verdict.RETRY_LATER),
        (20599, Verdict.RETRY_LATER),
        (20702, Verdict.RETRY_LATER),
        (99999, Verdict.RETRY_LATER),
    ],
)
def test_an_unknown_code_is_its_familys_miscellaneous_error(code: int, verdict: Verdict) -> None:
    assert Reply(code).verdict is verdict


@pytest.mark.parametrize(
    "document",
    [
        b'<RETS ReplyCode="20403" ReplyText="No Object Found"/>',
        b'<RETS ReplyCode="20403" ReplyText="No Object Found" ></RETS>',
        b"<RETS ReplyText='No Object Found' ReplyCode='20403'></RETS>",
        b'\xef\xbb\xbf<?xml?>\n<!-- > -->\n<RETS ReplyCode=" 20403 " ReplyText="No Object Found">',
        b'<!DOCTYPE RETS SYSTEM "R.dtd">\n<RETS ReplyCode = "20403" ReplyText = "No Object Found"/>',
        b'<!DOCTYPE RETS [<!ENTITY x "]>">]><RETS ReplyCode="20403" ReplyText="No Object Found"/>',
        b'<RETS-STATUS ReplyCode="20403" ReplyText="No Object Found"/>',
    ],
)
def test_a_reply_is_read_whatever_stands_before_it(document: bytes) -> None:
    assert read_reply(document) == Reply(20403, "No Object Found")


@pytest.mark.parametrize("names", [("replyCode", "replytext"), ("Replycode", "REPLYTEXT")])
def test_q78_attribute_names_in_any_case(names: tuple[str, str]) -> None:
    code, text = names
    assert read_reply(f'<RETS {code}="20201" {text}="No Records"/>'.encode()) == Reply(20201, "No Records")


def test_q29_what_follows_the_element_is_dropped() -> None:
    document = b'<RETS ReplyCode="20403" ReplyText="None"></RETS>\r\n\x00junk <RETS ReplyCode="0">'
    assert read_reply(document) == Reply(20403, "None")


def test_q55_rets_status_inside_the_element_wins() -> None:
    document = b'<RETS ReplyCode="0" ReplyText="ok"><RETS-STATUS ReplyCode="20411" ReplyText="Time"/></RETS>'
    assert read_reply(document) == Reply(20411, "Time")
    behind = b'<RETS ReplyCode="0" ReplyText="ok"></RETS><RETS-STATUS ReplyCode="20411" ReplyText="Time"/>'
    assert read_reply(behind) == Reply(0, "ok")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"  \r\n",
        b"Object 111285:* not found",  # Q26
        b"<html><body>Please log in</body></html>",  # Q100
        b"<!DOCTYPE html><html></html>",
        b'<?xml version="1.0"?><Error ReplyCode="20403"/>',
        b"<RETS>",
        b'<RETS ReplyCode="">',
        b'<RETS ReplyCode="none">',
        b'<RETS ReplyCode="20403" ReplyText="cut in the mid',
        b"<RET",
        b"\xff\xd8\xff\xe0 a picture",
    ],
)
def test_a_text_without_a_reply_has_none(document: bytes) -> None:
    assert read_reply(document) is None


def test_reply_text_is_unescaped_once_and_decoded() -> None:
    assert read_reply(b'<RETS ReplyCode="0" ReplyText="R&amp;amp;D \xe9 "/>') == Reply(0, "R&amp;D \xe9")


@pytest.mark.parametrize(
    ("document", "whole"),
    [
        (b'<RETS ReplyCode="20403"/>', True),
        (b'<RETS ReplyCode="20403"></RETS>junk', True),
        (b'<RETS ReplyCode="20403">', False),
        (b'<RETS ReplyCode="20403"><RETS-RESPONSE></RETS-RESPONSE>', False),
        (b"no element", False),
    ],
)
def test_an_element_is_whole_when_it_is_closed(document: bytes, *, whole: bool) -> None:
    assert is_whole(document) is whole


def test_a_reply_full_of_unclosed_tags_takes_time_by_its_bytes() -> None:
    with bounded():
        assert read_reply(b'<RETS ReplyCode="20403">' + b"<RETS-STATUS " * 80_000) == Reply(20403)


@given(st.binary() | st.binary().map(lambda tail: b"<RETS " + tail))
def test_no_bytes_make_it_raise(document: bytes) -> None:
    reply = read_reply(document)
    assert reply is None or 0 <= reply.code < 10**9
