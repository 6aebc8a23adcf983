"""From a request to its turn: what is asked for, in which conversation, and where in its tree."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from idolchat_api import Caller
from idolchat_api_openai.attachments import Attachments
from idolchat_api_openai.elsewhere import turn_elsewhere
from idolchat_api_openai.matching.conversations import Conversations, Found, Whose
from idolchat_api_openai.matching.index import ReplyIndex, index_path
from idolchat_api_openai.matching.steps import AnswerAgain, Append, SaidBefore, Step, step_of
from idolchat_api_openai.matching.tree import ROOT
from idolchat_api_openai.models import Target
from idolchat_api_openai.requests.errors import BadRequest, validated
from idolchat_api_openai.requests.hints import Hints
from idolchat_api_openai.requests.purpose import Purpose, purpose_of
from idolchat_api_openai.requests.said import History, Said
from idolchat_api_openai.settings import OpenAISettings
from idolchat_core import (
    After,
    EphemeralRequest,
    LiveTurn,
    Message,
    NewMessage,
    Storage,
    StorageUnavailable,
    TurnOptions,
    TurnRequest,
    new_id,
)

__all__ = ["Asked", "Beginner", "Begun"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. ``options`` are the fields of its turn, ``conversation`` is the client's id of it.

    ``at`` is our own. With ``after`` the messages are new, all of them, and go there; with ``is_only_new`` they go to
    the end of the active branch. ``before`` is what was said before them, for what is stored nowhere.
    """

    target: Target
    history: History
    hints: Hints
    options: Mapping[str, Any]
    conversation: str | None = None
    stores: bool = True
    at: UUID | None = None
    after: After | None = None
    is_only_new: bool = False
    before: Sequence[NewMessage] = ()


class Begun(NamedTuple):
    """What a request has begun: a turn of a conversation, or an answer that ``is_stored`` nowhere."""

    turn: LiveTurn
    is_stored: bool


class Beginner:
    """Begins the turns of one running server."""

    def __init__(self, caller: Caller, settings: OpenAISettings) -> None:
        storage = caller.service.storage
        self._settings = settings
        index = None if storage.is_shared else ReplyIndex(index_path(caller.service.settings.data_dir))
        self._conversations = Conversations(storage, index)
        self._attachments = Attachments()

    async def begin(self, caller: Caller, asked: Asked) -> Begun:
        """Begin the turn of a request, join the one that it has begun already, or answer what is no turn."""
        target = asked.target
        if target.character_id is None:
            return Begun(await self._answer_raw(caller, asked), is_stored=False)
        purpose = self._purpose(asked)
        if purpose is Purpose.TURN:
            return await self._begin_turn(caller, asked, Whose(caller.principal.user_id, target.character_id))
        return Begun(await self._answer_beside(caller, asked, is_task=purpose is Purpose.TASK), is_stored=False)

    def _purpose(self, asked: Asked) -> Purpose:
        if asked.at is None and not any(message.role == "user" for message in asked.history.said):
            if not asked.history.said:
                raise BadRequest(
                    "messages must hold at least one that is no system message and says something", param="messages"
                )
            return Purpose.ASIDE  # nothing that was said could be answered, and a greeting alone is no conversation
        purpose = purpose_of(asked.history, asked.hints)
        if purpose is Purpose.TURN and not asked.stores:
            return Purpose.ASIDE
        is_named = asked.conversation is not None or asked.at is not None
        return Purpose.ASIDE if purpose is Purpose.TURN and not self._stores(is_named=is_named) else purpose

    def _stores(self, *, is_named: bool) -> bool:
        return is_named or self._settings.store == "auto"

    async def _answer_raw(self, caller: Caller, asked: Asked) -> LiveTurn:
        history = asked.history
        ordered = sorted([*history.said, *history.instructions], key=lambda one: one.position)
        request = EphemeralRequest(messages=_checked(ordered), purpose="raw", is_plain=True)
        return await caller.answer_unstored(request, _options(asked, model=asked.target.model))

    async def _answer_beside(self, caller: Caller, asked: Asked, *, is_task: bool) -> LiveTurn:
        """Answer with the character's model; what is asked of the character herself, with her prompt as well."""
        said, target = asked.history.said, asked.target
        request = EphemeralRequest(
            messages=(*_instructions(asked), *asked.before, *_checked(said), *map(_as_user, asked.history.closing)),
            purpose="background",
            character_id=target.character_id,
            is_plain=is_task,
        )
        return await caller.answer_unstored(request, _options(asked), character=target.entry)

    async def _begin_turn(self, caller: Caller, asked: Asked, whose: Whose) -> Begun:
        derived = self._derived(caller, asked, whose)
        while True:
            async with self._conversations.locked(asked.at or derived or whose):
                found = await self._found(asked, whose, derived)
                request = self._same_request(asked, whose, found)
                running = self._attachments.find(request) if request is not None else None
                if running is not None:
                    return Begun(running, is_stored=True)
                ahead = self._attachments.newest(found.conversation_id) if found is not None else None
                if ahead is None and found is not None and found.tree is not None:
                    ahead = await turn_elsewhere(caller, found.tree.id)
                    if ahead is not None and _is_answer_to(ahead, asked, found):
                        return Begun(ahead, is_stored=True)
                if ahead is None:
                    begun = await self._start(caller, asked, whose, found)
                    if begun.is_stored:
                        self._attachments.add(request, begun.turn)
                        self._conversations.note(whose, begun.turn.conversation_id)
                    return begun
            await ahead.over()  # what it says is part of what this request may send again

    def _derived(self, caller: Caller, asked: Asked, whose: Whose) -> UUID | None:
        """Return the id that a conversation has which the client names; nobody else can make it."""
        if asked.conversation is None:
            return None
        names = (str(whose.user_id), str(whose.character_id), asked.conversation)
        return caller.service.turns.derived_id("v1", *names)

    async def _found(self, asked: Asked, whose: Whose, derived: UUID | None) -> Found | None:
        said, conversations = asked.history.said, self._conversations
        if asked.at is not None:
            return await conversations.ours(whose, asked.at, said)
        if derived is not None and asked.conversation is not None:
            is_whole = asked.hints.parent is not None
            return await conversations.named(whose, derived, asked.conversation, said, is_whole=is_whole)
        is_new = asked.hints.is_sdk or asked.hints.generation == "normal"
        return await conversations.recognised(whose, said, is_new=is_new, is_retry=asked.hints.is_retry)

    def _same_request(self, asked: Asked, whose: Whose, found: Found | None) -> Hashable | None:
        """Return what a request that is sent again shares with the first, None where that cannot be known."""
        if (found is None or found.conversation_id is None) and not asked.hints.is_retry:
            return None
        keys = tuple([message.key for message in asked.history.said])
        conversation_id = found.conversation_id if found is not None else None
        return whose, conversation_id, asked.after, asked.hints.message, hash(keys)

    async def _start(self, caller: Caller, asked: Asked, whose: Whose, found: Found | None) -> Begun:
        if found is None or found.tree is None:
            conversation_id = (found.conversation_id if found is not None else None) or new_id()
            try:
                turn = await self._append(caller, asked, conversation_id, Append(None, asked.history.said))
            except StorageUnavailable:
                self._conversations.note(whose, conversation_id)  # it may be there, and is found when it is sent again
                raise
            return Begun(turn, is_stored=True)
        step = self._step(asked, found)
        instructions = _instructions(asked)
        if isinstance(step, Append):
            return Begun(await self._append(caller, asked, found.tree.id, step), is_stored=True)
        if isinstance(step, AnswerAgain):
            again = caller.answer_again(found.tree.id, step.message_id, _options(asked), instructions=instructions)
            return Begun(await again, is_stored=True)
        position = found.tree.position_of(step.reply_id)
        if position is None or found.tree.parent(position) == ROOT:
            # A greeting answers nothing that could be asked again.
            return Begun(await self._answer_beside(caller, asked, is_task=False), is_stored=False)
        turn = await caller.continue_reply(
            found.tree.id, step.reply_id, _options(asked), changes_branch=True, instructions=instructions
        )
        return Begun(turn, is_stored=True)

    def _step(self, asked: Asked, found: Found) -> Step:
        if asked.after is not None:
            return Append(asked.after.message_id, asked.history.said)
        if asked.is_only_new and found.tree is not None:
            return Append(found.tree.id_of(found.tree.head_position), asked.history.said)
        if found.tree is None:
            raise AssertionError("a conversation that is there has a tree")
        return step_of(found.tree, asked.history.said, found.alignment, asked.hints)

    async def _append(self, caller: Caller, asked: Asked, conversation_id: UUID, step: Append) -> LiveTurn:
        fields = {
            **asked.options,
            "messages": [*_instructions(asked), *_checked(step.said)],
            "conversation_id": conversation_id,
            "character_id": asked.target.character_id,
            "greeting": False,
        }
        request = validated(TurnRequest.model_validate, fields, "")
        copied = await _copied(caller.service.storage, conversation_id, step.before)
        return await caller.start(request, idempotency_key=None, after=After(step.after, copied))


async def _copied(
    storage: Storage, conversation_id: UUID, before: Sequence[SaidBefore]
) -> Sequence[Mapping[str, object]]:
    """Return what messages that are stored once more have of those that they are copies of."""
    places = [one.position for one in before if one.position is not None]
    stored = dict[int, Message]()
    if places:
        first, end = min(places), max(places) + 1
        page = await storage.read_page(conversation_id, limit=end - first, before=end)
        stored = dict(enumerate(page.conversation.messages, page.start))
    return [_of_copy(one, stored) for one in before]


def _of_copy(one: SaidBefore, stored: Mapping[int, Message]) -> Mapping[str, object]:
    original = stored.get(one.position) if one.position is not None else None
    # Not its usage: what was paid once is counted once, in all branches together.
    kept = {"timestamp": one.said_at, "model": original.model if original is not None else None}
    return {name: value for name, value in kept.items() if value is not None}


def _is_answer_to(turn: LiveTurn, asked: Asked, found: Found) -> bool:
    """Return whether a turn that runs answers all that is sent: the request that has begun it is sent again."""
    tree, alignment = found.tree, found.alignment
    if tree is None or asked.after is not None or asked.is_only_new or alignment.count < len(asked.history.said):
        return False
    return turn.has_begun and tree.id_of(alignment.position) == turn.status.user_message_id


def _options(asked: Asked, *, model: str | None = None) -> TurnOptions:
    return validated(TurnOptions.model_validate, {**asked.options, "model": model}, "")


def _checked(messages: Sequence[Said]) -> tuple[NewMessage, ...]:
    """Check messages that are to be stored or sent. Raises ``BadRequest`` that names the first bad one."""
    return tuple([validated(NewMessage.model_validate, one.fields, f"messages.{one.position}") for one in messages])


def _instructions(asked: Asked) -> tuple[NewMessage, ...]:
    return _checked(asked.history.instructions) if asked.target.keeps_system else ()


def _as_user(instruction: Said) -> NewMessage:
    """Return what a client asks beside the conversation as the user's wish: it is no instruction of ours."""
    (message,) = _checked([instruction])
    return message.model_copy(update={"role": "user"})
