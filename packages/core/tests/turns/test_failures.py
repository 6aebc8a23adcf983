"""Turns that fail: what is told of them, what is kept, what the next one is sent."""

from one_engine import ask, engine, sent

from idolchat_core.errors import (
    ContextTooLong,
    ProviderUnavailable,
)
from idolchat_core.events.events import TurnState
from idolchat_core.llm.contract import ModelInfo
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine

FAULT = ProviderUnavailable("the provider is down")


async def test_a_failed_turn_is_visible_and_keeps_the_message(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage
) -> None:
    llm.say([FAULT])
    turn = await turns.start(ask("Hi"))
    ended = await turn.ended()

    stored = (await storage.read(turn.conversation_id)).messages
    assert ended.state is TurnState.FAILED
    assert ended.error == {"code": "provider_unavailable", "message": "the provider is down"}
    assert [(m.role, m.finish_reason) for m in stored] == [("user", None), ("assistant", "error")]


async def test_a_reply_that_breaks_off_is_kept_as_incomplete(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say(["Once upon ", FAULT])
    turn = await turns.start(ask("A story"))
    ended = await turn.ended()

    assert ended.state is TurnState.INCOMPLETE
    assert ended.message is not None
    assert (ended.message.content, ended.message.finish_reason) == ("Once upon ", "incomplete")


async def test_five_failures_and_a_success_send_alternating_roles(turns: TurnEngine, llm: ScriptedProvider) -> None:
    """Scenario 20."""
    llm.say("Hello!", *([FAULT] for _ in range(5)), "At last")
    first = await turns.start(ask("Hi"))
    await first.ended()
    for number in range(6):
        await (await turns.start(ask(f"try {number}", conversation_id=str(first.conversation_id)))).ended()

    assert sent(llm) == [("user", "Hi"), ("assistant", "Hello!"), ("user", "try 5")]


async def test_a_provider_fault_of_no_known_kind_fails_the_turn(turns: TurnEngine, llm: ScriptedProvider) -> None:
    llm.say([RuntimeError("a secret detail")])
    ended = await (await turns.start(ask("Hi"))).ended()

    assert ended.error is not None
    assert ended.error["code"] == "internal_error"
    assert "secret" not in ended.error["message"]


async def test_a_prompt_found_too_long_is_shortened_once(storage: InMemoryStorage) -> None:
    llm = ScriptedProvider(models=[ModelInfo(id="m", context_length=None)], default_model="m")
    async with engine(storage, llm) as turns:
        first = await turns.start(ask("word " * 200))
        await first.ended()
        for number in range(4):
            await (await turns.start(ask(f"{number} " * 200, conversation_id=str(first.conversation_id)))).ended()
        whole = len(llm.requests[-1].messages)
        llm.say([ContextTooLong("too long")], "Fits")
        ended = await (await turns.start(ask("now", conversation_id=str(first.conversation_id)))).ended()

    assert ended.state is TurnState.COMPLETED
    assert len(llm.requests[-1].messages) <= whole + 2


async def test_a_message_that_can_never_fit_fails_and_leaves_the_conversation_usable(
    turns: TurnEngine, llm: ScriptedProvider
) -> None:
    turn = await turns.start(ask("x" * 200_000))
    ended = await turn.ended()
    after = await (await turns.start(ask("Hi", conversation_id=str(turn.conversation_id)))).ended()

    assert ended.error is not None
    assert ended.error["code"] == "context_length_exceeded"
    assert after.state is TurnState.COMPLETED
