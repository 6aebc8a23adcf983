"""Who speaks in a turn of a conversation with several characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from idolchat_core.characters.cast import Cast, Member, NextSpeaker, choose_speaker
from idolchat_core.errors import InvalidRequest
from idolchat_core.llm.token_estimator import message_size
from idolchat_core.models import StoredId
from idolchat_core.prompt.entry import Entry
from idolchat_core.prompt.history import History
from idolchat_core.prompt.sendable import content_parts
from idolchat_core.turns.lookup import find_message
from idolchat_core.turns.plan import Plan
from idolchat_core.turns.resources import EngineResources

__all__ = ["cast_of", "check_speaker", "heard_by", "told"]


MAX_NAME_CHARS = 80


def check_speaker(plan: Plan, members: Sequence[StoredId | None]) -> None:
    """Raise ``InvalidRequest`` where a request wants an answer of somebody who takes no part."""
    if plan.next_character_id is not None and plan.next_character_id not in members:
        text = f"next_character_id: {plan.next_character_id} takes no part in conversation {plan.conversation_id}"
        raise InvalidRequest(text, param="next_character_id")


async def cast_of(resources: EngineResources, plan: Plan, history: History) -> tuple[Cast, Member]:
    """Choose who speaks, and return her. Raises ``InvalidRequest``, ``StorageError``."""
    members = [await _member(resources, one, history.user_id) for one in history.character_ids]
    before = await _speaker_before(resources, plan, history)
    if plan.continues is not None and plan.next_character_id not in (None, before):
        raise InvalidRequest("next_character_id: a reply is continued by who gave it", param="next_character_id")
    speaker_id = plan.next_character_id or before
    if speaker_id not in history.character_ids:
        speaker_id = await _next_speaker(resources, plan, history, members)
    speaker = next(member for member in members if member.id == speaker_id)
    return Cast(speaker.id, _names(members), history.character_ids[0]), speaker


def _names(members: Sequence[Member]) -> dict[StoredId, str]:
    return {member.id: _one_line(member.entry.name) for member in members if member.entry is not None}


def _one_line(name: str) -> str:
    """Cut a name down to what can stand in instructions that are not its card's."""
    return " ".join(name.split())[:MAX_NAME_CHARS]


async def _member(resources: EngineResources, character_id: StoredId, user_id: StoredId | None) -> Member:
    entry = None
    if isinstance(character_id, UUID):
        entry = await resources.characters.find(character_id, user_id)
    return Member(character_id, entry)


async def _speaker_before(resources: EngineResources, plan: Plan, history: History) -> StoredId | None:
    """Return who gave the reply that is continued, or made anew."""
    if plan.continues is not None:
        found = await find_message(resources.storage, history.id, plan.continues)
        return found[0].character_id if found else None
    if plan.answer_to is None:
        return None
    position = await resources.histories.load_message(history, plan.answer_to)
    replies = [] if position is None else history.path[position + 1 :]
    return next((entry.character_id for entry in replies if entry.character_id is not None), None)


async def _next_speaker(
    resources: EngineResources, plan: Plan, history: History, members: Sequence[Member]
) -> StoredId:
    path = history.path
    stands_at = plan.instead_of or plan.answer_to
    position = None if stands_at is None else await resources.histories.load_message(history, stands_at)
    before = path if position is None else path[:position]
    stored = None if position is None else path[position].sent["content"]
    return choose_speaker(
        members,
        NextSpeaker.of(history.next_speaker),
        said=_text(plan.messages[-1].content if plan.messages else stored),
        last=_last_speaker(before, history.character_ids[0]),
        seed=f"{history.id} {plan.user_message_id} speaker",
    )


async def heard_by(
    resources: EngineResources, cast: Cast, branch: Sequence[Entry], *, user_id: StoredId | None
) -> list[Entry]:
    """Return a branch as the speaker has heard it: what others said begins with their names, also of who has left.

    Raises ``StorageError``.
    """
    former = {entry.character_id for entry in branch} - {None, cast.speaker_id, *cast.names}
    if former:
        left = [await _member(resources, one, user_id) for one in former if one is not None]
        cast = replace(cast, names={**cast.names, **_names(left)})
    return [_heard(entry, cast.name_of(entry.character_id)) for entry in branch]


def _heard(entry: Entry, name: str | None) -> Entry:
    content = entry.sent.get("content")
    if name is None or entry.role != "assistant" or not content or not isinstance(content, str):
        return entry
    sent = entry.sent | {"content": f"{name}: {content}"}
    return entry._replace(sent=sent, size=message_size(sent))


def told(cast: Cast) -> str:
    """Return the instruction that says who the model is, and who else takes part."""
    others = [name for character_id, name in cast.names.items() if character_id != cast.speaker_id]
    who = cast.names.get(cast.speaker_id, "the character described below")
    with_others = f" with {', '.join(others)}" if others else ""
    return (
        f"In this conversation{with_others}, you are {who}. What others say begins with their names, as in `Name: ...`."
        f" Write what {who} says next, without a name before it, and nothing for anybody else."
    )


def _last_speaker(path: Sequence[Entry], first_id: StoredId) -> StoredId | None:
    """Return who gave the last reply; one that names nobody is that of the first, from before there were others."""
    last = next((entry for entry in reversed(path) if entry.role == "assistant"), None)
    return None if last is None else last.character_id or first_id


def _text(content: object) -> str:
    parts = content_parts(content) if content else ()
    return "\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
