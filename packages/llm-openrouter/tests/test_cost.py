"""The work of one delta, from bytes to a value, in calls: the same on any machine, however busy."""

import sys
from types import FrameType

import pytest

from idolchat_llm_openrouter.chunk_decoder import ChunkDecoder
from idolchat_llm_openrouter.delta_reader import DeltaReader
from idolchat_llm_openrouter.errors import ErrorMapper
from idolchat_llm_openrouter.redaction import Redactor

DELTAS = 1000
EVENT = (
    b'data: {"id":"gen-1","provider":"P","model":"m","object":"chat.completion.chunk","choices":[{"index":0,'
    b'"delta":{"role":"assistant","content":"word "},"finish_reason":null,"native_finish_reason":null}]}\n\n'
)


@pytest.mark.parametrize(
    ("event", "most_calls"),
    [
        pytest.param(EVENT, 10, id="like the one before"),  # 8 when this was written
        pytest.param(EVENT.replace(b'"gen-1"', b'"gen-1","created":%d'), 35, id="another each time"),  # 28
    ],
)
def test_a_delta_costs_few_calls(event: bytes, most_calls: int) -> None:
    reader = DeltaReader(ChunkDecoder(ErrorMapper("server", Redactor(None))))
    events = [event % number if b"%d" in event else event for number in range(DELTAS + 50)]
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    reader.deltas(events[:50])
    said = 0
    sys.setprofile(count)
    for piece in events[50:]:
        said += len(reader.deltas((piece,)))
    sys.setprofile(None)

    assert said == DELTAS
    assert calls / DELTAS <= most_calls
