"""The work of one delta, from bytes to a value, in calls: the same on any machine, however busy."""

import sys
from types import FrameType

from idolchat_llm_openrouter.discretion import Discretion
from idolchat_llm_openrouter.faults import Faults
from idolchat_llm_openrouter.sse import SSEParser
from idolchat_llm_openrouter.wire import Assembler

DELTAS = 1000
MOST_CALLS = 20
"""A delta took 18 when this was written."""
EVENT = (
    b'data: {"id":"gen-1","provider":"P","model":"m","object":"chat.completion.chunk","choices":[{"index":0,'
    b'"delta":{"role":"assistant","content":"word "},"finish_reason":null,"native_finish_reason":null}]}\n\n'
)


def test_a_delta_costs_few_calls() -> None:
    parser, assembler = SSEParser(), Assembler(Faults("server", Discretion(None)))
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    assembler.take_chunks(parser.feed(EVENT))
    said = 0
    sys.setprofile(count)
    for _ in range(DELTAS):
        said += len(assembler.take_chunks(parser.feed(EVENT)))
    sys.setprofile(None)

    assert said == DELTAS
    assert calls / DELTAS <= MOST_CALLS
