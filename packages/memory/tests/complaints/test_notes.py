"""What users of other systems complained of, each as a rule: those on notes, facts and summaries.

The numbers are those of the table in docs/memory.md; those on recall are in ``test_recall.py``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from idolchat_core import CompletionRequest, Conversation, Message, Storage, new_id
from idolchat_core.testing import until, until_so
from idolchat_memory.notes import notes_of
from idolchat_memory.user_data import open_user_data

if TYPE_CHECKING:
    from conftest import OpenTalk, Talk

MIA, BEN = "5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e", "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"
YUI, RIN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
AT_EVERY_TURN = {"FACTS": "true", "FACTS_EVERY": "1"}


async def noted(talk: Talk, text: str, **fields: Any) -> dict[str, Any]:
    reply = await talk.client.post("/memory", json={"text": text, "user_id": MIA, **fields})
    assert reply.status_code == 201, reply.text
    note: dict[str, Any] = reply.json()
    return note


async def notes(talk: Talk, user_id: str = MIA, **query: Any) -> list[dict[str, Any]]:
    page = (await talk.client.get("/memory", params={"user_id": user_id, **query})).json()
    found: list[dict[str, Any]] = page["data"]
    return found


def asked_for_facts(talk: Talk) -> list[CompletionRequest]:
    return [one for one in talk.provider.requests if "numbered" in str(one.messages[0]["content"])]


async def looked_through(talk: Talk, count: int) -> None:
    await until_so(f"{count} requests for facts", lambda: len(asked_for_facts(talk)) >= count)


def claim(fact: str, quote: str, **fields: Any) -> str:
    return json.dumps({"facts": [{"message": 1, "quote": quote, "fact": fact, **fields}]})


async def test_1_facts_are_drawn_from_nothing_but_what_the_user_said(opening: OpenTalk) -> None:
    async with opening(**AT_EVERY_TURN) as talk:
        await noted(talk, "zebra note", pinned=True)
        talk.provider.say("zebra reply")
        system = {"role": "system", "content": "zebra rules"}
        body = {"user_id": MIA, "character_id": YUI}
        messages = [system, {"role": "user", "content": "I love tea"}]
        await talk.client.post("/chat", json={"messages": messages, **body})
        await looked_through(talk, 1)
        [asked] = asked_for_facts(talk)

    assert [message["content"] for message in asked.messages[1:]] == ["[1] I love tea"]


async def test_2_a_fact_without_the_users_words_is_dropped_and_what_is_recalled_is_no_source(
    opening: OpenTalk,
) -> None:
    async with opening(**AT_EVERY_TURN) as talk:
        talk.provider.say("Hi!", claim("The user has a sister named Zora.", "my sister Zora"))
        await talk.say("Hello there")
        await looked_through(talk, 1)
        await noted(talk, "Has a sister named Zora", pinned=True)
        talk.provider.say("Yes!", claim("The user has a sister named Zora.", "sister named Zora"))
        await talk.say("Do you remember?")
        await looked_through(talk, 2)
        await talk.say("Well")
        await looked_through(talk, 3)

        assert [note["written_by"] for note in await notes(talk)] == ["app"]


async def test_3_a_question_and_the_characters_own_words_make_no_fact(opening: OpenTalk) -> None:
    async with opening(**AT_EVERY_TURN) as talk:
        talk.provider.say("He likes mushrooms", claim("The user likes mushrooms.", "likes mushrooms"))
        await talk.say("What does Christophe like?")
        await looked_through(talk, 1)
        talk.provider.say("Who knows", claim("The user likes Christophe.", "What does Christophe like"))
        await talk.say("What does Christophe like?")
        await looked_through(talk, 2)
        await talk.say("Well")
        await looked_through(talk, 3)

        assert await notes(talk) == []


async def test_4_erasing_a_user_leaves_the_notes_of_others_byte_for_byte(talk: Talk, storage: Storage) -> None:
    for user in (MIA, BEN):
        reply = await talk.client.post("/memory", json={"text": "the same", "user_id": user, "character_id": YUI})
        assert reply.status_code == 201
    names = await storage.list_records("notes")
    before = {name: await storage.get_record("notes", name) for name in names}
    await notes_of(storage).erase(MIA)
    after = {name: await storage.get_record("notes", name) for name in await storage.list_records("notes")}

    assert after == {name: value for name, value in before.items() if name.startswith(BEN)}
    assert len(before) == 2


async def test_5_what_was_deleted_is_found_nowhere_also_after_a_restart(opening: OpenTalk, storage: Storage) -> None:
    async with opening() as talk:
        one = await talk.say("My dog is called Biscuit")
        source = {"conversation_id": one["conversation_id"], "message_id": one["user_message_id"]}
        await noted(talk, "Dog is called Biscuit", pinned=True, sources=[source])
        by_hand = await noted(talk, "Biscuit barks", pinned=True)
        await talk.say("How is he?")
        assert "Biscuit" in talk.recalled
        where = f"/conversation/{one['conversation_id']}/messages"
        assert (await talk.client.delete(f"{where}/{one['user_message_id']}")).status_code == 204
        assert (await talk.client.delete(f"{where}/{one['message_id']}")).status_code == 204
        deleted = await talk.client.delete(f"/memory/{by_hand['id']}", params={"user_id": MIA})
        assert deleted.status_code == 204
        assert await notes(talk, superseded=True) == []
    async with opening() as talk:
        await talk.say("What is my dog called?")
        assert "Biscuit" not in str(talk.prompt)
        assert await notes(talk, superseded=True) == []
    for namespace in await storage.list_namespaces():
        for name in await storage.list_records(namespace):
            assert b"Biscuit" not in (await storage.get_record(namespace, name) or b""), (namespace, name)
    async with open_user_data(storage) as data:
        assert not any([b"Biscuit" in file.data async for file in data.export(MIA)])


async def test_5_an_explanation_goes_with_what_it_names(talk: Talk) -> None:
    one = await talk.say("My dog is called Biscuit")
    await talk.indexed("Biscuit", count=1)
    note = await noted(talk, "Calls me Captain", pinned=True)
    recalling = await talk.say("What is my dog called?")
    noting = await talk.say("Sing, please")
    where = f"/conversation/{one['conversation_id']}/messages/{one['user_message_id']}"
    named = (await talk.client.get(f"/turns/{recalling['turn_id']}/prompt")).text
    assert one["user_message_id"] in named
    assert (await talk.client.delete(where)).status_code == 204

    async def is_gone(turn: dict[str, Any]) -> bool:
        return (await talk.client.get(f"/turns/{turn['turn_id']}/prompt")).status_code == 410

    assert await is_gone(recalling)
    assert (await talk.client.get(f"/turns/{noting['turn_id']}/prompt")).status_code == 200
    await talk.client.delete(f"/memory/{note['id']}", params={"user_id": MIA})
    assert await is_gone(noting)


async def test_6_switched_off_means_no_part_in_a_prompt_while_reading_and_deleting_work(opening: OpenTalk) -> None:
    async with opening() as talk:
        note = await noted(talk, "Calls me Captain", pinned=True)
    async with opening(ON_OFF="false", **AT_EVERY_TURN) as talk:
        await talk.say("Hello")
        assert "Captain" not in str(talk.prompt)
        assert asked_for_facts(talk) == []
        assert [one["text"] for one in await notes(talk)] == ["Calls me Captain"]
        assert (await talk.client.delete(f"/memory/{note['id']}", params={"user_id": MIA})).status_code == 204
        assert await notes(talk) == []


async def test_6_a_user_switches_it_off_alone(talk: Talk) -> None:
    await noted(talk, "Calls me Captain", pinned=True)
    await talk.client.patch("/memory/choices", params={"user_id": MIA}, json={"recall": False})
    await talk.say("Hello")

    assert "Captain" not in str(talk.prompt)
    assert len(await notes(talk)) == 1


async def test_7_a_fact_has_the_time_of_its_message(opening: OpenTalk, storage: Storage) -> None:
    at = datetime(2023, 5, 8, 9, tzinfo=UTC)
    message = Message(id=new_id(), role="user", content="I moved to Berlin last week", timestamp=at)
    imported = Conversation(
        id=new_id(),
        created_at=at,
        updated_at=at,
        user_id=UUID(MIA),
        character_id=UUID(YUI),
        messages=(message,),
    )
    await storage.create(imported)
    reply = claim("The user moved to Berlin last week.", "I moved to Berlin last week")
    async with opening(replies=[reply], **AT_EVERY_TURN) as talk:

        async def is_there() -> bool:
            return len(await notes(talk)) == 1

        await until("the note", is_there)
        [note] = await notes(talk)
        await talk.say("Where in Berlin do I live?")

        assert note["said_at"].startswith("2023-05-08")
        assert "[2023-05-08, " in talk.recalled


async def test_10_11_two_users_and_two_characters_have_each_their_own(talk: Talk) -> None:
    told = {
        (user, who): f"{name} and {character}"
        for user, name in ((MIA, "Mia"), (BEN, "Ben"))
        for who, character in ((YUI, "Yui"), (RIN, "Rin"))
    }
    for (user, who), text in told.items():
        body = {"text": f"canary of {text}", "user_id": user, "character_id": who, "pinned": True}
        assert (await talk.client.post("/memory", json=body)).status_code == 201
    for (user, who), text in told.items():
        await talk.say("Tell me of the canary", user_id=user, character_id=who)
        seen = [other for other in told.values() if f"canary of {other}" in str(talk.prompt)]
        assert seen == [text]
        assert {note["text"] for note in await notes(talk, user, character_id=who)} == {f"canary of {text}"}


async def test_12_the_newer_statement_stands_first_and_a_superseded_one_never_alone(opening: OpenTalk) -> None:
    async with opening(**AT_EVERY_TURN) as talk:
        talk.provider.say("Good!", claim("The user eats no meat, as a vegetarian.", "vegetarian", about="diet"))
        await talk.say("I am a vegetarian and eat no meat")
        await looked_through(talk, 1)
        talk.provider.say("Oh!", claim("The user eats steak on Sundays.", "I eat steak", about="Diet"))
        await talk.say("I eat steak on Sundays now")
        await looked_through(talk, 2)

        async def is_superseded() -> bool:
            return [one["superseded_by"] is None for one in await notes(talk, superseded=True)] == [True, False]

        await until("a note that replaces it", is_superseded)
        await talk.say("What meat do I eat as a vegetarian?")
        lines = [line for line in str(talk.recalled).splitlines() if line.startswith("- [")]

    assert ["steak" in lines[0], "vegetarian" in lines[1], "no longer so" in lines[1]] == [True] * 3


async def test_13_a_fork_asks_no_model_for_what_was_looked_through(opening: OpenTalk) -> None:
    async with opening(**AT_EVERY_TURN) as talk:
        talk.provider.say("Nice!", claim("The user loves tea.", "I love tea"))
        one = await talk.say("I love tea")
        await looked_through(talk, 1)

        async def is_there() -> bool:
            return len(await notes(talk)) == 1

        await until("the note", is_there)
        where = f"/conversation/{one['conversation_id']}/messages/{one['user_message_id']}/edit"
        body = {"messages": [{"role": "user", "content": "Another cup of tea?"}]}
        await talk.client.post(where, json=body)
        await looked_through(talk, 2)

        forked = (await talk.client.post(f"/conversation/{one['conversation_id']}/fork")).json()
        await talk.say("And in the fork?", conversation_id=forked["id"])
        await looked_through(talk, 3)

    assert [str(one.messages[1]["content"]) for one in asked_for_facts(talk)] == [
        "[1] I love tea",
        "[1] Another cup of tea?",
        "[1] And in the fork?",
    ]


async def test_15_what_every_prompt_begins_with_is_the_same_with_notes_and_without(opening: OpenTalk) -> None:
    system = {"role": "system", "content": "You are Yui."}
    body = {"messages": [system, {"role": "user", "content": "Hello"}], "user_id": MIA, "character_id": YUI}
    async with opening(ON_OFF="false") as talk:
        await talk.client.post("/chat", json=body)
        without = talk.prompt
    async with opening(ON_OFF="true") as talk:
        await noted(talk, "Calls me Captain", pinned=True)
        await talk.client.post("/chat", json=body)
        with_notes = talk.prompt

    assert with_notes[0] == without[0]
    assert "Captain" in with_notes[1]["content"]
    assert with_notes[-1] == without[-1]


async def test_15_what_is_to_be_forgotten_is_in_no_later_prompt_also_not_as_forgotten(talk: Talk) -> None:
    old = await noted(talk, "Sister is called Gigi", pinned=True)
    changed = await talk.client.patch(
        f"/memory/{old['id']}", params={"user_id": MIA}, json={"text": "Has no sister Gigi"}
    )
    await talk.client.delete(f"/memory/{changed.json()['id']}", params={"user_id": MIA})
    await talk.say("Who is Gigi, my sister?", conversation_id=None, user_id=MIA, character_id=YUI)

    assert "Gigi" not in talk.recalled
