"""What the macros of a card tell in a turn."""

from __future__ import annotations

from dataclasses import replace

from idolchat_characters.character import Character
from idolchat_characters.id_times import made_at
from idolchat_characters.macros import MacroContext
from idolchat_core import Conversation, PromptTurn, utc_now

__all__ = ["USER_NAME", "in_greeting", "in_prefix", "in_tail", "message_text"]

USER_NAME = "User"
"""What ``{{user}}`` stands for, as long as users have no personas."""


def in_prefix(character: Character, turn: PromptTurn) -> MacroContext:
    """Return what macros tell where a text stays the same for the whole conversation."""
    return MacroContext(
        char=character.spoken_name,
        user=USER_NAME,
        conversation_id=str(turn.conversation_id),
        started_at=turn.started_at,
        now=made_at(turn.turn_id) or utc_now(),
        turn_id=str(turn.user_message_id),
        knows_v3=True,
        original="",  # the operator's instructions stand before, whatever the card says
        description=character.description,
        personality=character.personality,
        scenario=character.scenario,
        examples=character.mes_example,
        system_prompt=character.system_prompt,
        post_history_instructions=character.post_history_instructions,
        character_version=character.character_version,
        model=turn.model or "",
        max_prompt_tokens=turn.window_tokens,
    )


def in_greeting(character: Character, conversation: Conversation) -> MacroContext:
    """Return what macros tell in the first message of a conversation, which stays as it was said."""
    return MacroContext(
        char=character.spoken_name,
        user=USER_NAME,
        conversation_id=str(conversation.id),
        started_at=conversation.created_at,
        now=conversation.created_at,
        knows_v3=True,
        description=character.description,
        personality=character.personality,
        scenario=character.scenario,
        examples=character.mes_example,
        system_prompt=character.system_prompt,
        post_history_instructions=character.post_history_instructions,
        character_version=character.character_version,
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
        last_message=message_text(turn.history[-1].sent.get("content")) if turn.history else "",
        last_user_message=newest.get("user", ""),
        last_character_message=newest.get("assistant", ""),
    )


def message_text(content: object) -> str:
    """Return the text of a message, without its images and files."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("type") == "text")
