"""Events are the same whether they are held as objects or in little memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.events.buffer import BLOCK, EventBuffer
from idolchat_core.events.events import Event, TurnEnded, TurnState
from idolchat_core.llm.contract import Delta

ENDED = TurnEnded(state=TurnState.COMPLETED)

deltas = st.builds(
    Delta,
    st.text(max_size=3),
    st.none() | st.just({"reasoning": "Hm"}),
    st.none() | st.just("mock/a"),
    st.none() | st.just("gen-1"),
)


def list_of(events: list[Event]) -> EventBuffer:
    made = EventBuffer()
    made.extend(events)
    return made


def texts_of(events: list[Delta]) -> list[str] | None:
    texts = [event.content for event in events if event == Delta(event.content)]
    return texts if len(texts) == len(events) else None


def read(events: EventBuffer, seq: int) -> list[Event]:
    found: list[Event] = []
    while more := events.since(seq + len(found)):
        found += more
    return found


@given(st.lists(deltas, max_size=5), st.integers(0, 40), st.booleans(), st.data())
def test_what_is_read_is_what_was_added(some: list[Delta], times: int, is_over: bool, data: st.DataObject) -> None:
    said: list[Event] = [*some * times, ENDED]
    events = list_of(said)
    if is_over:
        events.pack()
    seq = data.draw(st.integers(0, len(said)))

    assert read(events, seq) == said[seq:]
    assert (len(events), events.last) == (len(said), ENDED)


@given(st.lists(st.lists(deltas, min_size=1, max_size=4), max_size=30), st.data())
def test_deltas_that_were_added_as_their_texts_are_read_as_deltas(
    batches: list[list[Delta]], data: st.DataObject
) -> None:
    events = EventBuffer()
    for batch in batches:
        events.extend(texts_of(batch) or batch)
    said = [delta for batch in batches for delta in batch]
    seq = data.draw(st.integers(0, len(said)))

    assert read(events, seq) == said[seq:]
    assert events.texts_since(seq) in (texts_of(said[seq:]), None)
    assert events.texts_since(len(said)) == []


def test_the_newest_texts_are_given_as_they_are() -> None:
    events = list_of([Delta("", {"reasoning": "Hm"})])
    events.extend(["Once ", "upon "])

    assert [events.texts_since(seq) for seq in range(4)] == [None, ["Once ", "upon "], ["upon "], []]


@pytest.mark.parametrize("count", [1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1])
def test_any_number_of_events_can_be_packed(count: int) -> None:
    said: list[Event] = [*[Delta("word ")] * (count - 1), ENDED]
    events = list_of(said)
    events.pack()

    assert read(events, 0) == said


def test_nothing_is_read_where_nothing_is() -> None:
    events = EventBuffer()

    assert (len(events), events.last, events.since(0)) == (0, None, [])


def test_a_long_reply_is_held_in_a_few_bytes_a_word() -> None:
    events = list_of([Delta(f"word{number} ") for number in range(10_000)])

    assert events.size_bytes < 30 * len(events)


def test_what_deltas_hold_beside_their_text_is_counted() -> None:
    events = list_of([Delta("", {"reasoning_details": [{"text": "x" * 1000}]}) for _ in range(1000)])

    assert events.size_bytes > 1_000_000
