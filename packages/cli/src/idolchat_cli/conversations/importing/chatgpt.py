"""Conversations of ChatGPT, as its data export has them in ``conversations.json``.

Each is a tree of nodes: {"mapping": {node: {"id", "message", "parent", "children"}}, "current_node": node, ...}.
Nodes without a message, and those that the model alone sees, stand between others and are left out. Some exports name
only the parents of nodes, some only the children.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idolchat_cli.conversations.importing.candidate import Findings
from idolchat_cli.conversations.importing.exported import Exported
from idolchat_cli.conversations.importing.parts import (
    Content,
    attachment,
    key_in,
    list_in,
    mapping_in,
    mappings_in,
    read_content,
    string_in,
)
from idolchat_cli.conversations.importing.times import read_time

__all__ = ["is_chatgpt", "read_chatgpt"]

_ENDINGS = {"stop": "stop", "max_tokens": "length", "interrupted": "cancelled"}
_INSTRUCTIONS = ("user_editable_context", "model_editable_context")


def is_chatgpt(value: Mapping[str, Any]) -> bool:
    """Return whether an object is such a conversation."""
    return isinstance(value.get("mapping"), dict)


def read_chatgpt(value: Mapping[str, Any], source: str, name: str) -> Findings:
    """Read one conversation."""
    given = value.get("conversation_id") or value.get("id")
    result = Exported(
        "chatgpt",
        str(given or [name, value.get("title"), value.get("create_time")]),
        source,
        title=value.get("title"),
        created_at=read_time(value.get("create_time")),
        updated_at=read_time(value.get("update_time")),
        active=key_in(value, "current_node"),
        about={"id": given} if isinstance(given, str) else {},
    )
    nodes = {key: node for key, node in value["mapping"].items() if isinstance(node, Mapping)}
    reading = _Reading(result, nodes)
    for node in nodes:
        reading.add(node)
    yield from result.findings()


class _Reading:
    def __init__(self, result: Exported, nodes: Mapping[str, Mapping[str, Any]]) -> None:
        self._result = result
        self._nodes = nodes
        self._parents = dict(_parents(nodes))
        self._thoughts: dict[str, str] = {}
        for key, node in nodes.items():
            content = mapping_in(mapping_in(node, "message"), "content")
            if content.get("content_type") == "thoughts":
                self._thoughts[key] = read_content([content]).reasoning or ""

    def add(self, key: str) -> None:
        message, parent = mapping_in(self._nodes[key], "message"), self._parents.get(key)
        role = mapping_in(message, "author").get("role")
        reason = self._reason_to_leave_out(key, message, role) if message else ""
        if not message or reason is not None:
            if reason:
                self._result.skip(reason, key)
            self._result.add_gap(key, parent)
            return
        content = _content(message)
        for other in content.others:
            self._result.skip(other, key, is_lost=role == "user")
        about = mapping_in(message, "metadata")
        self._result.add(
            key,
            parent,
            str(role),
            content.text(),
            time=read_time(message.get("create_time")),
            reasoning="\n\n".join(filter(None, self._thoughts_before(parent))) or None,
            attachments=content.attachments,
            model=string_in(about, "model_slug") if role == "assistant" else None,
            finish_reason=_ENDINGS.get(str(mapping_in(about, "finish_details").get("type"))),
        )

    def _reason_to_leave_out(self, key: str, message: Mapping[str, Any], role: Any) -> str | None:
        """Describe why a node is left out, None where it is not; "" for what nobody misses."""
        about = mapping_in(message, "metadata")
        content = mapping_in(message, "content")
        kind = content.get("content_type")
        if key in self._thoughts or kind == "reasoning_recap":
            return ""
        if about.get("is_visually_hidden_from_conversation") or about.get("is_user_system_message"):
            return "message that ChatGPT hides, such as custom instructions" if _said(message) else ""
        if kind in _INSTRUCTIONS:
            return "message that ChatGPT hides, such as custom instructions"
        if role not in ("user", "assistant"):
            return f"message of {role}" if _said(message) else ""
        if message.get("recipient") not in (None, "all"):
            return "tool call or its result"
        return None

    def _thoughts_before(self, key: str | None) -> list[str]:
        """Gather what the model thought, in the nodes between a reply and the message that it answers."""
        found: list[str] = []
        seen: set[str] = set()
        while key is not None and key not in seen and key in self._nodes:
            seen.add(key)
            if key in self._thoughts:
                found.insert(0, self._thoughts[key])
            elif mapping_in(mapping_in(self._nodes[key], "message"), "author").get("role") == "user":
                break
            key = self._parents.get(key)
        return found


def _content(message: Mapping[str, Any]) -> Content:
    content = mapping_in(message, "content")
    kind = content.get("content_type", "text")
    if kind not in ("text", "multimodal_text"):
        return Content(others=[f"content of the kind {kind}"])
    result = read_content(content.get("parts") or content.get("text") or [])
    named = [attachment(one) for one in mappings_in(mapping_in(message, "metadata"), "attachments")]
    images = sum(one.kind == "image" for one in result.attachments)
    named_images = [one for one in named if one.kind == "image"]
    if images and len(named_images) == images:  # the same ones, by their names
        result.attachments = [one for one in result.attachments if one.kind != "image"]
    result.attachments += named
    return result


def _said(message: Mapping[str, Any]) -> bool:
    content = mapping_in(message, "content")
    return bool(content) and (content.get("content_type") != "text" or any(list_in(content, "parts")))


def _parents(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for key, node in nodes.items():
        for child in list_in(node, "children"):
            if isinstance(child, str):
                yield child, key
    for key, node in nodes.items():
        if isinstance(node.get("parent"), str) and node["parent"] in nodes:
            yield key, node["parent"]
