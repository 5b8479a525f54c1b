import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import Malformed, ParseError, Truncated
from parsers.rets.login import parse_login
from parsers.rets.reply import Reply, Verdict


def answer(body: str, *, wrap: bool = True) -> bytes:
    inside = f"<RETS-RESPONSE>{body}</RETS-RESPONSE>" if wrap else body
    return f'<RETS ReplyCode="0" ReplyText="Operation Success">{inside}</RETS>\r\n'.encode()


def test_capabilities_are_the_keys_that_hold_a_url() -> None:
    found = parse_login(
        answer(
            "\r\nMemberName=Pat Lee\r\nMetadataVersion=1.12\r\nSearch=https://h.test/search\r\nX-Tour=/tour\r\n"
        )
    )
    assert found.reply == Reply(0, "Operation Success")
    assert found.capabilities == {"search": "https://h.test/search", "x-tour": "/tour"}
    assert found.info == {"membername": "Pat Lee", "metadataversion": "1.12"}
    assert found.timeout_seconds is None


def test_q82_lines_may_stand_straight_under_rets() -> None:
    found = parse_login(answer("\nLogin=/login\nSearch=/search\n", wrap=False))
    assert found.capabilities == {"login": "/login", "search": "/search"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_q83_blanks_around_the_first_equals_sign_and_more_signs_behind_it(end: str) -> None:
    lines = ["", "  Search = /search?a=1&amp;b=2  ", "Login\t=\t/login;s=3", "no pair", ""]
    found = parse_login(answer(end.join(lines)))
    assert found.capabilities == {"search": "/search?a=1&b=2", "login": "/login;s=3"}


def test_q84_keys_in_lower_case() -> None:
    assert parse_login(answer("\nsearch=/s\ngetobject=/o\n")).capabilities == {
        "search": "/s",
        "getobject": "/o",
    }


def test_q84_everything_on_one_line() -> None:
    found = parse_login(answer("MemberName=Pat Lee Jr  Login = /login?a=b Search=/search TimeoutSeconds=60"))
    assert found.capabilities == {"login": "/login?a=b", "search": "/search"}
    assert found.info["membername"] == "Pat Lee Jr"
    assert found.timeout_seconds == 60


def test_q84_a_key_without_a_value_on_one_line() -> None:
    found = parse_login(answer("MetadataVersion= Login=/login Broker="))
    assert found.capabilities == {"login": "/login"}
    assert found.info == {"metadataversion": "", "broker": ""}


@pytest.mark.parametrize("odd", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_q83_a_line_ends_in_cr_or_lf_alone(odd: str) -> None:
    found = parse_login(answer(f"\nBroker=R{odd}D=1\nLogin=/login\n"))
    assert found.info == {"broker": f"R{odd if odd > ' ' else ''}D=1"}  # Q72: controls are dropped
    assert found.capabilities == {"login": "/login"}


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("Info=USERID;Character;4711;b", "userid", "4711;b"),
        ("Info = AgentName ; ; Pat", "agentname", "Pat"),
        ("Info=BrokerCode;X=1", "brokercode", "X=1"),
        ("Info=plain", "info", "plain"),
    ],
)
def test_q85_info_lines_with_and_without_a_type(line: str, key: str, value: str) -> None:
    assert parse_login(answer(f"\n{line}\nSearch=/s\n")).info == {key: value}


@pytest.mark.parametrize("url", ["/rets/search", "search.aspx", "//h.test/search", "../search"])
def test_q86_relative_urls_are_kept_as_sent(url: str) -> None:
    assert parse_login(answer(f"\nSearch={url}\nLogin=/l\n")).capabilities["search"] == url


def test_q88_a_missing_or_empty_capability_is_not_there() -> None:
    assert parse_login(answer("\nGetObject=\nLogin=/l\n")).capabilities == {"login": "/l"}


def test_q92_an_error_reply_at_http_200_is_an_answer_without_capabilities() -> None:
    found = parse_login(b'<RETS ReplyCode="20037" ReplyText="User agent authentication failed"/>')
    assert found.reply.verdict is Verdict.STOP_ACCOUNT
    assert (found.capabilities, found.info) == ({}, {})


def test_q100_a_login_page_is_malformed() -> None:
    with pytest.raises(Malformed, match="not a RETS answer"):
        parse_login(b"<!DOCTYPE html>\n<html><body><form action='/login'>Login=/x</form></body></html>")


def test_an_answer_without_a_reply_code_is_malformed() -> None:
    with pytest.raises(Malformed, match="no reply code"):
        parse_login(b"<RETS><RETS-RESPONSE>Login=/l</RETS-RESPONSE></RETS>")


@pytest.mark.parametrize(
    ("lines", "seconds"),
    [
        ("TimeoutSeconds=1800", 1800),
        ("Info=TimeoutSeconds;Int;0900", 900),
        ("timeoutseconds = 0", None),
        ("TimeoutSeconds=soon", None),
        ("TimeoutSeconds=\xb2", None),
    ],
)
def test_q101_timeout_seconds(lines: str, seconds: int | None) -> None:
    assert parse_login(answer(f"\n{lines}\nLogin=/l\n")).timeout_seconds == seconds


@pytest.mark.parametrize("cut", [0, 5, 40, 90])
def test_a_good_answer_that_is_cut_is_truncated(cut: int) -> None:
    with pytest.raises(Truncated):
        parse_login(answer("\nLogin=https://h.test/login\nSearch=https://h.test/search\n")[:cut])


@given(st.binary() | st.binary().map(lambda body: b'<RETS ReplyCode="0">' + body + b"</RETS>"))
def test_no_bytes_make_it_raise_anything_but_a_parse_error(document: bytes) -> None:
    try:
        found = parse_login(document)
    except ParseError:
        return
    assert all(key == key.lower() for key in (*found.capabilities, *found.info))
