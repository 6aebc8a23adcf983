"""What one turn is to do, made of what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid5

from idolchat_core.characters.cast import Cast
from idolchat_core.characters.contract import DirectoryEntry
from idolchat_core.models import StoredId, new_id
from idolchat_core.turns.request import NewMessage, OnBusy, OnDisconnect, TurnOptions, TurnRequest, WithCharacter

__all__ = ["After", "Plan", "retry_id"]


@dataclass(frozen=True, slots=True)
class After:
    """A place in a conversation's tree: after a message, whatever branch it is on; None: before the first one.

    Of the first of the messages that are to follow it ``copied`` tells what they have of those that they are copies of:
    ``timestamp`` and ``model``, each where there is one, and no ``usage``, which is to be counted once.
    """

    message_id: StoredId | None
    copied: Sequence[Mapping[str, Any]] = ()


class Plan(NamedTuple):
    """One turn to run.

    ``messages`` are to be stored, at the head of the branch or in place of the message ``instead_of``; or there are
    none, and the message ``answer_to`` is answered anew, or the reply ``continues`` is gone on with. ``instructions``
    serve this prompt only. With ``expected_revision`` the conversation must be as its reader saw it. ``after`` says
    where the messages go when that is not the head; a plan that ``changes_branch`` may answer or continue a message
    that is on another branch than the active one. The branch is then the active one. ``with_character`` says how it is
    run by a character, and ``may_greet`` that she greets where it begins a conversation. ``cast`` is there where
    several take part.
    """

    conversation_id: UUID
    turn_id: UUID
    user_message_id: StoredId
    user_id: UUID | None = None
    character_id: UUID | None = None
    messages: tuple[NewMessage, ...] = ()
    instructions: tuple[NewMessage, ...] = ()
    answer_to: StoredId | None = None
    instead_of: StoredId | None = None
    continues: StoredId | None = None
    after: After | None = None
    changes_branch: bool = False
    expected_revision: str | None = None
    next_character_id: UUID | None = None
    cast: Cast | None = None
    with_character: WithCharacter = TurnOptions().with_character
    may_greet: bool = False
    model: str | None = None
    options: Mapping[str, Any] = {}
    stream: bool = True
    on_busy: OnBusy = OnBusy.ENQUEUE
    on_disconnect: OnDisconnect = OnDisconnect.CONTINUE
    key: str | None = None
    fingerprint: str | None = None
    is_first: bool = False
    """Whether ``conversation_id`` was made for this turn, so that nothing can be stored of it."""

    @classmethod
    def of(
        cls,
        request: TurnRequest,
        *,
        key: str | None,
        secret: UUID,
        instead_of: StoredId | None = None,
        expected_revision: str | None = None,
        after: After | None = None,
    ) -> Self:
        """Plan a turn for new messages.

        With an idempotency key its ids follow from the key, so that the same request finds the same turn, and without
        a conversation the same new conversation, whatever has been forgotten in between; ``secret`` keeps others from
        making that id first.
        """
        conversation_id = request.conversation_id
        if conversation_id is None:
            conversation_id = uuid5(secret, f"{request.user_id}:{key}") if key else new_id()
        is_first = request.conversation_id is None and not key
        turn_id = uuid5(conversation_id, f"turn {request.user_id} {key}") if key else new_id()
        return cls(
            conversation_id=conversation_id,
            turn_id=turn_id,
            user_message_id=uuid5(turn_id, "message") if key else new_id(),
            user_id=request.user_id,
            character_id=request.character_id,
            messages=tuple([message for message in request.messages if not message.is_instruction]),
            instructions=tuple([message for message in request.messages if message.is_instruction]),
            instead_of=instead_of,
            expected_revision=expected_revision,
            after=after,
            key=key,
            fingerprint=request.fingerprint() if key else None,
            is_first=is_first,
            may_greet=request.greeting and all(message.role != "assistant" for message in request.messages),
            **_how(request),
        )

    @classmethod
    def anew(
        cls,
        conversation_id: UUID,
        answer_to: StoredId,
        options: TurnOptions,
        *,
        turn_id: UUID | None = None,
        changes_branch: bool = False,
    ) -> Self:
        """Plan another answer to a stored message."""
        return cls(
            conversation_id=conversation_id,
            turn_id=turn_id or new_id(),
            user_message_id=answer_to,
            answer_to=answer_to,
            changes_branch=changes_branch,
            **_how(options),
        )

    @classmethod
    def continuing(
        cls,
        conversation_id: UUID,
        reply_id: StoredId,
        options: TurnOptions,
        *,
        turn_id: UUID | None = None,
        changes_branch: bool = False,
    ) -> Self:
        """Plan to go on with a stored reply; what it answers is found when the turn is admitted."""
        return cls(
            conversation_id=conversation_id,
            turn_id=turn_id or new_id(),
            user_message_id=reply_id,
            continues=reply_id,
            changes_branch=changes_branch,
            **_how(options),
        )

    @property
    def is_prefilled(self) -> bool:
        """Whether the last of the messages is the beginning of the reply."""
        return bool(self.messages) and self.messages[-1].role == "assistant"

    @property
    def prefill_id(self) -> UUID:
        """The id of that message where it is stored; it follows from the turn's, as a resent key finds it by that."""
        return uuid5(self.turn_id, "prefill")

    def spoken_by(self, entry: DirectoryEntry) -> Self:
        """Plan the same turn as this character's."""
        options = self.with_character(entry)
        if options.model == self.model and options.options == self.options:
            return self
        return self._replace(model=options.model, options=options.options)

    def again(self, answer_to: StoredId, *, turn_id: UUID, continues: StoredId | None = None) -> Self:
        """Plan the same turn once more, now that its message is stored."""
        return self._replace(
            turn_id=turn_id,
            user_message_id=answer_to,
            messages=(),
            instead_of=None,
            after=None,
            expected_revision=None,
            answer_to=None if continues is not None else answer_to,
            continues=continues,
            is_first=False,
        )


def retry_id(turn_id: UUID) -> UUID:
    """Make the id of the turn that retries another: the same for whoever asks, whenever and in whatever process."""
    return uuid5(turn_id, "retry")


def _how(options: TurnOptions) -> dict[str, Any]:
    return {
        "with_character": options.with_character,
        "next_character_id": options.next_character_id,
        "model": options.model,
        "options": options.options,
        "stream": options.stream,
        "on_busy": options.on_busy,
        "on_disconnect": options.on_disconnect,
    }
