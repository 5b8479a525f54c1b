import pytest

from service.recording.outcome import lasting_words


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("photo 2: retryable: 20409 Object Unavailable.", "photo 2: retryable: 20409 Object Unavailable."),
        ("the set: retryable: http://h:1/getobject answered HTTP 503", "the set: retryable"),
        ("photo 1: retryable: the answer of https://h/x was cut; photo 2: denied: no", "photo 1: retryable"),
        ("http://h/x answered HTTP 500", ""),
    ],
)
def test_a_reason_lasts_up_to_where_it_names_the_server(why: str, words: str) -> None:
    assert lasting_words(why) == words
