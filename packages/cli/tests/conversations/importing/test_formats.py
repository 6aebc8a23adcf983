"""Exports that are damaged in any way: nothing ends the run, and what can be read is."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts.imports import EXPORTS

from idolchat_cli.conversations.importing.candidate import EMPTY, Candidate
from idolchat_cli.conversations.importing.formats import UNKNOWN, read_object
from idolchat_core.storage import document

NAMES = ["agnai", "cai-tools", "chatgpt-hidden", "chatgpt-without-children", "claude", "librechat", "openwebui", "risu"]
JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 1e308, float("nan"), "", "x", "\ufffd", [], [None], {}, {"a": 1}, [[]]]
)


def export_of(name: str) -> Any:
    """Read an export, one conversation of it."""
    value = json.loads((EXPORTS / f"{name}.json").read_text(encoding="utf-8"))
    return value[0] if isinstance(value, list) else value


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Walk over everything in a value: what holds it, and where."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places_in(value[key])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_export_with_anything_in_any_place_is_read_or_told(name: str, data: st.DataObject) -> None:
    value = copy.deepcopy(export_of(name))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(list(places_in(value)) or [(value, "x")]))
        if data.draw(st.booleans()) and isinstance(holder, dict):
            holder.pop(key, None)
        else:
            holder[key] = copy.deepcopy(data.draw(JUNK))
    found = list(read_object(value, "export.json", "export"))

    assert found
    for one in found:
        if isinstance(one, Candidate):
            text = document.encode(one.conversation)
            assert document.encode(document.decode(text, one.conversation.id)) == text


@pytest.mark.parametrize("value", [{}, {"messages": [{"text": "hi"}]}, {"messages": [5]}, {"a": 1}, 5, None, "x"])
def test_what_is_in_no_form_is_told_in_plain_words(value: Any) -> None:
    (found,) = read_object(value, "export.json", "export")

    assert not isinstance(found, Candidate)
    assert found.reason == UNKNOWN


@pytest.mark.parametrize(
    "value",
    [
        {"conversationId": "c", "recursive": True, "messages": []},
        {"name": "Exported", "greeting": "", "sampleChat": "", "scenario": "", "messages": []},
        {"uuid": "c", "chat_messages": []},
        {"id": "c", "mapping": {}},
        {"id": "c", "chat": {"history": {"messages": {}, "currentId": None}, "messages": []}},
        {"type": "risuChat", "ver": 2, "data": {"message": []}},
        {"histories": {"histories": []}},
    ],
)
def test_an_empty_conversation_is_neither_stored_nor_a_loss(value: Any) -> None:
    (found,) = read_object(value, "export.json", "export")

    assert not isinstance(found, Candidate)
    assert (found.reason, found.is_lost) == (EMPTY, False)


@pytest.mark.parametrize("date", ["Juin 19, 2023", "", {}, 1e300, float("nan"), "0000-00-00"])
def test_a_document_keeps_its_messages_whatever_its_dates_are(date: Any) -> None:
    messages = [{"role": "user", "content": "hi", "timestamp": "2024-05-01T10:00:00"}]
    value = {"created_at": date, "messages": [*messages, {"role": "assistant", "content": "yo", "timestamp": date}]}
    (found,) = read_object(value, "export.json", "export")

    assert isinstance(found, Candidate)
    assert [message.content for message in found.conversation.messages] == ["hi", "yo"]
    assert found.conversation.created_at.isoformat() == "2024-05-01T10:00:00+00:00"


def test_a_document_keeps_parts_that_no_client_could_send_today() -> None:
    content = [{"type": "text", "text": "Hi"}, {"type": "hologram", "mine": 1}, {"text": "of an older version"}, {}]
    (found,) = read_object({"messages": [{"role": "user", "content": content}]}, "export.json", "export")

    assert isinstance(found, Candidate)
    assert found.conversation.messages[0].content == content
