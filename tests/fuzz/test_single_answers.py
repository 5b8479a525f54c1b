"""Answers that are no bundle: one object, or the text of a reply, as they were built and with damage."""

from hypothesis import assume, given
from hypothesis import strategies as st

from parsers.mime import Headers
from parsers.records import Absent
from parsers.rets.objects import judge_text, read_object_head
from service.core.ports import Wanted
from tests.fuzz.budget import examples
from tests.fuzz.chain import play
from tests.fuzz.mutations import Damaged, damaged_one_of
from tests.fuzz.parts import Content, Frame, contents
from tests.fuzz.replies import Reply, replies
from tests.fuzz.wire import Transfer, answer_of, vouched_transfers
from tests.parsers.deadline import bounded
from tests.parsers.splits import byte_by_byte, cuts, whole

HEAD = read_object_head(Headers([("Content-ID", "100"), ("Object-ID", "1"), ("Content-Type", "text/xml")]))


@examples(40)
@given(contents(Frame(b"xyz", b"\r\n")), vouched_transfers, st.data())
def test_a_single_object_is_what_was_put_in(
    content: Content, transfer: Transfer, data: st.DataObject
) -> None:
    said = dict(content.fields)
    # Here a length is the transfer's own, and a packed nothing has one, too.
    assume(content.body or not (transfer.gzipped or "Content-Length" in said))
    fields = [field for field in content.fields if field[0] not in {"Content-Type", "Content-Length"}]
    coded = transfer.coded(content.body)
    head = transfer.head(
        said.get("Content-Type"), len(coded), ("Content-ID", "100"), ("Object-ID", "1"), *fields
    )
    for packets in (whole(coded), byte_by_byte(coded), data.draw(cuts(coded))):
        with bounded():
            played = play(answer_of(head, packets), [Wanted("100", ("1",))])
        [came] = played.came
        assert (came.kind, came.mark, played.trouble) == (content.kind, content.mark, None)


@examples(40)
@given(replies(), st.data())
def test_a_reply_means_what_its_code_says_once_its_element_has_ended(
    reply: Reply, data: st.DataObject
) -> None:
    with bounded():
        assert type(judge_text(HEAD, reply.xml)).__name__ == reply.kind
        cut = reply.xml[: data.draw(st.integers(0, reply.end - 1))]
        # Nothing but blanks says the same as nothing; that no cut made it is the transfer's to say.
        assert not cut.strip() or not isinstance(judge_text(HEAD, cut), Absent)


@examples(40)
@given(damaged_one_of(replies().map(lambda reply: reply.xml)))
def test_a_damaged_reply_decides_nothing_without_its_code(damage: Damaged) -> None:
    with bounded():
        outcome = judge_text(HEAD, damage.body)
    assert not isinstance(outcome, Absent) or b"20403" in damage.body or not damage.body.strip()
