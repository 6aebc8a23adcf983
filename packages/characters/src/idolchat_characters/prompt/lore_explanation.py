"""Explains, for a text or a conversation, which entries of which books enter the prompt, and why the others do not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from idolchat_characters.books import books_of
from idolchat_characters.library import CharacterRecord, Viewer, library_of
from idolchat_characters.lore import BranchState, Explanation, Position, Reason, explain
from idolchat_characters.lore.budget import token_limit
from idolchat_characters.personas import personas_of
from idolchat_characters.prompt.macro_contexts import of_conversation
from idolchat_characters.scanning import (
    BranchStates,
    LoreScanner,
    LoreTurn,
    Said,
    branch_of,
    compiled_of,
)
from idolchat_core import Conversation, Storage, StoredId, text_size, utc_now

__all__ = ["ExplainedEntry", "LoreExplanation", "LoreQuestion", "explain_lore"]

type Scope = Literal["character", "user", "conversation", "server"]


class ExplainedEntry(BaseModel):
    """What the scan made of one entry of a lorebook."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    scope: Scope = Field(description="whose book it is in")
    book: str = Field(description="the id of the lorebook, or of the character")
    uid: str = Field(description="which entry of the book")
    name: str
    activated: bool
    reason: Reason = Field(description="why it is in, or is not")
    key: str | None = Field(description="the key that matched")
    recursion: int | None = Field(description="how many rounds of recursion it took")
    position: Position | None = Field(description="where it goes")
    depth: int | None
    role: str | None
    outlet: str | None
    order: float
    tokens: float | None = Field(description="what it costs, estimated")
    problems: tuple[str, ...] = Field(description="which of its keys can never match, and why")


class LoreExplanation(BaseModel):
    """Every entry of the books of a conversation, in the order in which they are looked at."""

    model_config = ConfigDict(frozen=True)

    character_id: UUID
    conversation_id: UUID | None
    messages: int = Field(description="how many of the newest messages are scanned at most")
    window_tokens: int
    budget_tokens: int = Field(description="what lore may take of the window")
    tokens: float = Field(description="what it takes, estimated")
    is_cut: bool = Field(description="whether there is more text than is scanned")
    entries: tuple[ExplainedEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoreQuestion:
    """What to explain: the reply to the newest message of ``conversation``, or to ``text``, said in it or alone.

    ``user_id`` is who says it where there is no conversation. Without ``shows_server``, nothing is told of the server's
    books.
    """

    text: str | None = None
    conversation: Conversation | None = None
    user_id: StoredId | None = None
    window_tokens: int = 8192
    shows_server: bool = False


async def explain_lore(storage: Storage, record: CharacterRecord, asked: LoreQuestion) -> LoreExplanation:
    """Explain the lore of a turn with a character, as the turn itself would have it. Raises ``StorageUnavailable``."""
    conversation = asked.conversation
    user_id = conversation.user_id if conversation else asked.user_id
    books = await books_of(storage).active(user_id, conversation.id if conversation else None)
    scanner = await compiled_of(storage).get(record, books)
    turn = await _turn(storage, record, asked, user_id)
    states = BranchStates(storage)
    state, _ = await states.before(scanner, turn)
    whose: dict[str, Scope] = {str(record.id): "character", **{str(book.id): book.scope for book in books}}
    return await asyncio.to_thread(_explained, scanner, turn, state, whose, record.id, asked)


def _explained(
    scanner: LoreScanner,
    turn: LoreTurn,
    state: BranchState,
    whose: Mapping[str, Scope],
    character_id: UUID,
    asked: LoreQuestion,
) -> LoreExplanation:
    found = scanner.scan(turn, state)
    told = explain(scanner.lore, scanner.input(turn, state), found)
    return LoreExplanation(
        character_id=character_id,
        conversation_id=asked.conversation.id if asked.conversation else None,
        messages=scanner.lore.messages_needed,
        window_tokens=turn.window_tokens,
        budget_tokens=token_limit(scanner.lore.settings, turn.window_tokens),
        tokens=sum(one.tokens or 0 for one in told),
        is_cut=found.is_cut,
        entries=tuple(
            _entry(one, whose[one.book]) for one in told if asked.shows_server or whose[one.book] != "server"
        ),
    )


def _entry(told: Explanation, scope: Scope) -> ExplainedEntry:
    return ExplainedEntry.model_validate({**asdict(told), "scope": scope})


async def _turn(storage: Storage, record: CharacterRecord, asked: LoreQuestion, user_id: StoredId | None) -> LoreTurn:
    conversation = asked.conversation
    persona = await personas_of(storage).played(user_id, conversation.persona_id if conversation else None)
    said = await asyncio.to_thread(_said, conversation, asked.text)
    context = of_conversation(
        record.character,
        persona,
        conversation_id=conversation.id if conversation else record.id,
        started_at=conversation.created_at if conversation else utc_now(),
    )
    newest = said[-1] if said else None
    spoken = {role: next((it.text() for it in reversed(said) if it.role == role), "") for role in ("user", "assistant")}
    return LoreTurn(
        conversation_id=conversation.id if conversation else record.id,
        said=said,
        start=0,
        character=record.character,
        context=replace(
            context,
            place="tail",
            now=utc_now(),
            turn_id=str(newest.id) if newest else "",
            last_message=newest.text() if newest else "",
            last_user_message=spoken["user"],
            last_character_message=spoken["assistant"],
            max_prompt_tokens=asked.window_tokens,
        ),
        trigger="normal",
        window_tokens=asked.window_tokens,
        count=lambda text: round(text_size(text)),
        names=await _names(storage, conversation) if conversation and conversation.character_ids else {},
    )


async def _names(storage: Storage, conversation: Conversation) -> dict[StoredId, str]:
    viewer = Viewer.of(conversation.user_id)
    ids = [held for held in conversation.character_ids or () if isinstance(held, UUID)]
    records = [await library_of(storage).get(held, viewer) for held in ids]
    return {record.id: record.character.spoken_name for record in records if record is not None}


def _said(conversation: Conversation | None, text: str | None) -> list[Said]:
    """Return the branch up to the message that is, or would be, answered."""
    branch = branch_of(conversation, None) if conversation else []
    if text is not None:
        return [*branch, Said("text", "user", lambda: text)]
    while branch and branch[-1].role != "user":
        branch.pop()
    return branch
