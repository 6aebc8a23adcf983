"""What was said among several characters is in the memory of each of them, and of nobody else."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Talk

EMA = "33333333-3333-4333-8333-333333333333"


async def in_group(talk: "Talk", text: str, **more: Any) -> str:
    begun = await talk.client.post(
        "/conversations", json={"character_ids": [talk.yui, talk.rin], "user_id": talk.mia, "next_speaker": "in_turn"}
    )
    conversation_id: str = begun.json()["id"]
    await talk.say(text, conversation_id=conversation_id, **more)
    return conversation_id


async def test_each_remembers_what_was_said_with_her_in_it(talk: "Talk") -> None:
    conversation_id = await in_group(talk, "I bought a blue guitar.")
    found = {name: await talk.indexed("blue guitar", character_id=name, count=2) for name in (talk.yui, talk.rin)}

    for name, items in found.items():
        assert {(item["role"], item["character_id"]) for item in items} == {("user", name), ("assistant", talk.yui)}
        assert {item["conversation_id"] for item in items} == {conversation_id}
        assert {item["speaker"] for item in items} == {""}
    assert await talk.search("blue guitar", character_id=EMA) == []
    assert await talk.search("blue guitar", user_id=talk.ben) == []


async def test_nobody_hears_in_a_group_what_was_said_to_another_alone(talk: "Talk") -> None:
    await talk.say("My secret is a red piano.")
    await talk.indexed("red piano")
    conversation_id = await in_group(talk, "Do you know my piano?", next_character_id=talk.rin)
    heard = talk.recalled
    await talk.say("And you, about my piano?", conversation_id=conversation_id, next_character_id=talk.yui)

    assert "red piano" not in heard
    assert "red piano" in talk.recalled


async def test_a_character_recalls_from_a_group_when_she_is_alone(talk: "Talk") -> None:
    await in_group(talk, "I bought a blue guitar.")
    await talk.indexed("blue guitar", character_id=talk.rin, count=2)
    await talk.say("What guitar have I bought?", user_id=talk.mia, character_id=talk.rin)
    rin = talk.recalled
    await talk.say("What guitar have I bought?", user_id=talk.mia, character_id=EMA)

    assert "the user said] I bought a blue guitar." in rin
    assert "blue guitar" not in talk.recalled


async def test_a_group_that_is_deleted_is_forgotten_by_each(talk: "Talk") -> None:
    conversation_id = await in_group(talk, "I bought a blue guitar.")
    await talk.indexed("blue guitar", character_id=talk.rin, count=2)
    await talk.client.delete(f"/conversation/{conversation_id}")

    for name in (talk.yui, talk.rin):
        await talk.gone("blue guitar", character_id=name)


async def test_whoever_joins_remembers_who_had_said_what(talk: "Talk") -> None:
    said = await talk.say("I bought a blue guitar.")
    await talk.indexed("blue guitar", count=2)
    path = f"/conversation/{said['conversation_id']}"
    await talk.client.patch(path, json={"character_ids": [talk.yui, talk.rin]})
    items = await talk.indexed("blue guitar", character_id=talk.rin, count=2)

    assert {(item["role"], item["character_id"]) for item in items} == {("user", talk.rin), ("assistant", talk.yui)}
