"""What a caller may access. Another user's conversation or turn is answered like one that does not exist."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from idolchat_api.auth.principal import Principal
from idolchat_api.auth.request_policy import RequestPolicy
from idolchat_api.errors import Forbidden, NotFound
from idolchat_core.characters.cast import NextSpeaker
from idolchat_core.characters.contract import DirectoryEntry
from idolchat_core.conversations import branches, messages
from idolchat_core.conversations.beginning import begin
from idolchat_core.errors import (
    ConversationDamaged,
    ConversationExists,
    ConversationMismatch,
    ConversationNotFound,
    InvalidRequest,
    TurnNotFound,
)
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Conversation, Message, Page, StoredId, new_id, utc_now
from idolchat_core.service import Service
from idolchat_core.storage import document
from idolchat_core.turns.ephemeral import EphemeralRequest
from idolchat_core.turns.plan import After
from idolchat_core.turns.request import NewMessage, TurnOptions, TurnRequest
from idolchat_core.turns.runner import mismatch

__all__ = ["Caller", "Reference"]

_Slug = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Reference = Annotated[UUID | _Slug, Field(union_mode="left_to_right")]
"""How a request names a character: by her id or slug."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal together with the service: checks access, and starts turns within the request policy."""

    principal: Principal
    service: Service
    policy: RequestPolicy

    async def check_conversation(self, conversation_id: UUID) -> None:
        """Raise ``ConversationNotFound`` unless the conversation exists and the caller may access it."""
        if self.principal.is_bound:
            await self.read_page(conversation_id, limit=1)

    async def read_page(self, conversation_id: UUID, *, limit: int, before: int | None = None) -> Page:
        """Read part of a conversation, and check its owner; see ``Storage.read_page``."""
        with self._unreadable_is_not_found(conversation_id):
            page = await self.service.storage.read_page(conversation_id, limit=limit, before=before)
        self._check_owner(page.conversation.user_id, conversation_id)
        return page

    async def read_revised(self, conversation_id: UUID) -> tuple[bytes, str | None]:
        """Read a conversation as its stored document, with its revision, and check its owner.

        Of a damaged one it is what is left, and has no revision.
        """
        storage = self.service.storage
        revision: str | None = None
        with self._unreadable_is_not_found(conversation_id):
            try:
                data, revision = await storage.read_revised(conversation_id)
                owner = document.owner_of(data, conversation_id)
            except ConversationDamaged:
                conversation = await storage.read(conversation_id)
                data, owner = conversation.model_dump_json(exclude_unset=True).encode(), conversation.user_id
        self._check_owner(owner, conversation_id)
        return data, revision

    def _check_owner(self, user_id: StoredId | None, conversation_id: UUID) -> None:
        if self.principal.is_bound and user_id != self.principal.user_id:
            raise _no_conversation(conversation_id)

    @contextmanager
    def _unreadable_is_not_found(self, conversation_id: UUID) -> Generator[None]:
        """Answer users in the same words for what is not there, what cannot be read, and what is another user's."""
        try:
            yield
        except (ConversationNotFound, ConversationDamaged):
            if not self.principal.is_bound:
                raise
            raise _no_conversation(conversation_id) from None

    async def check_turn(self, turn_id: UUID) -> None:
        """Raise ``TurnNotFound`` unless the turn exists and the caller may access it."""
        if not self.principal.is_bound:
            return
        try:
            owner = await self.service.turns.owner(turn_id)
        except (TurnNotFound, ConversationNotFound, ConversationDamaged):
            owner = None
        if owner != self.principal.user_id:
            raise TurnNotFound(f"no turn {turn_id}")

    def acting_for(self, user_id: UUID | None) -> UUID | None:
        """Return the user that a request acts for, given the user that it names. Raises ``Forbidden``."""
        own = self.principal.user_id
        if user_id is None or user_id == own:
            return own
        if self.principal.is_bound:
            raise Forbidden("user_id: must be left out, or be that of the token", param="user_id")
        return user_id

    def reading(self, user_id: UUID | None) -> UUID | None:
        """Return the user whose conversations a list may show, None for all users. Raises ``Forbidden``."""
        return self.acting_for(user_id) if self.principal.is_bound else user_id

    async def start(self, request: TurnRequest, *, idempotency_key: str | None, after: After | None = None) -> LiveTurn:
        """Start a turn; see ``TurnEngine.start``. Raises ``ConversationNotFound`` for another user's conversation.

        With ``after``, what the assistant said may be among the messages, whoever sends them: the client has chosen
        from its own copy of the conversation where they go.
        """
        request = self._allowed(request, with_replies=after is not None)
        try:
            return await self.service.turns.start(request, idempotency_key=idempotency_key, after=after)
        except ConversationMismatch as error:
            raise self.hidden(error, request.conversation_id) from None

    async def begin(
        self,
        characters: Sequence[UUID | str],
        user_id: UUID | None,
        *,
        next_speaker: NextSpeaker | None = None,
        persona_id: UUID | None = None,
        conversation_id: UUID | None = None,
        greets: bool = True,
        idempotency_key: str | None = None,
    ) -> tuple[Conversation, str]:
        """Store a new conversation with characters, ids or slugs, and return it with its revision; the first greets.

        The same key finds the conversation that it began, as that is now. Raises ``NotFound`` for an unknown slug,
        ``InvalidRequest`` for a persona that the user does not have, ``ConversationExists``, and
        ``ConversationNotFound`` where another user's conversation has the id,
        ``IdempotencyMismatch``, ``StorageUnavailable``.
        """
        service, user_id = self.service, self.acting_for(user_id)
        entries = [await self._character(character, user_id) for character in characters]
        ids = [entry.id if isinstance(entry, DirectoryEntry) else entry for entry in entries]
        if len(set(ids)) < len(ids):
            raise InvalidRequest("character_ids: names a character twice", param="character_ids")
        if persona_id is not None and not await service.characters.may_play(persona_id, user_id):
            raise InvalidRequest(f"persona_id: this user has no persona {persona_id}", param="persona_id")
        if conversation_id is None and idempotency_key is not None:
            conversation_id = service.turns.derived_id("conversation", str(user_id), idempotency_key)
        now = utc_now()
        conversation = Conversation(
            id=conversation_id or new_id(),
            created_at=now,
            user_id=user_id,
            character_id=ids[0] if ids else None,
            updated_at=now,
        )
        more = {"character_ids": tuple(ids) if len(ids) > 1 else None, "next_speaker": next_speaker}
        given = {name: value for name, value in (more | {"persona_id": persona_id}).items() if value is not None}
        conversation = conversation.model_copy(update=given) if given else conversation
        greeter = entries[0] if greets and entries and isinstance(entries[0], DirectoryEntry) else None
        try:
            return await begin(service.storage, service.characters, conversation, greeter)
        except ConversationExists:
            return await self._begun_before(conversation, idempotency_key)

    async def members(self, conversation_id: UUID, characters: Sequence[UUID | str]) -> Sequence[StoredId]:
        """Find the ids of characters for the user of a conversation. Raises ``NotFound`` for an unknown slug."""
        user_id = (await self.read_page(conversation_id, limit=1)).conversation.user_id
        return await self.ids_of(characters, user_id)

    async def ids_of(self, characters: Sequence[UUID | str], user_id: StoredId | None) -> Sequence[UUID]:
        """Find the ids of characters for a user. Raises ``NotFound`` for an unknown slug."""
        entries = [await self._character(one, user_id) for one in characters]
        return [entry.id if isinstance(entry, DirectoryEntry) else entry for entry in entries]

    async def _character(self, character: UUID | str, user_id: StoredId | None) -> DirectoryEntry | UUID:
        """Find a character; an id that nobody knows stands for one without a card."""
        entry = await self.service.characters.find(character, user_id)
        if entry is None and isinstance(character, str):
            raise NotFound(f"no character {character!r}")
        return entry or UUID(str(character))

    async def _begun_before(self, wanted: Conversation, key: str | None) -> tuple[Conversation, str]:
        page = await self.read_page(wanted.id, limit=1)
        if key is None:
            raise ConversationExists(f"conversation {wanted.id} exists already")
        if _parties(page.conversation) != _parties(wanted):
            raise mismatch(key)
        return await self.service.storage.read(wanted.id), page.revision

    async def edit(
        self,
        message_id: StoredId,
        request: TurnRequest,
        *,
        idempotency_key: str | None,
        expected_revision: str | None = None,
    ) -> LiveTurn:
        """Replace a message on a new branch; see ``TurnEngine.edit``."""
        request = self._allowed(request)
        try:
            return await self.service.turns.edit(
                message_id, request, idempotency_key=idempotency_key, expected_revision=expected_revision
            )
        except ConversationMismatch as error:
            raise self.hidden(error, request.conversation_id) from None

    async def regenerate(self, conversation_id: UUID, options: TurnOptions) -> LiveTurn:
        """Answer the last message again; see ``TurnEngine.regenerate``."""
        return await self.service.turns.regenerate(conversation_id, self.policy.apply(self.principal, options))

    async def answer_again(
        self,
        conversation_id: UUID,
        message_id: StoredId,
        options: TurnOptions,
        *,
        instructions: Sequence[NewMessage] = (),
    ) -> LiveTurn:
        """Answer a message again, whatever branch it is on; see ``TurnEngine.answer_again``."""
        how = self._instructed(options, instructions)
        return await self.service.turns.answer_again(conversation_id, message_id, how, instructions=instructions)

    async def answer_unstored(
        self, request: EphemeralRequest, options: TurnOptions, *, character: DirectoryEntry | None = None
    ) -> LiveTurn:
        """Answer what is stored nowhere; ``character`` brings what ``options`` leave open. See the engine's."""
        for position, message in enumerate(request.messages):
            self.policy.check_message(self.principal, message, f"messages.{position}", with_replies=True)
        how = self.policy.apply(self.principal, options)
        if character is not None:
            how = how.with_character(character)
        return await self.service.turns.answer_unstored(
            replace(
                request,
                user_id=self.acting_for(request.user_id),
                model=how.model,
                options=how.options,
                stream=how.stream,
                on_disconnect=how.on_disconnect,
            )
        )

    async def continue_reply(
        self,
        conversation_id: UUID,
        reply_id: StoredId,
        options: TurnOptions,
        *,
        changes_branch: bool = False,
        instructions: Sequence[NewMessage] = (),
    ) -> LiveTurn:
        """Continue a reply; see ``TurnEngine.continue_reply``."""
        how = self._instructed(options, instructions)
        return await self.service.turns.continue_reply(
            conversation_id, reply_id, how, changes_branch=changes_branch, instructions=instructions
        )

    def _instructed(self, options: TurnOptions, instructions: Sequence[NewMessage]) -> TurnOptions:
        for position, message in enumerate(instructions):
            self.policy.check_message(self.principal, message, f"messages.{position}")
        return self.policy.apply(self.principal, options)

    async def rewrite(
        self, conversation_id: UUID, message_id: StoredId, content: str | list[dict[str, Any]]
    ) -> Message:
        """Write another message in place of one; see ``messages.rewrite``."""
        storage, turns = self.service.storage, self.service.turns
        before = await messages.rewritable(storage, conversation_id, message_id)
        new = NewMessage.model_validate({"role": before.role, "content": content})
        self.policy.check_message(self.principal, new, "message")
        return await messages.rewrite(turns, storage, conversation_id, message_id, new)

    async def delete_message(self, conversation_id: UUID, message_id: StoredId) -> None:
        """Delete one message of a conversation of the caller's for good; see ``messages.delete_message``."""
        await self.check_conversation(conversation_id)
        await messages.delete_message(self.service.turns, self.service.storage, conversation_id, message_id)

    async def delete_conversation(self, conversation_id: UUID) -> None:
        """Delete a conversation of the caller's for good; see ``branches.delete``."""
        await self.check_conversation(conversation_id)
        await branches.delete(self.service.turns, self.service.storage, conversation_id)

    async def retry(self, turn_id: UUID, options: TurnOptions | None) -> LiveTurn:
        """Answer the message of a turn again; see ``TurnEngine.retry``."""
        otherwise = self.policy.apply(self.principal, TurnOptions())
        how = options and self.policy.apply(self.principal, options)
        return await self.service.turns.retry(turn_id, how, otherwise=otherwise)

    def hidden(
        self, error: ConversationMismatch, conversation_id: UUID | None
    ) -> ConversationMismatch | ConversationNotFound:
        """Return the error to report: another user's conversation is reported as not found."""
        if self.principal.is_bound and error.param == "user_id" and conversation_id is not None:
            return _no_conversation(conversation_id)
        return error

    def _allowed(self, request: TurnRequest, *, with_replies: bool = False) -> TurnRequest:
        user_id = self.acting_for(request.user_id)
        self.policy.check_messages(self.principal, request, with_replies=with_replies)
        request = self.policy.apply(self.principal, request)
        return request if user_id == request.user_id else request.model_copy(update={"user_id": user_id})


def _parties(conversation: Conversation) -> tuple[object, ...]:
    return conversation.user_id, conversation.character_id, conversation.character_ids


def _no_conversation(conversation_id: UUID) -> ConversationNotFound:
    return ConversationNotFound(f"no conversation {conversation_id}")
