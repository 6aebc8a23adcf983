"""A copy of a turn has what it was told, whenever it is asked."""

from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.events.events import Event, TurnEnded, TurnStarted, TurnState
from idolchat_core.events.turn_copy import TurnCopy
from idolchat_core.llm.contract import Delta
from idolchat_core.models import new_id, utc_now

STARTED = TurnStarted(
    turn_id=new_id(),
    conversation_id=new_id(),
    user_message_id=new_id(),
    message_id=new_id(),
    model="m",
    created_at=utc_now(),
)
ENDED = TurnEnded(state=TurnState.COMPLETED)


def a_copy() -> TurnCopy:
    return TurnCopy(
        STARTED, user_id=None, fingerprint=None, continued_text="And so: ", on_last_reader_gone=lambda: None
    )


@given(st.lists(st.tuples(st.lists(st.text(max_size=3), min_size=1, max_size=5), st.booleans(), st.booleans())))
def test_its_reply_is_what_was_told_however_often_it_is_asked_for(
    told: list[tuple[list[str], bool, bool]],
) -> None:
    copy, said = a_copy(), list[str]()
    copy.copy([STARTED], state=TurnState.QUEUED)
    for texts, as_texts, asks in told:
        if as_texts:
            copy.events.append(texts)
        else:
            copy.copy([Delta(text, {"reasoning": "Hm"}) for text in texts], state=TurnState.RUNNING)
        said += texts
        if asks:
            assert copy.content == "And so: " + "".join(said)
    copy.copy([ENDED])
    copy.rest()

    assert (copy.content, copy.state) == ("And so: " + "".join(said), TurnState.COMPLETED)
    assert copy.reply.fields.get("reasoning", "") == "Hm" * sum(
        len(texts) for texts, as_texts, _ in told if not as_texts
    )


def test_its_events_are_those_that_were_told() -> None:
    copy = a_copy()
    told: list[Event] = [STARTED, Delta("Once "), Delta("upon"), ENDED]
    copy.copy(told[:1], state=TurnState.RUNNING)
    copy.events.append(["Once ", "upon"])
    copy.copy(told[3:])

    assert copy.events_since(0) == told
    assert copy.status.last_seq == 3
