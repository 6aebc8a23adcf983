"""What clients were told, kept apart from the server, to be held against what the server has after a crash."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

__all__ = ["Document", "Ledger", "Sent", "active_branch"]

type Document = Mapping[str, Any]

UNFINISHED = frozenset({"interrupted", "incomplete", "cancelled", "error"})
LOST_TEXT_S = 1.0
"""How much of a running reply a crash may cost, in seconds."""


@dataclass(eq=False, slots=True, kw_only=True)
class Sent:
    """A message, or a wish for another reply, and what its sender was told; the reply to come is ``text`` again."""

    way: str
    text: str
    conversation_id: str | None = None
    key: str = field(default_factory=lambda: uuid4().hex)
    model: str = "mock/echo"
    instead_of: str | None = None
    is_new: bool = True
    """Whether it has a message of its own; a regeneration has none."""

    turn_id: str | None = None
    user_message_id: str | None = None
    heard: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """What was said by each of its turns, and when: a message that is sent again after a crash has another turn."""

    message_id: str | None = None
    failure: str | None = None
    status: int | None = None
    failures: int = 0
    lost_at: dict[str, float] = field(default_factory=dict)
    """When a server was killed while a turn ran, a time of ``time.monotonic``; 0 when that is not known."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    spoken: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, told: Mapping[str, Any]) -> None:
        """Take note that its message is kept."""
        ids = (told["conversation_id"], told["turn_id"], told["user_message_id"])
        known = (self.conversation_id, self.user_message_id)
        assert known[0] in (None, ids[0]), f"{self.text} went to another conversation"
        assert known[1] in (None, ids[2]), f"{self.text} became another message: {ids[2]}, and was {known[1]}"
        self.conversation_id, self.turn_id, self.user_message_id = ids
        self.heard[ids[1]] = []
        self.begun.set()

    def hear(self, piece: str) -> None:
        """Take note of a piece of the reply."""
        assert self.turn_id, f"a piece of the reply to {self.text!r} comes before its turn is told"
        self.heard[self.turn_id].append((time.monotonic(), piece))
        self.spoken.set()

    def end_of_pieces(self, message_id: str) -> None:
        """Take note that the reply is kept, whose text is all that was heard of it."""
        assert self.turn_id
        self.end(message_id, "".join(piece for _, piece in self.heard[self.turn_id]))

    def end(self, message_id: str, text: str) -> None:
        """Take note that the reply is kept."""
        assert text == self.text, f"the reply to {self.text!r} is {text!r}"
        self.message_id, self.failure = message_id, None

    def fail(self, code: str, status: int | None = None) -> None:
        """Take note that it was told of an error."""
        self.failure, self.status = code, status
        self.failures += 1

    def lose(self, killed_at: float) -> None:
        """Take note that a server was killed, which may have run its turn."""
        if self.turn_id:
            self.lost_at.setdefault(self.turn_id, killed_at)

    def heard_in_time(self, turn_id: str) -> str:
        """Join what a turn said so long before a server was killed that it must have been kept."""
        kept_until = self.lost_at.get(turn_id, 0.0) - LOST_TEXT_S
        return "".join(piece for at, piece in self.heard.get(turn_id, ()) if at < kept_until)


@dataclass(eq=False, slots=True)
class Ledger:
    """All that was sent by some clients, and what else they were told; ``deleted`` says whether it was acknowledged."""

    sent: list[Sent] = field(default_factory=list)
    deleted: dict[str, bool] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)
    forks: dict[str, list[str]] = field(default_factory=dict)
    countdown: int = 0
    """How many more words of the server to wait for before ``when_over`` is called."""
    when_over: Callable[[], None] | None = None

    def lose(self, killed_at: float = 0.0) -> None:
        """Take note that the server was killed; give the time of ``time.monotonic`` where it is known."""
        for one in self.unfinished:
            one.lose(killed_at)

    def tell(self) -> None:
        """Take note that the server has said something."""
        self.countdown -= 1
        if self.countdown == 0 and self.when_over is not None:
            self.when_over()

    @property
    def conversations(self) -> list[str]:
        """List those that were acknowledged and not deleted."""
        kept = {one.conversation_id for one in self.sent if one.user_message_id and one.conversation_id}
        return sorted((kept | self.forks.keys()) - self.deleted.keys())

    @property
    def unsure(self) -> list[Sent]:
        """List what was sent without any answer, where it may have arrived."""
        return [one for one in self.sent if not one.user_message_id and one.conversation_id not in self.deleted]

    @property
    def unfinished(self) -> list[Sent]:
        """List what was acknowledged and has no reply."""
        return [
            one
            for one in self.sent
            if one.user_message_id and not one.message_id and one.conversation_id not in self.deleted
        ]

    def in_conversation(self, conversation_id: str) -> list[Sent]:
        """List what was sent to one conversation."""
        return [one for one in self.sent if one.conversation_id == conversation_id]

    def differences(self, document: Document, *, without_failed: bool = False) -> list[str]:
        """Compare a conversation with what was told of it.

        ``without_failed`` leaves out turns whose sender was told of an error, while what caused it lasts.
        """
        mine = self.in_conversation(document["id"])
        found = [*_doubled(document), *_misplaced(document, mine), *_answered_wrongly(document, mine)]
        mine = [one for one in mine if not (without_failed and one.failure)]
        found += [*_missing(document, mine), *_text_lost(document, mine)]
        head = self.heads.get(document["id"])
        if head is not None and head not in {message["id"] for message in active_branch(document)}:
            found.append(f"the branch that was chosen is not the active one: {head}")
        texts = self.forks.get(document["id"])
        if texts is not None and [message["content"] for message in document["messages"]][: len(texts)] != texts:
            found.append("the fork is not what it was")
        return [f"conversation {document['id']}: {difference}" for difference in found]


def active_branch(document: Document) -> list[dict[str, Any]]:
    """Follow a conversation from its head to its root; oldest first."""
    messages = document["messages"]
    places = {message["id"]: place for place, message in enumerate(messages)}
    place = places[document["head"]] if document.get("head") else len(messages) - 1
    branch = []
    while place >= 0:
        message = messages[place]
        branch.append(message)
        place = places.get(message["parent_id"], -1) if "parent_id" in message else place - 1
    return branch[::-1]


def parents(document: Document) -> dict[str, Any]:
    """Return which message each one follows."""
    messages: Sequence[Mapping[str, Any]] = document["messages"]
    before = [None, *(message["id"] for message in messages)]
    return {message["id"]: message.get("parent_id", before[place]) for place, message in enumerate(messages)}


def _doubled(document: Document) -> Iterator[str]:
    messages = document["messages"]
    ids = Counter(message["id"] for message in messages)
    texts = Counter(message["content"] for message in messages if message["role"] == "user")
    yield from (f"message {message_id} is there {count} times" for message_id, count in ids.items() if count > 1)
    yield from (f"{text!r} is there {count} times" for text, count in texts.items() if count > 1)


def _missing(document: Document, mine: Sequence[Sent]) -> Iterator[str]:
    messages = {message["id"]: message for message in document["messages"]}
    for one in mine:
        if one.user_message_id and one.user_message_id not in messages:
            yield f"the message {one.text!r} is gone"
        elif one.user_message_id and messages[one.user_message_id]["content"] != one.text:
            yield f"the message {one.text!r} has become {messages[one.user_message_id]['content']!r}"
        if one.message_id and one.message_id not in messages:
            yield f"the reply to {one.text!r} is gone"
        elif one.message_id and (messages[one.message_id]["content"], messages[one.message_id]["finish_reason"]) != (
            one.text,
            "stop",
        ):
            yield f"the reply to {one.text!r} is {messages[one.message_id]}"


def _misplaced(document: Document, mine: Sequence[Sent]) -> Iterator[str]:
    branch = active_branch(document)
    roles = [message["role"] for message in branch]
    if roles != (["user", "assistant"] * len(roles))[: len(roles)]:
        yield f"the roles do not alternate: {roles}"
    if not any(one.instead_of for one in mine) and "forked_from" not in document:
        on_branch = {message["id"] for message in branch}
        lost = (m for m in document["messages"] if m["role"] == "user" and m["id"] not in on_branch)
        yield from (f"the message {message['content']!r} is not on the active branch" for message in lost)


def _answered_wrongly(document: Document, mine: Sequence[Sent]) -> Iterator[str]:
    messages = {message["id"]: message for message in document["messages"]}
    follows = parents(document)
    replies = [message for message in document["messages"] if message["role"] == "assistant"]
    answered = Counter(follows[message["id"]] for message in replies if message["finish_reason"] not in UNFINISHED)
    most: Counter[str | None] = Counter()
    for one in mine:
        # Who was told that a reply could not be stored may find that it was, and have another.
        most[one.user_message_id] += 1 + one.failures
    # A wish for another reply has no key: one that was lost may have been met, and its sender cannot know.
    lost = Counter(one.text for one in mine if not one.is_new and one.user_message_id is None)
    for message_id, count in answered.items():
        if message_id in most and count > most[message_id] + lost[messages[message_id]["content"]]:
            yield f"{messages[message_id]['content']!r} has {count} replies"
    for message in replies:
        asked = messages[follows[message["id"]]]["content"]
        if message["finish_reason"] == "interrupted" and not asked.startswith(message["content"]):
            yield f"the partial reply to {asked!r} is {message['content']!r}"


def _text_lost(document: Document, mine: Sequence[Sent]) -> Iterator[str]:
    replies = {message.get("turn_id"): message for message in document["messages"] if message["role"] == "assistant"}
    for one in mine:
        for turn_id in () if one.message_id else one.heard:
            kept, heard = replies.get(turn_id, {"content": ""})["content"], one.heard_in_time(turn_id)
            if not kept.startswith(heard):
                yield f"of turn {turn_id}, a reply to {one.text!r}, {heard!r} was heard in time and {kept!r} is kept"
