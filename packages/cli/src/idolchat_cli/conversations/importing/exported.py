"""A conversation as another program exported it, on its way to one of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from pydantic import ValidationError

from idolchat_cli.conversations.importing.branching import Arranged, Entry, arrange
from idolchat_cli.conversations.importing.candidate import EMPTY, Candidate, Finding, Skipped, derived_id
from idolchat_core.models import Conversation, Message

__all__ = ["Attachment", "Exported"]

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something beside a message, of which only the name is in the export."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"[{self.kind}: {self.name}]" if self.name else f"[{self.kind}]"


@dataclass(slots=True)
class Exported:
    """Gathers the messages of a conversation, and what is left out of it; its reader fills in what it knows.

    ``name`` is what the id is made of: whatever tells the conversation from all others of the program.
    ``active`` is the key of the last message of the branch that was shown; ``about`` goes into ``imported_from``.
    """

    program: str
    name: str
    source: str
    title: Any = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    active: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    _entries: dict[str, Entry] = field(default_factory=dict)
    _skipped: list[Skipped] = field(default_factory=list)
    _noted: set[str] = field(default_factory=set)

    def skip(self, reason: str, place: str = "", *, is_lost: bool = False, detail: str = "") -> None:
        """Record what does not come over."""
        self._skipped.append(Skipped(f"{self.source}{place and ', '}{place}", reason, is_lost, detail))
        self._noted.add(place)

    def add_gap(self, key: str, parent: str | None) -> str:
        """Record a place in the tree whose message does not come over."""
        return self._add(Entry(key, parent))

    def add(
        self,
        key: str,
        parent: str | None,
        role: str,
        text: str,
        *,
        time: datetime | None = None,
        is_hidden: bool = False,
        reasoning: str | None = None,
        attachments: Sequence[Attachment] = (),
        **fields: Any,
    ) -> str:
        """Add a message and return its key, for the next to follow: the one asked for, where no other has it.

        Of attachments the names come over, as words where the message has no others. Fields that are None are left
        out, as is a message with nothing in it.
        """
        for attachment in attachments:
            self.skip(f"attached {attachment.kind}, of which only the name is in the export", key)
        words = text if text.strip() else "\n".join(map(str, attachments))
        if not words:
            if key not in self._noted:
                self.skip("message without text", key)
            return self.add_gap(key, parent)
        names = [{"type": attachment.kind, "name": attachment.name} for attachment in attachments]
        given = {
            "reasoning": reasoning if role == "assistant" else None,
            "attachments": names or None,
            "hidden": is_hidden or None,
            **fields,
        }
        kept = {name: value for name, value in given.items() if value is not None and value != ""}
        return self._add(Entry(key, parent, role, words, time, is_hidden, kept))

    def findings(self) -> Iterator[Finding]:
        """Return what was left out, then the conversation, where there is one."""
        yield from self._skipped
        conversation_id = derived_id(self.program, self.name)
        entries = list(self._entries.values())
        begun_at = self.created_at or next((entry.time for entry in entries if entry.time), _EPOCH)
        arranged, head = arrange(entries, self.active, begun_at)
        if not arranged:
            yield Skipped(self.source, EMPTY, is_lost=False)
            return
        try:
            yield Candidate(self._conversation(conversation_id, arranged, head, begun_at), self.source, is_derived=True)
        except ValidationError as error:
            yield Skipped(self.source, "conversation that cannot be stored", detail=" ".join(str(error).split()))

    def _add(self, entry: Entry) -> str:
        key, number = entry.key, 1
        while key in self._entries:
            number += 1
            key = f"{entry.key} {number}"
        self._entries[key] = entry if key == entry.key else replace(entry, key=key)
        return key

    def _conversation(
        self, conversation_id: UUID, arranged: Sequence[Arranged], head: str | None, begun_at: datetime
    ) -> Conversation:
        active = None if head is None or arranged[-1].entry.key == head else uuid5(conversation_id, head)
        newest = arranged[-1].time
        return Conversation.model_validate(
            {
                "id": conversation_id,
                "created_at": min(begun_at, arranged[0].time),
                "messages": tuple(_messages(conversation_id, arranged)),
                "updated_at": max(self.updated_at or newest, newest),
                **({"title": self.title} if isinstance(self.title, str) and self.title else {}),
                "imported_from": {"program": self.program, **self.about},
                **({"head": active} if active else {}),
            }
        )


def _messages(conversation_id: UUID, arranged: Sequence[Arranged]) -> Iterator[Message]:
    before: str | None = None
    for entry, parent, time in arranged:
        follows = {} if parent == before else {"parent_id": uuid5(conversation_id, parent) if parent else None}
        yield Message.model_validate(
            {
                "id": uuid5(conversation_id, entry.key),
                "role": entry.role,
                "content": entry.text,
                "timestamp": time,
                **entry.fields,
                **follows,
            }
        )
        before = entry.key
