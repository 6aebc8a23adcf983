"""What users of other systems complained of, each as a rule; those on notes and summaries are in ``test_notes.py``.

The numbers are those of the table in docs/memory.md.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from idolchat_core import Conversation, MemoryScope, Message, Storage, new_id
from idolchat_core.testing import memory_snapshot
from idolchat_memory.sqlite import open_sqlite_index
from idolchat_memory.user_data import open_user_data

if TYPE_CHECKING:
    from conftest import OpenTalk, Talk

MIA, YUI = UUID("5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e"), UUID("11111111-1111-4111-8111-111111111111")
START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def conversation(*said: Message, at: datetime = START) -> Conversation:
    """Make a conversation of Mia with Yui."""
    ids = {"id": new_id(), "user_id": MIA, "character_id": YUI}
    return Conversation.model_validate({**ids, "created_at": at, "updated_at": said[-1].timestamp, "messages": said})


def said(text: str | None, role: str = "user", *, at: datetime = START, **fields: Any) -> Message:
    return Message(id=new_id(), role=role, content=text, timestamp=at, **fields)


async def test_1_nothing_that_nobody_said_is_ever_remembered(opening: OpenTalk, storage: Storage) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    made = conversation(
        said("Greetings, zebra traveller", "assistant"),
        said("What is the weather?"),
        said(None, "assistant", tool_calls=[call]),
        said("zebra rain", "tool", tool_call_id="c1"),
        said("zebra instructions", "system"),
        said("<think>zebra thoughts</think>It rains", "assistant"),
    )
    await storage.create(made)
    async with opening() as talk:
        found = await talk.indexed("weather rains", count=2)
        assert {one["text"] for one in found} == {"What is the weather?", "It rains"}

        system = {"role": "system", "content": "zebra rules of the weather"}
        ids = {"user_id": str(MIA), "character_id": str(YUI)}
        messages = [system, {"role": "user", "content": "And the weather tomorrow?"}]
        answer = (await talk.client.post("/chat", json={"messages": messages, **ids})).json()
        assert "It rains" in talk.recalled
        assert len(await talk.explained(answer)) > 0

        texts = [one["text"] for one in await talk.indexed("weather rains tomorrow zebra quotes memories", count=4)]
    assert sorted(texts) == ["And the weather tomorrow?"] * 2 + ["It rains", "What is the weather?"]


async def test_2_what_was_recalled_never_becomes_a_source_of_its_own(talk: Talk) -> None:
    await talk.say("My sister is called Zora")
    await talk.indexed("Zora", count=2)
    for _ in range(3):
        talk.provider.say("I see")
        await talk.say("What is the name of my sister?")
        assert "Zora" in talk.recalled
    await talk.indexed("name sister", count=5)

    assert {one["text"] for one in await talk.search("Zora") if "Zora" in one["text"]} == {"My sister is called Zora"}


async def test_3_what_she_says_is_told_from_what_the_user_said(talk: Talk) -> None:
    talk.provider.say("Christophe likes mushrooms", "Who knows?")
    await talk.say("What does Christophe like?")
    await talk.indexed("mushrooms")

    await talk.say("Do I like mushrooms?")

    assert "you said] Christophe likes mushrooms" in talk.recalled
    assert "the user said] Christophe" not in talk.recalled


async def test_4_erasing_one_user_leaves_the_other_s_rows_equal(talk: Talk, storage: Storage) -> None:
    for user in (talk.mia, talk.ben):
        await talk.say("My dog is called Biscuit", user_id=user)
        await talk.indexed("dog", user_id=user, count=2)
    bens = MemoryScope(user_id=talk.ben, character_id=talk.yui)
    async with open_sqlite_index(talk.index_path) as index, open_user_data(storage) as data:
        before = await index.read(bens, memory_snapshot)

        assert await data.erase(talk.mia) == 2

        assert len(before.messages) == 2
        assert await index.read(bens, memory_snapshot) == before
    assert await talk.search("dog") == []


@pytest.mark.parametrize("what", ["message", "conversation"])
async def test_5_what_is_deleted_is_found_nowhere_from_the_answer_on(
    opening: OpenTalk, storage: Storage, what: str
) -> None:
    async with opening() as talk:
        talk.provider.say("Understood")
        answer = await talk.say("My secret is xylophone")
        [found, *_] = await talk.indexed("xylophone")
        before = await talk.say("What is my xylophone secret?", character_id=talk.yui)
        path = f"/conversation/{answer['conversation_id']}"
        if what == "message":
            path += f"/messages/{found['message_id']}"

        assert (await talk.client.delete(path)).status_code == 204

        assert not [one for one in await talk.search("secret xylophone") if "My secret is" in one["text"]]
        await talk.say("Tell me my secret of the xylophone")
        assert "My secret is" not in json.dumps(talk.prompt)
        assert "My secret is" not in (await talk.client.get(f"/turns/{before['turn_id']}/prompt")).text
    async with opening() as talk:
        assert not [one for one in await talk.search("secret xylophone") if "My secret is" in one["text"]]
        async with open_user_data(storage) as data:
            exported = b"".join([file.data async for file in data.export(talk.mia)])
        assert b"My secret is" not in exported
        files = b"".join(file.read_bytes() for file in talk.index_path.parent.iterdir())
    assert b"My secret is" not in files


async def test_6_switched_off_nothing_is_recalled_and_all_can_be_read_and_deleted(talk: Talk) -> None:
    answer = await talk.say("My dog is called Biscuit")
    await talk.indexed("dog")
    url = f"/memory/choices?user_id={talk.mia}"

    assert (await talk.client.patch(url, json={"recall": False})).json()["recall"] is False

    asked = await talk.say("What is the name of my dog?")
    assert await talk.explained(asked) == []
    assert talk.prompt == [{"role": "user", "content": "What is the name of my dog?"}]
    assert await talk.search("Biscuit")
    await talk.client.delete(f"/conversation/{answer['conversation_id']}")
    assert not [one for one in await talk.search("Biscuit") if "Biscuit" in one["text"]]
    await talk.client.patch(url, json={"recall": True})
    assert (await talk.client.get(url)).json() == {"recall": True, "cross_character": False}


async def test_6_switched_off_for_all_nothing_is_recalled_and_all_can_be_read(
    opening: OpenTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDOLCHAT_MEMORY", "off")
    async with opening() as talk:
        await talk.say("My dog is called Biscuit")
        await talk.indexed("dog")

        assert await talk.explained(await talk.say("What is the name of my dog?")) == []


async def test_7_a_chat_of_2023_is_recalled_with_its_dates_and_has_its_own_last_week(
    opening: OpenTalk, storage: Storage
) -> None:
    then = datetime(2023, 5, 9, 12, tzinfo=UTC)
    await storage.create(conversation(said("The dog ran away last week", at=then), at=then))
    await storage.create(conversation(said("The dog is back")))
    async with opening() as talk:
        await talk.indexed("dog", count=2)
        asked = {"text": "Where did the dog go last week?", "now": "2023-05-17T12:00:00Z", "everything": True}
        ids = {"user_id": str(MIA), "character_id": str(YUI)}
        result = (await talk.client.post("/memory/search", json={**asked, **ids})).json()
        await talk.say("When did the dog run away?")

        assert [one["text"] for one in result["data"]] == ["The dog ran away last week"]
        assert (result["period"]["start"], result["keeps_to_period"]) == ("2023-05-08T00:00:00Z", True)
        assert "[2023-05-09, 4 years ago, the user said] The dog ran away" in talk.recalled


async def test_8_a_time_that_cannot_be_read_changes_nothing_and_the_explanation_says_so(talk: Talk) -> None:
    await talk.say("My dog is called Biscuit")
    await talk.indexed("dog")

    answer = await talk.say("What did I say about my dog the other day?")

    assert "Biscuit" in talk.recalled
    assert {part["why"]["time_not_read"] for part in await talk.explained(answer)} == {"the other day"}


async def test_9_what_was_said_nine_times_is_recalled_once_and_other_dates_stay(
    opening: OpenTalk, storage: Storage
) -> None:
    days = [START + timedelta(days=day) for day in range(9)]
    await storage.create(conversation(*(said("My favourite colour is green", at=day) for day in days)))
    text = "My dentist appointment with Doctor Brown in the town hall is on the {} of May"
    await storage.create(conversation(*(said(text.format(day), at=days[day]) for day in (3, 7))))
    async with opening() as talk:
        await talk.indexed("favourite colour dentist", count=11, limit=50)
        await talk.say("What is my favourite colour, and when is the dentist appointment?")

        assert talk.recalled.count("My favourite colour is green") == 1
        assert talk.recalled.count("dentist appointment") == 2


@pytest.mark.parametrize("cross", [False, True])
async def test_10_two_users_and_two_characters_who_say_the_same_find_their_own_alone(talk: Talk, cross: bool) -> None:
    pairs = [(user, character) for user in (talk.mia, talk.ben) for character in (talk.yui, talk.rin)]
    conversations: dict[str, tuple[str, str]] = {}
    for user, character in pairs:
        answer = await talk.say("My dog is called Biscuit", user_id=user, character_id=character)
        conversations[answer["conversation_id"]] = (user, character)
        await talk.indexed("dog", user_id=user, character_id=character)
    await talk.client.patch(f"/memory/choices?user_id={talk.mia}", json={"cross_character": cross})

    for user, character in pairs:
        answer = await talk.say("What is the name of my dog?", user_id=user, character_id=character)
        found = await talk.search("dog", user_id=user, character_id=character)
        parts = await talk.explained(answer)
        seen = {conversations[one["conversation_id"]] for one in found if one["conversation_id"] in conversations}
        seen |= {conversations[one["conversation_id"]] for part in parts for one in part["why"]["messages"]}
        theirs = {(user, one) for one in (talk.yui, talk.rin)} if cross and user == talk.mia else {(user, character)}
        assert parts
        assert (user, character) in seen
        assert seen <= theirs
        conversations[answer["conversation_id"]] = (user, character)


async def test_10_nobody_s_conversations_are_remembered_only_where_that_is_switched_on(opening: OpenTalk) -> None:
    nobody: dict[str, Any] = {"user_id": None, "character_id": None}
    async with opening() as talk:
        await talk.say("My dog is called Biscuit", **nobody)
        await talk.say("My cat is called Biscuit")
        await talk.indexed("Biscuit")
        assert await talk.explained(await talk.say("What is the name of my dog?", **nobody)) == []
        assert await talk.search("dog", **nobody) == []
    async with opening(ANONYMOUS="on") as talk:
        await talk.indexed("Biscuit", **nobody)
        await talk.say("What is the name of my dog?", **nobody)
        assert "My dog is called Biscuit" in talk.recalled
        assert "My cat" not in talk.recalled
    async with opening(ANONYMOUS="off") as talk:
        await talk.gone("dog", **nobody)


@pytest.mark.parametrize("user_id", [MIA, "mia", "Mia\u00e9", None])
@pytest.mark.parametrize("character_id", [YUI, "yui", None])
async def test_11_a_conversation_is_read_in_the_scope_that_it_was_written_in(
    opening: OpenTalk, storage: Storage, tmp_path: Path, user_id: UUID | str | None, character_id: UUID | str | None
) -> None:
    made = conversation(said("My dog is called Biscuit"), said("A fine name", "assistant"))
    made = made.model_copy(update={"user_id": user_id, "character_id": character_id})
    await storage.create(made)
    async with opening(ANONYMOUS="on") as talk:
        async with open_sqlite_index(talk.index_path) as index:
            while await index.known(made.id) is None:
                await talk.say("Hello", user_id=talk.ben)
            scopes = await index.scopes_of(None if user_id is None else str(user_id), limit=10)

        await talk.say("What is the name of my dog?", conversation_id=str(made.id))

    assert scopes == [MemoryScope.model_validate({"user_id": user_id, "character_id": character_id})]


async def test_12_of_two_that_disagree_the_newer_stands_first_and_both_have_their_dates(
    opening: OpenTalk, storage: Storage
) -> None:
    old = said("I eat only vegetarian food these days", at=START)
    new = said("I eat steak and other food these days", at=START + timedelta(days=100))
    await storage.create(conversation(old, new))
    async with opening() as talk:
        await talk.indexed("food", count=2)
        await talk.say("Do I eat vegetarian food?")

        lines = [line for line in talk.recalled.splitlines() if line.startswith("[")]
    assert [(line[1:11], "steak" in line) for line in lines] == [("2026-06-09", True), ("2026-03-01", False)]


async def test_13_a_fork_recalls_what_stands_before_it_at_no_cost(talk: Talk) -> None:
    answer = await talk.say("My dog is called Biscuit")
    await talk.say("My cat is called Crumb", conversation_id=answer["conversation_id"])
    found = await talk.indexed("dog cat called", count=4)
    calls = len(talk.provider.requests)
    dog = next(one["message_id"] for one in found if "dog" in one["text"] and one["role"] == "user")

    path = f"/conversation/{answer['conversation_id']}/fork"
    fork = (await talk.client.post(path, json={"message_id": dog})).json()
    await talk.client.delete(f"/conversation/{answer['conversation_id']}")
    await talk.indexed("dog")

    assert len(talk.provider.requests) == calls
    assert fork["id"] in {one["conversation_id"] for one in await talk.search("dog")}
    assert {one["text"] for one in await talk.search("dog cat called")} == {"My dog is called Biscuit"}


async def test_14_recall_never_displaces_the_newest_ten_turns_nor_exceeds_its_budget(
    opening: OpenTalk, storage: Storage
) -> None:
    texts = [f"My dog did trick number {number} " + "and barked very happily " * 20 for number in range(60)]
    await storage.create(
        conversation(*(said(text, at=START + timedelta(hours=7 * at)) for at, text in enumerate(texts)))
    )
    async with opening() as talk:
        await talk.indexed("dog", count=50, limit=50)
        answer = await talk.say("Hello")
        for number in range(1, 12):
            answer = await talk.say(
                f"Line {number}: what trick did my dog do?", conversation_id=answer["conversation_id"]
            )
        [part] = await talk.explained(answer)
        history = [message["content"] for message in talk.prompt if message["role"] == "user"]

    quoted = [one["message_id"] for one in part["why"]["messages"]]
    assert part["included"]
    assert part["tokens"] <= 0.065 * 8192
    assert history[-10:] == [f"Line {number}: what trick did my dog do?" for number in range(2, 12)]
    assert len(set(quoted)) == len(quoted) > 1


async def test_15_what_every_prompt_begins_with_is_the_same_with_memory_and_without(
    opening: OpenTalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = []
    for switch in ("on", "off"):
        monkeypatch.setenv("IDOLCHAT_MEMORY", switch)
        async with opening() as talk:
            await talk.say("My dog is called Biscuit")
            await talk.indexed("dog")
            system = {"role": "system", "content": "You are Yui, and love dogs."}
            asked = {"role": "user", "content": "What is the name of my dog?"}
            ids = {"user_id": str(MIA), "character_id": str(YUI)}
            await talk.client.post("/chat", json={"messages": [system, asked], **ids})
            prompts.append(talk.prompt)

    [with_memory, without] = prompts
    assert [message for message in with_memory if "Quotes from earlier" not in message["content"]] == without
    assert with_memory[0] == without[0]
    assert len(with_memory) == len(without) + 1


async def test_15_a_thing_that_is_forgotten_is_in_no_later_prompt(talk: Talk) -> None:
    answer = await talk.say("I met Gigi in Paris")
    await talk.indexed("Gigi", count=2)
    await talk.client.delete(f"/conversation/{answer['conversation_id']}")

    for text in ("Whom did I meet in Paris?", "What did I ask you to forget?", f"{uuid4()} Paris"):
        await talk.say(text)
        assert "Gigi" not in json.dumps(talk.prompt)
