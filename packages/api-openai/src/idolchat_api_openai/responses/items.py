"""Items of the responses API as messages, and messages as items."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from idolchat_api_openai.requests.errors import BadRequest
from idolchat_core import Message

__all__ = ["Resolve", "items_of", "messages_of", "output_of"]

type Resolve = Callable[[str], Awaitable[Message | None]]
"""Finds the reply that an item of ours belongs to."""

_TEXTS = frozenset({"input_text", "output_text", "text", "summary_text"})


async def messages_of(given: str | Sequence[Any], instructions: str | None, resolve: Resolve) -> list[dict[str, Any]]:
    """Return the input of a request as messages. Raises ``BadRequest`` that names an item which is none."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    referred: set[str] = set()
    for position, item in enumerate(given):
        message = await _message(item, f"input.{position}", resolve, referred)
        if message is not None:
            _add(messages, message)
    return messages


def _add(messages: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """Put the calls of one reply together, with its text: they are one message."""
    last = messages[-1] if messages else None
    if last is not None and message.get("tool_calls") and not message.get("content") and last["role"] == "assistant":
        last["tool_calls"] = [*last.get("tool_calls", ()), *message["tool_calls"]]
    else:
        messages.append(message)


async def _message(item: Any, place: str, resolve: Resolve, referred: set[str]) -> dict[str, Any] | None:
    if not isinstance(item, dict):
        raise BadRequest(f"{place}: must be an object", param=place)
    match item.get("type", "message"):
        case "message":
            return {"role": item.get("role"), "content": _content(item.get("content"), str(item.get("role")), place)}
        case "function_call":
            return {"role": "assistant", "content": None, "tool_calls": [_call(item)]}
        case "function_call_output":
            output = _content(item.get("output"), "tool", place)
            return {"role": "tool", "tool_call_id": item.get("call_id"), "content": _as_text(output)}
        case "reasoning":
            return None  # a model's own, which nobody is sent again
        case "item_reference":
            return await _referred(str(item.get("id")), place, resolve, referred)
    raise BadRequest(f"{place}.type: items of the type {item.get('type')!r} are not known here", param=f"{place}.type")


async def _referred(item_id: str, place: str, resolve: Resolve, referred: set[str]) -> dict[str, Any] | None:
    """Return the reply that an item is part of, once for all of its items."""
    turn = item_id.partition("_")[2].partition("_")[0]
    if turn in referred:
        return None
    reply = await resolve(item_id)
    if reply is None:
        raise BadRequest(f"{place}.id: there is no item {item_id!r}; send it whole", param=f"{place}.id")
    referred.add(turn)
    message: dict[str, Any] = {"role": "assistant", "content": reply.content}
    return message | ({"tool_calls": reply.tool_calls} if reply.tool_calls else {})


def _call(item: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": item.get("name"), "arguments": item.get("arguments", "")}
    return {"id": item.get("call_id"), "type": "function", "function": function}


def _content(content: Any, role: str, place: str) -> Any:
    """Return content as a message has it: text where there is nothing but text."""
    if not isinstance(content, list):
        return content
    parts = [_part(part, f"{place}.content.{number}") for number, part in enumerate(content)]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    if len(texts) == len(parts) and (role == "assistant" or len(parts) == 1):
        return "".join(texts)
    return parts


def _part(part: Any, place: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        return {"type": "text", "text": part["refusal"]}
    if kind == "input_image" and isinstance(part.get("image_url"), str):
        detail = {"detail": part["detail"]} if part.get("detail") else {}
        return {"type": "image_url", "image_url": {"url": part["image_url"], **detail}}
    if kind == "input_file" and isinstance(part.get("file_data"), str):
        name = {"filename": part["filename"]} if part.get("filename") else {}
        return {"type": "file", "file": {"file_data": part["file_data"], **name}}
    raise BadRequest(f"{place}: content of the type {kind!r} is not known here, or has no text or link", param=place)


def _as_text(output: Any) -> Any:
    if isinstance(output, list):
        return "".join(part["text"] for part in output if part["type"] == "text")
    return output


def output_of(reply_id: str, content: Any, tool_calls: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Return a reply as items; ``reply_id`` is what the ids of all of them hold."""
    items: list[dict[str, Any]] = []
    if isinstance(content, str) and content:
        items.append(text_item(reply_id, content))
    for number, call in enumerate(tool_calls or ()):
        function = call.get("function", {})
        items.append(call_item(reply_id, number, call.get("id"), function.get("name"), function.get("arguments", "")))
    return items


def text_item(reply_id: str, text: str, *, status: str = "completed") -> dict[str, Any]:
    """Return a text as an item."""
    return {
        "id": f"msg_{reply_id}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [text_part(text)],
    }


def text_part(text: str) -> dict[str, Any]:
    """Return a text as a part of an item."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(
    reply_id: str, number: int, call_id: Any, name: Any, arguments: str, *, status: str = "completed"
) -> dict[str, Any]:
    """Return the call of a function as an item."""
    return {
        "id": f"fc_{reply_id}_{number}",
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def items_of(message: Message) -> list[dict[str, Any]]:
    """Return a stored message as items of a conversation."""
    name = str(message.id)
    if message.role == "tool":
        output = {"id": f"fco_{name}", "type": "function_call_output", "status": "completed"}
        return [output | {"call_id": message.tool_call_id, "output": message.content}]
    if message.role == "assistant":
        reply_id = message.turn_id.hex if message.turn_id else name
        return output_of(reply_id, message.content, message.tool_calls)
    content = (
        message.content if isinstance(message.content, list) else [{"type": "text", "text": message.content or ""}]
    )
    parts = [_input_part(part) for part in content]
    return [{"id": f"msg_{name}", "type": "message", "status": "completed", "role": message.role, "content": parts}]


def _input_part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") == "image_url":
        image = part.get("image_url") or {}
        return {"type": "input_image", "image_url": image.get("url"), "detail": image.get("detail", "auto")}
    return {"type": "input_text", "text": str(part.get("text", ""))}
