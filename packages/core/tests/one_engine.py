"""One engine, what it is asked, and what it has stored and sent."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import UUID

from idolchat_core import Delta
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest


@asynccontextmanager
async def engine(
    storage: InMemoryStorage, llm: ScriptedProvider, *, recovers: bool = False, **settings: Any
) -> AsyncGenerator[TurnEngine]:
    async with TurnEngine(storage, llm, settings=CoreSettings(**settings), recovers=recovers) as turns:
        yield turns


def ask(text: str, turn: LiveTurn | None = None, /, **more: Any) -> TurnRequest:
    """Say something, in the conversation of a turn or in a new one."""
    where = {"conversation_id": turn.conversation_id} if turn else {}
    return ask_all(("user", text), **where, **more)


def ask_all(*messages: tuple[str, str], **more: Any) -> TurnRequest:
    """Send several messages at once, each a role and a text."""
    said = [{"role": role, "content": content} for role, content in messages]
    return TurnRequest.model_validate({"messages": said, **more})


async def said(storage: InMemoryStorage, conversation_id: UUID) -> list[tuple[str, Any]]:
    conversation = await storage.read(conversation_id)
    return [(message.role, message.content) for message in conversation.messages]


def sent(llm: ScriptedProvider) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in llm.requests[-1].messages]


async def started_saying(turn: LiveTurn) -> None:
    """Wait for the first delta, as a reader who stays until then."""
    async with aclosing(turn.follow()) as batches:
        async for _, events in batches:
            if isinstance(events[-1], Delta):
                return
