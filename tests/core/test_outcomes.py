from parsers.records import Denied, Image, Outcome, Unknown
from service.core.outcomes import MAX_WORDS, describe, evidence_of


def test_a_reason_names_three_photos_and_counts_the_rest() -> None:
    outcomes: dict[str, Outcome] = {str(number): Denied(f"2040{number}") for number in range(5)}
    text = describe(outcomes)
    assert text.startswith("photo 0: denied: 20400; photo 1: denied: 20401; photo 2")
    assert text.endswith("and 2 more")


def test_a_reason_quotes_little_of_a_long_answer_and_the_evidence_all() -> None:
    answer = "x" * 1000
    assert len(describe({"1": Unknown(answer)})) < MAX_WORDS + 50
    assert (
        evidence_of([Unknown(answer), Denied("no"), Unknown(answer), Unknown("other")]) == f"{answer}\nother"
    )


def test_what_could_be_read_is_no_evidence() -> None:
    assert evidence_of([Image("0" * 64, 1, "image/jpeg"), Denied("no")]) == ""
