import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from service.logs import HIDDEN, Redactor, set_up_logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    set_up_logs(["hunter2-password"], stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before[1]
    root.setLevel(before[0])


def test_off_a_terminal_a_line_is_one_json_document(lines: io.StringIO) -> None:
    structlog.get_logger().info("listing.synced", listing="1001", photos=3)
    document = json.loads(lines.getvalue())
    assert document["event"] == "listing.synced"
    assert (document["listing"], document["photos"], document["level"]) == ("1001", 3, "info")


def test_a_known_secret_is_hidden_wherever_it_stands(lines: io.StringIO) -> None:
    structlog.get_logger().warning("x", why="refused: hunter2-password was sent")
    assert "hunter2" not in lines.getvalue()


def test_a_secret_in_a_traceback_is_hidden(lines: io.StringIO) -> None:
    try:
        raise ValueError("hunter2-password")
    except ValueError:
        structlog.get_logger().exception("crashed")
    assert "ValueError" in lines.getvalue()
    assert "hunter2" not in lines.getvalue()


def test_a_librarys_warning_comes_out_as_json_too(lines: io.StringIO) -> None:
    logging.getLogger("urllib3").warning("retrying with hunter2-password")
    document = json.loads(lines.getvalue())
    assert document["event"] == f"retrying with {HIDDEN}"


@pytest.mark.parametrize("key", ["password", "api_token", "Authorization", "session_cookie"])
def test_a_value_under_a_telling_key_is_hidden(key: str) -> None:
    assert Redactor()(None, "info", {key: "abc"}) == {key: HIDDEN}


def test_signed_urls_and_user_names_in_urls_are_cleaned() -> None:
    clean = Redactor().clean("GET https://joe:pw@cdn.example/1.jpg?X-Amz-Signature=abc&size=l")
    assert "pw@" not in clean
    assert "abc" not in clean
    assert clean.endswith("&size=l")
