"""Results of the tools that a reply has called."""

from typing import Any

import pytest
from one_engine import ask

from idolchat_core import Delta, InvalidRequest
from idolchat_core.events.events import TurnState
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest


def calling(*ids: str) -> list[Any]:
    calls = [
        {"index": place, "id": name, "type": "function", "function": {"name": "add", "arguments": "{}"}}
        for place, name in enumerate(ids)
    ]
    return [Delta(fields={"tool_calls": calls})]


@pytest.mark.parametrize(
    ("called", "answered", "param"),
    [
        ((), ("a",), "messages.0.tool_call_id"),
        (("a",), ("b",), "messages.0.tool_call_id"),
        (("a", "b"), ("a",), "messages.1"),
        (("a",), ("a", "a"), "messages.1.tool_call_id"),
    ],
)
async def test_results_that_do_not_answer_the_calls_are_refused_before_anything_is_stored(
    turns: TurnEngine,
    storage: InMemoryStorage,
    llm: ScriptedProvider,
    called: tuple[str, ...],
    answered: tuple[str, ...],
    param: str,
) -> None:
    llm.say(calling(*called) if called else "Hello!")
    first = await turns.start(ask("Hi"))
    await first.ended()
    results = [{"role": "tool", "tool_call_id": name, "content": "42"} for name in answered]
    with pytest.raises(InvalidRequest) as refused:
        await turns.start(
            TurnRequest.model_validate({"messages": results, "conversation_id": str(first.conversation_id)})
        )

    assert refused.value.param == param
    assert len((await storage.read(first.conversation_id)).messages) == 2
    assert len(llm.requests) == 1


async def test_results_of_all_calls_are_taken(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say(calling("a", "b"), "42 it is")
    first = await turns.start(ask("Hi"))
    await first.ended()
    results = [{"role": "tool", "tool_call_id": name, "content": "42"} for name in ("b", "a")]
    second = await turns.start(
        TurnRequest.model_validate({"messages": results, "conversation_id": str(first.conversation_id)})
    )

    assert (await second.ended()).state is TurnState.COMPLETED


async def test_a_result_without_a_conversation_is_refused(turns: TurnEngine) -> None:
    with pytest.raises(InvalidRequest, match="no call is open"):
        await turns.start(
            TurnRequest.model_validate({"messages": [{"role": "tool", "tool_call_id": "a", "content": "42"}]})
        )
