"""One side of a conversation: what the user says, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from idolchat_cli.chatting.partner import FollowedTurn, Partner, Turns
from idolchat_core.errors import InvalidRequest
from idolchat_core.events.events import TurnEnded, TurnState
from idolchat_core.llm.contract import Delta
from idolchat_core.models import Message, StoredId
from idolchat_core.turns.request import TurnOptions, TurnRequest

__all__ = ["Talk", "shortfall"]


@dataclass(slots=True, kw_only=True)
class Talk:
    """A conversation as its user has it.

    ``about`` are the fields that every request has, ``user_message_id`` is the user's last message. Conversations are
    begun with ``character``, an id or a slug; ``greetings`` are what she may say first, until she is answered.
    """

    partner: Partner
    conversation_id: UUID | None
    character: str | None = None
    system: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    user_message_id: StoredId | None = None
    greetings: Sequence[Message] = ()
    _turn_id: UUID | None = None

    @property
    def turns(self) -> Turns:
        """Who answers."""
        return self.partner.turns

    async def begin_anew(self) -> Sequence[Message]:
        """Begin another conversation with the next message, and return the character's greeting, if there is one."""
        self.conversation_id = self.user_message_id = self._turn_id = None
        self.greetings = ()
        if self.character is not None:
            begun = await self.partner.begin(self.character, self.about.get("user_id"))
            self.conversation_id, self.greetings = begun.id, begun.messages
        return self.greetings[:1]

    async def choose_greeting(self, number: int) -> Message:
        """Choose the greeting that the conversation begins with, counted from 1. Raises ``InvalidRequest``."""
        if self.conversation_id is None or not 1 <= number <= len(self.greetings):
            raise InvalidRequest(f"there is no greeting {number} to choose now")
        chosen = self.greetings[number - 1]
        await self.partner.choose_head(self.conversation_id, chosen.id)
        return chosen

    def choose_model(self, model: str | None) -> None:
        """Set the model of later turns; None leaves it to the settings."""
        self.about = {name: value for name, value in self.about.items() if name != "model"}
        if model is not None:
            self.about = {**self.about, "model": model}

    async def say(self, text: str, *, hear: Callable[[str], object], stop: asyncio.Event) -> TurnEnded:
        """Send a message and pass each piece of the reply to ``hear``; ``stop`` ends it early.

        Leaving in any other way stops the turn too: what was said is kept.
        """
        return await self._heard(await self.turns.start(self._request(text)), hear=hear, stop=stop)

    async def ask_again(self, *, hear: Callable[[str], object], stop: asyncio.Event) -> TurnEnded:
        """Ask for a reply to what was said last, which had none or a part of one."""
        if self._turn_id is None:
            raise InvalidRequest("there is nothing to reply to yet")
        return await self._heard(await self.turns.retry(self._turn_id), hear=hear, stop=stop)

    async def regenerate(self, *, hear: Callable[[str], object], stop: asyncio.Event) -> TurnEnded:
        """Answer the last message once more, beside the reply that there is."""
        if self.conversation_id is None:
            raise InvalidRequest("there is nothing to reply to yet")
        options = TurnOptions(model=self.about.get("model"), stream=True)
        return await self._heard(await self.turns.regenerate(self.conversation_id, options), hear=hear, stop=stop)

    async def edit(self, text: str, *, hear: Callable[[str], object], stop: asyncio.Event) -> TurnEnded:
        """Replace the last message by another one, on a branch of its own."""
        if self.user_message_id is None:
            raise InvalidRequest("there is no message of yours to edit yet")
        turn = await self.turns.edit(self.user_message_id, self._request(text))
        return await self._heard(turn, hear=hear, stop=stop)

    def _request(self, text: str) -> TurnRequest:
        messages = [{"role": "system", "content": self.system}] if self.system else []
        messages.append({"role": "user", "content": text})
        try:
            return TurnRequest.model_validate(
                {**self.about, "messages": messages, "conversation_id": self.conversation_id, "stream": True}
            )
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise InvalidRequest(f"{place}: {first['msg']}", param=place) from None

    async def _heard(self, turn: FollowedTurn, *, hear: Callable[[str], object], stop: asyncio.Event) -> TurnEnded:
        self.conversation_id, self._turn_id = turn.conversation_id, turn.turn_id
        self.user_message_id, self.greetings = turn.user_message_id, ()
        stopping = asyncio.create_task(self._stop_when(stop, turn.turn_id))
        try:
            return await _followed(turn, hear)
        except BaseException:
            await self.turns.cancel(turn.turn_id)
            raise
        finally:
            stopping.cancel()

    async def _stop_when(self, stop: asyncio.Event, turn_id: UUID) -> None:
        await stop.wait()
        await self.turns.cancel(turn_id)


async def _followed(turn: FollowedTurn, hear: Callable[[str], object]) -> TurnEnded:
    async with aclosing(turn.follow()) as batches:
        async for _, events in batches:
            for event in events:
                match event:
                    case Delta():
                        hear(event.content)
                    case TurnEnded():
                        return event
    raise AssertionError("a turn's events end with TurnEnded")


def shortfall(ended: TurnEnded) -> str | None:
    """Describe what a reply lacks; None if it lacks nothing."""
    kept = "what was said is kept" if ended.message and ended.message.content else "nothing was said yet"
    reason = ended.error and ended.error.get("message")
    match ended.state:
        case TurnState.CANCELLED:
            return f"Stopped; {kept}."
        case TurnState.COMPLETED:
            return _remark(ended.message)
        case TurnState.INCOMPLETE:
            return f"The reply was cut short: {reason or 'it did not end as it should'} ({kept})"
        case _:
            return f"No reply: {reason or ended.state}"


def _remark(reply: Message | None) -> str | None:
    if reply is None or not reply.content:
        return "The reply has no text."
    return _ENDS.get(reply.finish_reason or "")


_ENDS = {
    "length": "The reply ends here because it reached its greatest length.",
    "content_filter": "The reply ends here because of the provider's content filter.",
}
