"""Open what a conversation needs, hold it, and say how to go on with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from idolchat_cli.chatting.interrupts import Interrupts
from idolchat_cli.chatting.pipe import INTERRUPTED, answer_once
from idolchat_cli.chatting.talk import Talk
from idolchat_cli.in_use import OPENROUTER_HINT, model_in_use
from idolchat_cli.render import on_stderr, on_stdout
from idolchat_core.errors import ConversationNotFound
from idolchat_core.models import Page, StoredId
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.service import Service, open_service
from idolchat_core.settings import CoreSettings, read_settings

__all__ = ["Choices", "hold"]

SHOWN_MESSAGES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the user chose; ``message`` is the only one to say, None to talk in the terminal.

    ``about`` are the fields that every request has: ``user_id``, ``character_id``, ``model``.
    """

    conversation_id: UUID | None
    system: str | None
    about: Mapping[str, Any]
    message: str | None


async def hold(choices: Choices) -> int:
    """Hold a conversation and give the exit status."""
    async with _opened() as service:
        page = await _last_messages(service, choices.conversation_id)
        talk = Talk(
            turns=service.turns,
            conversation_id=choices.conversation_id,
            system=choices.system,
            about=choices.about,
            user_message_id=_last_of_user(page),
        )
        status = await _talk(service, talk, page, choices.message)
    if talk.conversation_id is not None:
        on_stderr().print(f"To go on: idol chat --conversation {talk.conversation_id}", style="dim")
    return status


def _last_of_user(page: Page | None) -> StoredId | None:
    said = page.conversation.messages if page is not None else ()
    return next((message.id for message in reversed(said) if message.role == "user"), None)


@asynccontextmanager
async def _opened() -> AsyncGenerator[Service]:
    settings = read_settings(CoreSettings)
    plugins = load_plugins(only=settings.plugins)
    async with AsyncExitStack() as stack:
        with on_stderr().status("Opening the conversations and the model"):
            service = await stack.enter_async_context(open_service(settings, plugins))
        yield service


async def _last_messages(service: Service, conversation_id: UUID | None) -> Page | None:
    if conversation_id is None:
        return None
    try:
        return await service.storage.read_page(conversation_id, limit=SHOWN_MESSAGES)
    except ConversationNotFound:
        raise ConversationNotFound(
            f"no conversation {conversation_id} in storage {service.storage_name};"
            " leave --conversation out to begin a new one"
        ) from None


async def _talk(service: Service, talk: Talk, page: Page | None, message: str | None) -> int:
    interrupts = Interrupts()
    try:
        with interrupts.caught():
            if message is not None:
                return await answer_once(talk, message, interrupts=interrupts)
            await _talk_in_terminal(service, talk, page, interrupts)
            return 0
    except asyncio.CancelledError:
        if not interrupts.forgiven():
            raise
        await service.turns.drain(grace_s=0)
        return 0 if message is None else INTERRUPTED


async def _talk_in_terminal(service: Service, talk: Talk, page: Page | None, interrupts: Interrupts) -> None:
    from idolchat_cli.chatting.terminal import Terminal  # noqa: PLC0415  a pipe need not wait for a line editor

    console = on_stdout()
    console.print(
        f"{model_in_use(service, talk.about.get('model'))}, kept in storage {service.storage_name}.", style="dim"
    )
    if service.llm_name == "local":
        console.print(OPENROUTER_HINT, style="dim")
    console.print(
        "Enter sends, Alt-Enter begins a line. Ctrl-C stops a reply, Ctrl-D leaves. /help lists commands.\n",
        style="dim",
    )
    terminal = Terminal(talk, console=console, interrupts=interrupts)
    if page is not None:
        terminal.show_earlier(page)
    await terminal.run()
