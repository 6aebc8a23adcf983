"""Open what a conversation needs, hold it, and say how to go on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from idolchat_cli.chatting.interrupts import Interrupts
from idolchat_cli.chatting.partner import Partner, open_partner
from idolchat_cli.chatting.pipe import INTERRUPTED, answer_once
from idolchat_cli.chatting.talk import Talk
from idolchat_cli.render import on_stderr, on_stdout
from idolchat_core.models import Message, StoredId

__all__ = ["Choices", "hold"]

SHOWN_MESSAGES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the user chose; ``message`` is the only one to say, None to talk in the terminal.

    ``character`` is whom to begin with, an id or a slug. ``about`` are the fields that every request has: ``user_id``,
    ``character_id``, ``model``.
    """

    conversation_id: UUID | None
    system: str | None
    character: str | None
    about: Mapping[str, Any]
    message: str | None


async def hold(choices: Choices) -> int:
    """Run a conversation and return the exit status."""
    async with open_partner() as partner:
        earlier: Sequence[Message] = ()
        if choices.conversation_id is not None:
            earlier = await partner.last_messages(choices.conversation_id, limit=SHOWN_MESSAGES)
        talk = Talk(
            partner=partner,
            character=choices.character,
            conversation_id=choices.conversation_id,
            system=choices.system,
            about=choices.about,
            user_message_id=_last_of_user(earlier),
        )
        if choices.conversation_id is None:
            earlier = await talk.begin_anew()
        status = await _talk(partner, talk, earlier, choices.message)
    if talk.conversation_id is not None:
        on_stderr().print(f"To go on: idol chat --conversation {talk.conversation_id}", style="dim")
    return status


def _last_of_user(messages: Sequence[Message]) -> StoredId | None:
    return next((message.id for message in reversed(messages) if message.role == "user"), None)


async def _talk(partner: Partner, talk: Talk, earlier: Sequence[Message], message: str | None) -> int:
    interrupts = Interrupts()
    try:
        with interrupts.caught():
            if message is not None:
                return await answer_once(talk, message, interrupts=interrupts)
            await _talk_in_terminal(partner, talk, earlier, interrupts)
            return 0
    except asyncio.CancelledError:
        if not interrupts.forgiven():
            raise
        await partner.stop()
        return 0 if message is None else INTERRUPTED


async def _talk_in_terminal(partner: Partner, talk: Talk, earlier: Sequence[Message], interrupts: Interrupts) -> None:
    from idolchat_cli.chatting.terminal import Terminal  # noqa: PLC0415  a pipe need not wait for a line editor

    console = on_stdout()
    for line in partner.introduction(talk.about.get("model")):
        console.print(line, style="dim")
    console.print(
        "Enter sends, Alt-Enter begins a line. Ctrl-C stops a reply, Ctrl-D leaves. /help lists commands.\n",
        style="dim",
    )
    terminal = Terminal(talk, console=console, interrupts=interrupts)
    terminal.show_earlier(earlier)
    await terminal.run()
