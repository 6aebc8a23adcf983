"""What the macros of a card tell in a turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from idolchat_characters.character import Character
from idolchat_characters.id_times import made_at
from idolchat_characters.macros import MacroContext
from idolchat_characters.message_text import message_text
from idolchat_characters.personas import Persona
from idolchat_core import Conversation, PromptTurn, utc_now

__all__ = ["USER_NAME", "in_greeting", "in_prefix", "in_tail", "of_conversation"]

USER_NAME = "User"
"""What ``{{user}}`` stands for where the user has no persona."""


def of_conversation(
    character: Character, persona: Persona | None, *, conversation_id: UUID, started_at: datetime
) -> MacroContext:
    """Return what macros tell of who talks with whom."""
    return MacroContext(
        char=character.spoken_name,
        user=persona.name if persona else USER_NAME,
        conversation_id=str(conversation_id),
        started_at=started_at,
        now=started_at,
        knows_v3=True,
        description=character.description,
        personality=character.personality,
        scenario=character.scenario,
        persona=persona.description if persona else "",
        examples=character.mes_example,
        system_prompt=character.system_prompt,
        post_history_instructions=character.post_history_instructions,
        character_version=character.character_version,
    )


def in_greeting(character: Character, persona: Persona | None, conversation: Conversation) -> MacroContext:
    """Return what macros tell in the first message of a conversation, which stays as it was said."""
    return of_conversation(character, persona, conversation_id=conversation.id, started_at=conversation.created_at)


def in_prefix(character: Character, persona: Persona | None, turn: PromptTurn) -> MacroContext:
    """Return what macros tell where a text stays the same for the whole conversation."""
    return replace(
        of_conversation(character, persona, conversation_id=turn.conversation_id, started_at=turn.started_at),
        original="",  # the operator's instructions stand before, whatever the card says
        model=turn.model or "",
        max_prompt_tokens=turn.window_tokens,
    )


def in_tail(prefix: MacroContext, turn: PromptTurn) -> MacroContext:
    """Return what macros tell at the end of the prompt: of this turn, too."""
    newest: dict[str, str] = {}
    for entry in reversed(turn.history):
        newest.setdefault(entry.role, message_text(entry.sent.get("content")))
        if len(newest.keys() & {"user", "assistant"}) == 2:
            break
    return replace(
        prefix,
        place="tail",
        now=made_at(turn.turn_id) or utc_now(),
        turn_id=str(turn.user_message_id),
        last_message=message_text(turn.history[-1].sent.get("content")) if turn.history else "",
        last_user_message=newest.get("user", ""),
        last_character_message=newest.get("assistant", ""),
    )
