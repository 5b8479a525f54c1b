"""Login answers of every form, as they were built and with damage anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.errors import Malformed, ParseError, Truncated
from parsers.rets.login import parse_login
from tests.fuzz.budget import examples
from tests.fuzz.logins import Login, logins
from tests.fuzz.mutations import Damaged, damaged_one_of
from tests.parsers.deadline import bounded


@examples(30)
@given(logins())
def test_a_login_says_what_was_put_into_it(login: Login) -> None:
    with bounded():
        found = parse_login(login.body)
    assert found.reply.code == 0
    assert found.capabilities == login.capabilities
    assert found.info == login.info
    assert found.timeout_seconds == login.timeout_seconds


@examples(30)
@given(logins(), st.data())
def test_a_login_that_is_cut_off_is_no_login(login: Login, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, login.body.index(b"</RETS>")))
    with bounded(), pytest.raises((Truncated, Malformed)):
        parse_login(login.body[:at])


@examples(30)
@given(damaged_one_of(logins().map(lambda login: login.body)))
def test_a_damaged_login_raises_nothing_but_a_parse_error(damage: Damaged) -> None:
    with bounded():
        try:
            found = parse_login(damage.body)
        except ParseError:
            return
    assert all(key == key.lower() for key in (*found.capabilities, *found.info))
    assert all(found.capabilities.values())
