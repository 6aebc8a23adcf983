"""Who reads a turn gets the same bytes, whether a delta comes as a delta or as its text."""

from hypothesis import given
from hypothesis import strategies as st

from idolchat_api.streaming.sse_encoder import ChunkEncoder
from idolchat_api.streaming.websocket_frames import TurnFrames
from idolchat_core import Delta, LiveTurn, TurnStarted, new_id, utc_now
from idolchat_core.events.events import Event

TURN = LiveTurn(
    turn_id=new_id(),
    conversation_id=new_id(),
    user_id=None,
    user_message_id=new_id(),
    message_id=new_id(),
    model="mock/a%d",
    created_at=utc_now(),
    on_last_reader_gone=lambda: None,
)
STARTED = TurnStarted(
    turn_id=TURN.turn_id,
    conversation_id=TURN.conversation_id,
    user_message_id=TURN.user_message_id,
    message_id=TURN.message_id,
    model=TURN.model,
    created_at=TURN.created_at,
)
texts = st.lists(st.text(max_size=4), min_size=1, max_size=6)


@given(texts, st.integers(-1, 8), st.none() | st.just("mock/b"))
def test_server_sent_events(said: list[str], after: int, model: str | None) -> None:
    of_deltas, of_texts = ChunkEncoder(STARTED), ChunkEncoder(STARTED)
    before: list[Event] = [STARTED, Delta("So: ", model=model)]

    assert of_deltas.encode(0, [*before, *map(Delta, said)], after=after) == (
        of_texts.encode(0, before, after=after) + of_texts.encode(2, said, after=after)
    )


@given(texts)
def test_frames_of_a_websocket(said: list[str]) -> None:
    frames = TurnFrames(TURN)

    assert [frames.delta(seq, text) for seq, text in enumerate(said)] == [
        frames.delta(seq, Delta(text)) for seq, text in enumerate(said)
    ]
