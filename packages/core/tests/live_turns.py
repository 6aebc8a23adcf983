"""A turn that has begun, without an engine that runs it."""

from uuid import uuid4

from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import Delta
from idolchat_core.models import new_id, utc_now


def a_turn(said: str = "") -> LiveTurn:
    live = LiveTurn(
        turn_id=new_id(),
        conversation_id=uuid4(),
        user_id=None,
        user_message_id=new_id(),
        message_id=new_id(),
        model="m",
        created_at=utc_now(),
        on_last_reader_gone=lambda: None,
    )
    live.begin()
    if said:
        live.say(Delta(said))
    return live
