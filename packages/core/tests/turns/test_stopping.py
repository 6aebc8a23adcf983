"""An engine that stops, in order or by a crash, and what it leaves of its turns."""

import asyncio
from copy import deepcopy

import pytest
from one_engine import ask, engine, said, sent, started_saying

from idolchat_core.errors import (
    ShuttingDown,
)
from idolchat_core.events.events import TurnState
from idolchat_core.testing import InMemoryStorage, ScriptedProvider


async def test_stopping_lets_a_running_turn_finish(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    go_on = asyncio.Event()
    llm.say(["one ", go_on, "two"])
    async with engine(storage, llm) as turns:
        turn = await turns.start(ask("Count"))
        draining = asyncio.create_task(turns.drain(grace_s=30))
        await started_saying(turn)
        go_on.set()
        await draining

        with pytest.raises(ShuttingDown):
            await turns.start(ask("Another"))
    assert (await turn.ended()).state is TurnState.COMPLETED


async def test_stopping_keeps_what_was_said_when_the_grace_is_over(
    storage: InMemoryStorage, llm: ScriptedProvider
) -> None:
    llm.say(["one ", asyncio.Event()])
    async with engine(storage, llm) as turns:
        turn = await turns.start(ask("Count"))
        await started_saying(turn)
        await turns.drain(grace_s=0)

    ended = await turn.ended()
    assert ended.state is TurnState.INCOMPLETE
    assert await said(storage, turn.conversation_id) == [("user", "Count"), ("assistant", "one ")]


class CrashingStorage(InMemoryStorage):
    """Keeps what a crash right after a turn's record is written would leave."""

    def __init__(self) -> None:
        super().__init__()
        self.crashed: asyncio.Future[InMemoryStorage] = asyncio.get_running_loop().create_future()

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        version = await super().put_record(namespace, name, value, durable=durable, if_version=if_version)
        if namespace == "turns":
            crashed = InMemoryStorage()
            crashed.__dict__.update(deepcopy({name: value for name, value in vars(self).items() if name != "crashed"}))
            self.crashed.set_result(crashed)
        return version


async def test_a_reply_is_recovered_as_interrupted_after_a_crash(llm: ScriptedProvider) -> None:
    storage = CrashingStorage()
    llm.say(["Once upon ", asyncio.Event()])
    async with engine(storage, llm, shutdown_grace_s=0) as turns:
        turn = await turns.start(ask("A story"))
        crashed = await storage.crashed
    async with engine(crashed, llm, recovers=True) as turns:
        status = await turns.status(turn.turn_id)

    assert (status.state, status.content) == (TurnState.INTERRUPTED, "Once upon ")
    assert await crashed.list_records("turns") == []


async def test_a_message_that_waited_is_there_after_a_crash(storage: InMemoryStorage, llm: ScriptedProvider) -> None:
    llm.say([asyncio.Event()])
    async with engine(storage, llm, shutdown_grace_s=0) as turns:
        running = await turns.start(ask("first"))
        waiting = await turns.start(ask("second", conversation_id=str(running.conversation_id)), idempotency_key="k")
        crashed = deepcopy(storage)
    async with engine(crashed, llm, recovers=True) as turns:
        again = await turns.start(ask("second", conversation_id=str(running.conversation_id)), idempotency_key="k")
        await again.ended()

    stored = await crashed.read(running.conversation_id)
    assert [m.content for m in stored.messages if m.role == "user"] == ["first", "second"]
    assert waiting.user_message_id == again.user_message_id
    assert sent(llm) == [("user", "second")]
