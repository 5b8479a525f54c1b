import pytest

from service.recording.outcome import lasting_words


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("photo 2: retryable: 20409 Object Unavailable.", "photo 2: retryable: 20409 Object Unavailable."),
        ("the set: retryable: http://h:1/getobject answered HTTP 503", "the set: retryable"),
        ("photo 1: retryable: the answer of https://h/x was cut; photo 2: denied: no", "photo 1: retryable"),
        ("http://h/x answered HTTP 500", ""),
        ("photo 1: denied: a photo's URL leads to the private address 10.0.0.1 (mend it)", "photo 1"),
        ("photo 1: denied: 20407 Unauthorized", "photo 1: denied: 20407 Unauthorized"),
    ],
)
def test_a_reason_lasts_up_to_where_it_names_the_server(why: str, words: str) -> None:
    assert lasting_words(why) == words
