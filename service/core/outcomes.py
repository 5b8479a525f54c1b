"""What came instead of photos, in words: short for a reason, longer as evidence."""

from collections.abc import Iterable, Mapping

from parsers.records import (
    WHOLE_SET,
    Absent,
    Denied,
    Image,
    Outcome,
    Redirect,
    Retryable,
    Unknown,
)

MAX_WORDS = 200
"""Characters of an answer that are quoted in a reason."""

MAX_EVIDENCE = 1024
"""Characters of what came that are kept with a listing that waits."""


def describe(outcomes: Mapping[str, Outcome]) -> str:
    """The failures as one line, the first three in words."""
    texts = [
        f"{'the set' if id_ == WHOLE_SET else 'photo ' + id_}: {_words(outcome)}"
        for id_, outcome in outcomes.items()
    ]
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more


def _words(outcome: Outcome) -> str:
    match outcome:
        case Absent(why) | Denied(why) | Retryable(why):
            return f"{type(outcome).__name__.lower()}: {why}"
        case Unknown(evidence):
            return f"unknown answer: {evidence[:MAX_WORDS]}"
        case Redirect():
            return "only a URL came"
        case Image():
            return "image"


def evidence_of(outcomes: Iterable[Outcome]) -> str:
    """The heads of the answers that nobody could read, each once."""
    heads = dict.fromkeys(outcome.evidence for outcome in outcomes if isinstance(outcome, Unknown))
    return "\n".join(heads)
