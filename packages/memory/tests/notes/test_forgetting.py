"""What rests on a message goes with it, over a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from idolchat_core import Storage
from idolchat_memory.notes import NoteSource, notes_of

if TYPE_CHECKING:
    from conftest import Talk

MIA = "5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e"


async def note_on(talk: Talk, text: str, *answers: dict[str, Any]) -> dict[str, Any]:
    sources = [
        {"conversation_id": answer["conversation_id"], "message_id": answer["user_message_id"]} for answer in answers
    ]
    reply = await talk.client.post("/memory", json={"text": text, "user_id": MIA, "sources": sources})
    assert reply.status_code == 201, reply.text
    note: dict[str, Any] = reply.json()
    return note


async def left(talk: Talk) -> list[str]:
    page = (await talk.client.get("/memory", params={"user_id": MIA, "superseded": True})).json()
    return [note["text"] for note in page["data"]]


async def test_a_note_goes_with_the_last_message_that_it_rests_on(talk: Talk) -> None:
    one, two = await talk.say("My dog is Biscuit"), await talk.say("Biscuit is three")
    await note_on(talk, "has a dog", one)
    await note_on(talk, "dog is called Biscuit", one, two)
    await note_on(talk, "by hand")
    where = f"/conversation/{one['conversation_id']}/messages/{one['user_message_id']}"
    assert (await talk.client.delete(where)).status_code == 204
    assert await left(talk) == ["by hand", "dog is called Biscuit"]

    await talk.client.delete(f"/conversation/{two['conversation_id']}")
    assert await left(talk) == ["by hand"]


async def test_more_being_said_takes_no_note_away(talk: Talk, storage: Storage) -> None:
    one = await talk.say("My dog is Biscuit")
    await note_on(talk, "has a dog", one)
    await talk.say("And he barks", conversation_id=one["conversation_id"])
    await talk.indexed("barks")

    assert await left(talk) == ["has a dog"]
    [scope] = await notes_of(storage).resting_on(UUID(one["conversation_id"]))
    assert scope.user_id == MIA


@pytest.mark.parametrize("message_id", ["", "x" * 201])
def test_a_source_names_a_message(message_id: str) -> None:
    with pytest.raises(ValueError, match="message_id"):
        NoteSource(conversation_id=UUID(int=0), message_id=message_id)


async def test_a_conversation_that_was_deleted_before_it_was_indexed_takes_its_notes_along(talk: Talk) -> None:
    one = await talk.say("My dog is Biscuit")
    await note_on(talk, "has a dog", one)
    await talk.client.delete(f"/conversation/{one['conversation_id']}")

    assert await left(talk) == []
