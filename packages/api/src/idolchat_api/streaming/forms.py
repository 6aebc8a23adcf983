"""The form in which a turn is told to a client: its events while it streams, or the whole of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from idolchat_api.errors import Problem
from idolchat_api.streaming.completions import completion
from idolchat_api.streaming.sse_encoder import DONE, ChunkEncoder
from idolchat_core.events.events import Batch, TurnEnded, TurnStarted
from idolchat_core.events.live_turn import LiveTurn

__all__ = ["NATIVE", "EventEncoder", "TurnForm"]


class EventEncoder(Protocol):
    """Encodes the events of one turn as server-sent events, in order, from the first."""

    def encode(self, first: int, events: Batch, *, after: int = -1) -> bytes:
        """Encode a batch whose first event has ``seq`` ``first``; events up to ``after`` are left out.

        A text stands for a delta of nothing else; both are to give the same bytes.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnForm:
    """How a turn is told.

    ``encoder`` makes the encoder of a stream from its first event, ``whole`` the body of a reply that was waited for.
    ``fault`` encodes, from ``error`` and other fields, an event that is none of the turn's, for what goes wrong with
    the stream. ``opening`` stands before the first event and ``done`` after the last. ``problem`` may put an error in
    other words.
    """

    encoder: Callable[[TurnStarted], EventEncoder]
    whole: Callable[[LiveTurn, TurnEnded], bytes]
    fault: Callable[[Mapping[str, Any]], bytes]
    opening: bytes = b""
    done: bytes = DONE
    problem: Callable[[Problem], Problem] = replace


def _final_chunk(fields: Mapping[str, Any]) -> bytes:
    """Encode a chunk that is no event of the turn, and so has no id to resume from."""
    return b"data: %b\n\n" % orjson.dumps({"object": "chat.completion.chunk", "choices": [], **fields})


RETRY = b"retry: 2000\n"
"""When to reconnect, in milliseconds; in the first event, for OpenAI's client takes it alone for an empty event."""

NATIVE = TurnForm(encoder=ChunkEncoder, whole=completion, fault=_final_chunk, opening=RETRY)
"""That of the server's own routes."""
