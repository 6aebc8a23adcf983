"""Conversations of ChatGPT, as its data export has them in ``conversations.json``.

Each is a tree of nodes: {"mapping": {node: {"id", "message", "parent", "children"}}, "current_node": node, ...}.
Nodes without a message, and those that the model alone sees, stand between others and are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from pydantic import ValidationError

from idolchat_cli.conversations.importing.branching import Placed, in_order
from idolchat_cli.conversations.importing.candidate import Candidate, Finding, NotTaken, derived_id
from idolchat_core.models import Conversation, Message, StoredId

__all__ = ["is_chatgpt", "read_chatgpt"]

_ENDINGS = {"stop": "stop", "max_tokens": "length", "interrupted": "cancelled"}


def is_chatgpt(value: Mapping[str, Any]) -> bool:
    """Tell whether an object is such a conversation."""
    return isinstance(value.get("mapping"), dict)


def read_chatgpt(value: Mapping[str, Any], source: str) -> Iterator[Finding]:
    """Read one conversation; what is left out of it is told first."""
    name = value.get("conversation_id") or value.get("id")
    if not isinstance(name, str):
        yield NotTaken(source, "it has no id")
        return
    reading = _Reading(value, name, source)
    try:
        messages = in_order(reading.placed())
        found = reading.conversation(messages)
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        yield NotTaken(source, f"it is not as ChatGPT writes it: {type(error).__name__} {' '.join(str(error).split())}")
        return
    yield from reading.left_out
    yield Candidate(found, source) if messages else NotTaken(source, "nothing in it can be taken")


class _Reading:
    def __init__(self, value: Mapping[str, Any], name: str, source: str) -> None:
        self._value = value
        self._nodes: Mapping[str, Any] = value["mapping"]
        self._name = name
        self._source = source
        self._id = derived_id("chatgpt", name)
        self._begun_at = _time(value.get("create_time")) or datetime.fromtimestamp(0, UTC)
        self.left_out: list[NotTaken] = []

    def conversation(self, messages: Sequence[Message]) -> Conversation:
        times = [message.timestamp for message in messages]
        about = {"title": self._value["title"]} if isinstance(self._value.get("title"), str) else {}
        return Conversation.model_validate(
            {
                "id": self._id,
                "created_at": self._begun_at,
                "messages": tuple(messages),
                "updated_at": _time(self._value.get("update_time")) or max(times, default=self._begun_at),
                **about,
                "imported_from": {"program": "chatgpt", "id": self._name},
            }
        )

    def placed(self) -> Iterator[Placed]:
        """Walk down the tree; the branch that was shown last comes last, so that it is the active one."""
        active = set(self._path_to(self._value.get("current_node")))
        roots = [node for node, about in self._nodes.items() if about.get("parent") not in self._nodes]
        waiting: list[tuple[str, StoredId | None]] = [(node, None) for node in _last(roots, active)]
        seen = set[str]()
        while waiting:
            node, parent = waiting.pop()
            if node in seen or node not in self._nodes:
                continue
            seen.add(node)
            message = self._message(node)
            if message is not None:
                yield Placed(message, parent)
                parent = message.id
            waiting += [(child, parent) for child in _last(self._nodes[node].get("children") or (), active)]

    def _path_to(self, node: Any) -> Iterator[str]:
        seen = set[str]()
        while isinstance(node, str) and node in self._nodes and node not in seen:
            seen.add(node)
            yield node
            node = self._nodes[node].get("parent")

    def _message(self, node: str) -> Message | None:
        said = self._nodes[node].get("message")
        if not said:
            return None
        role = said["author"]["role"]
        content = self._content(node, said.get("content") or {})
        if content is None:
            return None
        if role not in ("user", "assistant") or said.get("recipient", "all") != "all":
            self._leave_out(node, f"what {role} says to {said.get('recipient', 'all')}")
            return None
        about = said.get("metadata") or {}
        more = {
            "model": about.get("model_slug") if role == "assistant" else None,
            "finish_reason": _ENDINGS.get((about.get("finish_details") or {}).get("type", "")),
        }
        return Message.model_validate(
            {
                "id": uuid5(self._id, node),
                "role": role,
                "content": content,
                "timestamp": _time(said.get("create_time")) or self._begun_at,
                **{field: value for field, value in more.items() if value},
            }
        )

    def _content(self, node: str, content: Mapping[str, Any]) -> str | list[dict[str, Any]] | None:
        kind = content.get("content_type")
        if kind not in ("text", "multimodal_text"):
            self._leave_out(node, f"content of the kind {kind}")
            return None
        texts = []
        for part in content.get("parts") or ():
            text = part if isinstance(part, str) else part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str):
                texts.append(text)
            else:
                what = part.get("content_type") if isinstance(part, dict) else type(part).__name__
                self._leave_out(node, f"a part of the kind {what}")
        return "\n".join(texts) if any(texts) else None

    def _leave_out(self, node: str, what: str) -> None:
        self.left_out.append(NotTaken(f"{self._source}, message {node}", f"left out: {what}"))


def _last(nodes: Iterable[str], active: Collection[str]) -> list[str]:
    """Order nodes so that one of the active branch is taken last from the end of the list."""
    return sorted(nodes, key=lambda node: node in active)[::-1]


def _time(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) and seconds else None
