"""Whatever a document holds, every form brings it back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_cli.conversations.exporting.forms import Form, manifest
from idolchat_cli.conversations.exporting.writers import open_writer
from idolchat_cli.conversations.importing.candidate import Candidate, derived_id
from idolchat_cli.conversations.importing.files import find_in
from idolchat_cli.conversations.importing.streamed import Unreadable, elements
from idolchat_core import Conversation
from idolchat_core.storage import document

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=6,
)
TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
MESSAGES = st.fixed_dictionaries(
    {
        "id": st.uuids() | TEXT.filter(bool),
        "role": st.sampled_from(["user", "assistant", "tool"]),
        "timestamp": TIMES,
        "content": TEXT,
    },
    optional={"parent_id": st.none() | st.uuids(), "usage": st.just({"input_tokens": 3}), "mood": JSON},
)
CONVERSATIONS = st.fixed_dictionaries(
    {"id": st.uuids(), "created_at": TIMES, "updated_at": TIMES, "messages": st.lists(MESSAGES, max_size=4)},
    optional={"user_id": st.uuids() | TEXT, "character_id": st.none(), "head": st.uuids(), "locale": JSON},
)


@pytest.mark.parametrize("form", [Form.JSON, Form.JSONL, Form.TAR, Form.TAR_GZ, Form.ZIP])
@settings(max_examples=60, deadline=None)
@given(given_fields=CONVERSATIONS)
def test_a_document_comes_back_as_it_was(form: Form, given_fields: dict[str, Any]) -> None:
    conversation = Conversation.model_validate(given_fields)
    data = document.encode(conversation)
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{conversation.id}.{form}")
        with path.open("wb") as stream, open_writer(form, stream, about=manifest()) as write:
            write(conversation.id, data)
        (found,) = find_in(path)

    assert isinstance(found, Candidate)
    assert document.encode(found.conversation) == data


@given(st.lists(JSON, max_size=8), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_elements_of_a_list_are_read_one_by_one(values: list[Any], indent: int) -> None:
    text = json.dumps(values, indent=indent or None)

    assert [value for _, value in elements(StringIO(text))] == values


@pytest.mark.parametrize(("text", "read"), [("[1, 2", 1), ("[1 ", 1), ("[1, x]", 1), ('["a", {"b": ', 1), ("[", 0)])
def test_a_list_that_is_cut_gives_what_is_whole(text: str, read: int) -> None:
    found = elements(StringIO(text))
    assert len([next(found) for _ in range(read)]) == read

    with pytest.raises(Unreadable, match=f"after {read} elements"):
        next(found)


def test_ids_that_are_made_never_change() -> None:
    assert derived_id("chatgpt", "6655-abc") == UUID("7bcb209a-219c-5b8e-9bb5-c899a592e1be")
