"""Admits a turn: its messages are checked and stored before anything is asked of a provider."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any
from uuid import UUID

from idolchat_core.characters.contract import DirectoryEntry
from idolchat_core.characters.greeting import greeting_of
from idolchat_core.coordination.checkpoints import unfinished
from idolchat_core.coordination.contract import AlreadyEntered, Occupant
from idolchat_core.errors import (
    ConversationMismatch,
    ConversationNotFound,
    InvalidRequest,
    TurnNotRetryable,
)
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Conversation, Message, StoredId, new_id, utc_now
from idolchat_core.prompt.entry import Entry
from idolchat_core.prompt.history import History
from idolchat_core.prompt.sendable import sendable
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage.changes import ChangeKind
from idolchat_core.storage.expectations import check_revision
from idolchat_core.turns.casting import check_speaker
from idolchat_core.turns.continuation import (
    begin_prefilled,
    continue_head,
    go_on_from_stored,
    proof_of,
    replied_head,
)
from idolchat_core.turns.lookup import find_message
from idolchat_core.turns.message_writer import Decide, Placement
from idolchat_core.turns.plan import After, Plan
from idolchat_core.turns.request import NewMessage
from idolchat_core.turns.resources import EngineResources

__all__ = ["CheckAgain", "admit", "check_may", "load", "stored_form"]

_OURS = set(Message.model_fields) - {"role", "content", "name", "tool_calls", "tool_call_id"}
"""Fields of a stored message that no client may set."""
_NOTHING_NEW = Placement(messages=(), keep=None, tells_of_turn=False)
"""Of a turn that answers what is stored."""


class CheckAgain(Exception):
    """What is stored has changed since it was looked whether a key was used before, or who is to speak.

    ``history`` is what is there.
    """

    def __init__(self, history: History) -> None:
        super().__init__(f"conversation {history.id} has changed")
        self.history = history


async def load(resources: EngineResources, plan: Plan) -> History | None:
    """Return the conversation's history; None when there is no such conversation yet.

    What is still to be stored of earlier turns is stored first. Raises ``StorageError``.
    """
    await resources.unstored.flush(plan.conversation_id)
    return await resources.writer.load(plan.conversation_id)


def check_may(plan: Plan, history: History | None) -> None:
    """Refuse a turn for another user or character than the conversation's, or on one that must exist and does not.

    Raises ``ConversationMismatch``, ``ConversationNotFound``, and ``InvalidRequest`` where somebody is to answer who
    takes no part.
    """
    if history is None:
        if not plan.messages or plan.instead_of is not None:
            raise ConversationNotFound(f"no conversation {plan.conversation_id}")
        check_speaker(plan, (plan.character_id,))
        return
    if plan.user_id is not None:
        _check_same("user_id", plan.user_id, history.user_id, history.id)
    if plan.character_id is not None and plan.character_id not in history.character_ids:
        _check_same("character_id", plan.character_id, history.character_id, history.id)
    check_speaker(plan, history.character_ids or (history.character_id,))


def _check_same(name: str, given: UUID, known: StoredId | None, conversation_id: UUID) -> None:
    if given != known:
        has = "another" if known is not None else "none"
        raise ConversationMismatch(f"{name} is {given}, but conversation {conversation_id} has {has}", param=name)


async def admit(
    resources: EngineResources,
    plan: Plan,
    live: LiveTurn,
    history: History | None,
    *,
    call: MeteredCall,
    taken_back: Collection[UUID],
    character: DirectoryEntry | None,
    is_new: bool = False,
) -> History:
    """Make the turn, and that a call is about to be made, durable; the reply then follows ``live.user_message_id``.

    ``history`` is what ``load`` returned, ``taken_back`` are turns of this conversation to be left off the branch.
    ``character`` greets where the turn begins a conversation. ``is_new`` says that nothing can be stored of the turn;
    else ``CheckAgain`` is raised where that may have changed since ``history`` was read.
    """

    read = history
    if history is not None and (not plan.messages or plan.expected_revision is not None):
        history = await resources.histories.refreshed(history)

    turns = resources.turns
    begin = partial(turns.begin, plan.conversation_id, live.turn_id, call=call, describe=partial(unfinished, live))
    decide: Decide = partial(_decide, resources, plan, live, taken_back, character)
    if plan.messages and not is_new and resources.storage.is_shared:
        decide = partial(_decide_as_checked, plan, decide, read)
    try:
        admitted, _ = await resources.writer.write(plan.conversation_id, decide, begin, history=history)
    except BaseException:
        if (
            plan.after is not None or plan.instead_of is not None or plan.changes_branch
        ):  # the history may have been turned to another branch
            resources.histories.forget(plan.conversation_id)
        raise
    if admitted is None:
        raise AssertionError("a turn is admitted to a conversation")
    return admitted


async def _decide_as_checked(
    plan: Plan, decide: Decide, checked: History | None, history: History | None
) -> Placement | Conversation | None:
    if history is not None and history is not checked and (plan.key is not None or history.character_ids):
        raise CheckAgain(history)
    return await decide(history)


async def _decide(
    resources: EngineResources,
    plan: Plan,
    live: LiveTurn,
    taken_back: Collection[UUID],
    character: DirectoryEntry | None,
    history: History | None,
) -> Placement | Conversation:
    check_may(plan, history)
    if history is None:
        return await _new_conversation(resources, plan, live, character)
    check_revision(history.id, history.revision or "unknown", plan.expected_revision)
    if plan.continues is not None:
        await go_on_from_stored(resources.storage, history, plan, live)
    if not plan.messages:
        if resources.storage.is_shared and any(entry.turn_id == live.turn_id for entry in history.path):
            raise AlreadyEntered(Occupant(live.turn_id, history.id, "", False, True))  # another process has ended it
        await _take_up(resources, history, plan, live)
        return _NOTHING_NEW
    return await _place(resources, plan, live, history, taken_back)


async def _new_conversation(
    resources: EngineResources, plan: Plan, live: LiveTurn, character: DirectoryEntry | None
) -> Conversation:
    check_tool_results(plan.messages, after=())
    messages = _to_store(plan, live, plan.messages, after=None)
    begun = Conversation(
        id=plan.conversation_id,
        created_at=messages[0].timestamp,
        user_id=plan.user_id,
        character_id=plan.character_id,
        messages=tuple(messages),
        updated_at=messages[-1].timestamp,
    )
    if character is None or not plan.may_greet:
        return begun
    greeting = await greeting_of(resources.characters, character, begun.model_copy(update={"messages": ()}))
    return begun.model_copy(update={"messages": (*greeting, *_following(greeting, begun.messages))})


def _following(greeting: Sequence[Message], said: Sequence[Message]) -> Sequence[Message]:
    """Return messages as successors of a greeting, not of the last of its alternates."""
    if len(greeting) < 2:
        return said
    return [said[0].model_copy(update={"parent_id": greeting[0].id}), *said[1:]]


async def _take_up(resources: EngineResources, history: History, plan: Plan, live: LiveTurn) -> None:
    """Prepare another reply to a message that is stored."""
    answer_to = live.user_message_id
    position = await _turned_to(resources, history, answer_to, may_turn=plan.changes_branch)
    if position is None:
        what = "make that reply the head first" if plan.continues else "send the message anew, or edit it"
        raise TurnNotRetryable(f"the conversation has moved on since; {what}")
    if history.path[position].is_deleted:
        raise TurnNotRetryable(f"message {answer_to}, which is to be answered, was deleted")


async def _turned_to(
    resources: EngineResources, history: History, answer_to: StoredId, *, may_turn: bool
) -> int | None:
    """Find the message to answer at the end of the branch, which nothing but replies follow; or turn to its branch."""
    position = (
        history.position_of(answer_to) if may_turn else await resources.histories.load_message(history, answer_to)
    )
    if position is not None and all(entry.role == "assistant" for entry in history.path[position + 1 :]):
        return position
    if may_turn and await resources.histories.turn_to(history, answer_to):
        return len(history.path) - 1
    return None


async def _place(
    resources: EngineResources, plan: Plan, live: LiveTurn, history: History, taken_back: Collection[UUID]
) -> Placement:
    keep = await _base(resources, plan, history, taken_back)
    if plan.is_prefilled and keep == 1:  # it may come beside that one, and after what that follows
        keep = 1 + (await resources.histories.load_message(history, history.path[0].id) or 0)
    branch = history.path[:keep]
    kind = _kind(plan, history, keep)
    new = plan.messages if plan.after is not None else _unknown(plan, history, branch)
    if (
        plan.is_prefilled
        and plan.after is None
        and replied_head(plan, branch, _said(branch[:-1]) if history.is_complete else None) is not None
    ):
        if continue_head(plan, live, branch):
            return _NOTHING_NEW
        new, keep, kind = new[-1:], keep - 1, ChangeKind.EDITED
        branch = branch[:-1]
    check_tool_results(new, after=branch)
    said = _to_store(plan, live, new, after=branch[-1].id if branch else None)
    if plan.is_prefilled and len(said) == 1:
        return Placement(messages=said, keep=keep, kind=kind, tells_of_turn=False)
    interruption = history.interruption(keep) if plan.after is None else []
    may_follow = resources.storage.is_shared and not (interruption or taken_back) and _may_follow(plan, history, kind)
    return Placement(messages=[*interruption, *said], keep=keep, kind=kind, may_follow=may_follow)


def _may_follow(plan: Plan, history: History, kind: ChangeKind) -> bool:
    """Whether messages are the same, and go to the end of the branch, whatever others have added there meanwhile."""
    is_one = len(plan.messages) == 1 and plan.messages[0].role == "user"
    is_bound = plan.after is not None or plan.expected_revision is not None or history.character_ids
    return is_one and kind is ChangeKind.STORED and not is_bound and not plan.is_prefilled


def _kind(plan: Plan, history: History, keep: int) -> ChangeKind:
    if plan.instead_of is not None or plan.after is not None:
        is_end = plan.after is not None and keep and history.path[keep - 1].id == history.last_id
        return ChangeKind.STORED if is_end else ChangeKind.EDITED
    return ChangeKind.ROLLED_BACK if keep < len(history.path) else ChangeKind.STORED


def _to_store(plan: Plan, live: LiveTurn, new: tuple[NewMessage, ...], *, after: StoredId | None) -> Sequence[Message]:
    if not plan.is_prefilled:
        return stored_form(new, plan, live)
    return begin_prefilled(plan, live, stored_form(new[:-1], plan, live), after=after)


async def _base(resources: EngineResources, plan: Plan, history: History, taken_back: Collection[UUID]) -> int:
    """Return after how many messages of the loaded branch the new ones go."""
    if plan.after is not None:
        return await _base_after(resources, plan.after, history)
    if plan.instead_of is not None:
        position = await resources.histories.load_message(history, plan.instead_of)
        return await _base_beside(resources, plan.instead_of, history) if position is None else position
    first = next((entry for entry in history.path if entry.turn_id in taken_back), None) if taken_back else None
    position = None if first is None else await resources.histories.load_message(history, first.id)
    return len(history.path) if position is None else position


async def _base_beside(resources: EngineResources, message_id: StoredId, history: History) -> int:
    """Turn to the branch of what a message follows that is not in the active one."""
    found = await find_message(resources.storage, history.id, message_id)
    if found is None or not await resources.histories.turn_to(history, found[1]):
        raise InvalidRequest(f"no message {message_id} in conversation {history.id}", param="message_id")
    return len(history.path)


async def _base_after(resources: EngineResources, after: After, history: History) -> int:
    position = history.position_of(after.message_id) if after.message_id is not None else None
    if position is not None:
        return position + 1
    if not await resources.histories.turn_to(history, after.message_id):
        raise InvalidRequest(f"no message {after.message_id} in conversation {history.id}", param="message_id")
    return len(history.path)


type _Said = list[tuple[Any, Any]]
"""Roles and contents of messages."""


def _said(branch: Sequence[Entry]) -> _Said:
    """Return what is sent of a branch."""
    return [(entry.sent["role"], entry.sent["content"]) for entry in sendable(branch)]


class _Anything:
    """Equals the content of whatever a client has where a message was deleted here."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


_ANYTHING = _Anything()


def _unknown(plan: Plan, history: History, branch: Sequence[Entry]) -> tuple[NewMessage, ...]:
    """Leave out a leading run that repeats everything stored, as clients that send the whole history do.

    Those that know nothing of a deletion send what was deleted as well: it is not stored again. Of a history that is
    loaded in part, that part tells where what is new begins.
    """
    messages = plan.messages
    if len(messages) < 2:
        return messages
    sent = [(message.role, message.content) for message in messages]
    runs = [_said(branch)]
    if any(entry.is_deleted for entry in branch):
        runs.insert(0, _said([_as_sent_before(entry) for entry in branch]))
    for run in runs:
        end = _end_of_leading(run, sent) if history.is_complete else _end_of_last(run, sent)
        if end:
            return messages[end:]
    return messages


def _as_sent_before(entry: Entry) -> Entry:
    """Return a deleted message as one whose content is not known any more."""
    if not entry.is_deleted:
        return entry
    return entry._replace(is_deleted=False, sent={**entry.sent, "content": _ANYTHING})


def _end_of_leading(said: _Said, sent: _Said) -> int:
    """Return how many messages repeat all that was said; 0 where they do not, or nothing is new."""
    asked = next((place for place, (role, _) in enumerate(said) if role != "assistant"), 0)
    for run in (said, said[asked:]):  # a client that began the conversation itself need not know the greeting
        if _has_reply(run) and len(run) < len(sent) and sent[: len(run)] == run:
            return len(run)
    return 0


def _end_of_last(said: _Said, sent: _Said) -> int:
    """Return where the last repetition of what was said last ends; 0 where there is none, or nothing is new."""
    for end in range(len(sent) - 1, len(said) - 1, -1) if _has_reply(said) else ():
        if sent[end - 1] == said[-1] and sent[end - len(said) : end] == said:
            return end
    return 0


def _has_reply(said: _Said) -> bool:
    return any(role == "assistant" for role, _ in said)


def check_tool_results(messages: Sequence[NewMessage], *, after: Sequence[Entry]) -> None:
    """Refuse results of tools that answer no call, and calls that are answered in part: no provider takes those.

    Raises ``InvalidRequest`` that names the message.
    """
    open_calls = _open_calls(after)
    for number, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                waiting = f"open are {', '.join(sorted(open_calls))}" if open_calls else "no call is open"
                text = f"tool_call_id {message.tool_call_id!r} names no call of the reply before it; {waiting}"
                raise InvalidRequest(text, param=f"messages.{number}.tool_call_id")
            open_calls.discard(message.tool_call_id)
            continue
        if open_calls and number and messages[number - 1].role == "tool":
            raise _unanswered(open_calls, number)
        open_calls = {str(call.get("id")) for call in message.tool_calls or ()}
    if open_calls and messages[-1].role == "tool":
        raise _unanswered(open_calls, len(messages))


def _unanswered(open_calls: Collection[str], number: int) -> InvalidRequest:
    text = f"the results of {', '.join(sorted(open_calls))} are missing: send the results of all calls of a reply"
    return InvalidRequest(text, param=f"messages.{number}")


def _open_calls(path: Sequence[Entry]) -> set[str]:
    """Find the calls at the end of a branch that have no result yet."""
    answered: set[Any] = set()
    for entry in reversed(path):
        if entry.role != "tool":
            calls = entry.sent.get("tool_calls") or () if entry.role == "assistant" else ()
            return {str(call.get("id")) for call in calls} - answered
        answered.add(entry.sent.get("tool_call_id"))
    return set()


def stored_form(messages: tuple[NewMessage, ...], plan: Plan, live: LiveTurn) -> list[Message]:
    """Return new messages their ids and time; the last carries the idempotency key and what it was used for."""
    now = utc_now()
    copied = plan.after.copied if plan.after is not None else ()
    proof, by_client = proof_of(plan), dict[str, Any](origin="client")
    return [
        Message(
            **message.model_dump(exclude_unset=True, exclude=_OURS),
            **(by_client if message.role == "assistant" else {}),
            id=live.user_message_id if message is messages[-1] else new_id(),
            turn_id=live.turn_id,
            **{"timestamp": now, **kept},
            **(proof if message is messages[-1] else {}),
        )
        for message, kept in zip(messages, chain(copied, repeat({})), strict=False)
    ]
