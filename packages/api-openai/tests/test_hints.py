"""What SillyTavern and Open WebUI tell in headers decides what their histories leave open."""

from typing import Any

import httpx
import pytest
from v1_trees import active, conversations, paths

from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider

GREETING = ("assistant", "*She looks up and smiles.* Welcome back, traveller.")
G = GREETING[1]


async def ask(client: httpx.AsyncClient, *messages: tuple[str, str], model: str = "aoi", **headers: str) -> str:
    said = [{"role": role, "content": content} for role, content in messages]
    named = {f"X-Idolchat-{name}".replace("_", "-"): value for name, value in headers.items()}
    answer = await client.post("/v1/chat/completions", json={"model": model, "messages": said}, headers=named)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


@pytest.fixture
def provider() -> ScriptedProvider:
    return ScriptedProvider("One.", "Two.", "Three.", "Four.", "Five.")


async def test_sillytavern_tells_a_swipe_of_the_first_reply(
    client: httpx.AsyncClient, storage: InMemoryStorage
) -> None:
    said = (GREETING, ("user", "Hi"))
    await ask(client, *said, Conversation="c", Generation="normal")
    await ask(client, *said, Conversation="c", Generation="swipe")

    (only,) = await conversations(storage)
    assert paths(only) == [(G, "Hi", "One."), (G, "Hi", "Two.")]


async def test_a_first_message_that_is_sent_again_is_a_wish_for_another_reply(
    client: httpx.AsyncClient, storage: InMemoryStorage
) -> None:
    for _ in range(2):
        await ask(client, GREETING, ("user", "Hi"))

    (only,) = await conversations(storage)
    assert paths(only) == [(G, "Hi", "One."), (G, "Hi", "Two.")]


async def test_sillytavern_tells_a_new_chat_from_another_reply(
    client: httpx.AsyncClient, storage: InMemoryStorage
) -> None:
    for _ in range(2):
        await ask(client, GREETING, ("user", "Hi"), Generation="normal")

    assert [paths(one) for one in await conversations(storage)] == [[(G, "Hi", "One.")], [(G, "Hi", "Two.")]]


async def test_sillytavern_edits_the_first_message_and_swipes_the_greeting(
    client: httpx.AsyncClient, storage: InMemoryStorage
) -> None:
    await ask(client, GREETING, ("user", "Hi"), Conversation="c", Generation="normal")
    await ask(client, GREETING, ("user", "Ho"), Conversation="c", Generation="regenerate")
    await ask(client, ("assistant", "Who is there?"), ("user", "Hi"), Conversation="c", Generation="normal")
    await ask(client, ("user", "No greeting"), Conversation="c", Generation="normal")

    (only,) = await conversations(storage)
    assert paths(only) == [
        (G, "Hi", "One."),
        (G, "Ho", "Two."),
        ("Who is there?", "Hi", "Three."),
        ("No greeting", "Four."),
    ]


async def test_a_branch_of_a_chat_shares_its_conversation(client: httpx.AsyncClient, storage: InMemoryStorage) -> None:
    first = (GREETING, ("user", "Hi"), ("assistant", "One."))
    await ask(client, *first[:2], Conversation="c", Generation="normal")
    await ask(client, *first, ("user", "Here"), Conversation="c", Generation="normal")
    await ask(client, *first, ("user", "There"), Conversation="c", Generation="normal")

    (only,) = await conversations(storage)
    assert paths(only) == [(G, "Hi", "One.", "Here", "Two."), (G, "Hi", "One.", "There", "Three.")]
    assert active(only) == (G, "Hi", "One.", "There", "Three.")


async def test_sillytavern_tells_an_empty_message_from_a_wish_to_continue(
    client: httpx.AsyncClient, storage: InMemoryStorage, provider: ScriptedProvider
) -> None:
    said = (GREETING, ("user", "Hi"), ("assistant", "One."))
    await ask(client, *said[:2], Conversation="c", Generation="normal")
    assert await ask(client, *said, Conversation="c", Generation="normal") == "Two."
    assert await ask(client, *said, Conversation="c", Generation="continue") == "Three."

    (only,) = await conversations(storage)
    assert paths(only) == [(G, "Hi", "One.", "Two."), (G, "Hi", "One.Three.")]


async def test_cut_off_and_named_histories_belong_to_their_chat(
    client: httpx.AsyncClient, storage: InMemoryStorage
) -> None:
    said = (GREETING, ("user", "Hi"), ("assistant", "One."), ("user", "So?"), ("assistant", "Two."), ("user", "And?"))
    for end in (2, 4, 6):
        await ask(client, *said[:end], Conversation="c", Generation="normal")
    named = (("user", "Ren: So?"), ("assistant", " Two. "), ("user", "Ren: And?"), ("assistant", "Three."))
    await ask(client, *named, ("user", "More"), Conversation="c", Generation="normal")

    (only,) = await conversations(storage)
    assert paths(only) == [(G, "Hi", "One.", "So?", "Two.", "And?", "Three.", "More", "Four.")]


async def test_two_models_of_one_chat_of_open_webui_have_a_conversation_each(
    client: httpx.AsyncClient, storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    directory.add("ben")
    hints: dict[str, Any] = {"Conversation": "c", "User_Message": "u1", "Parent": "", "Task": ""}
    for model, message in (("aoi", "m1"), ("ben", "m2")):
        await ask(client, ("user", "Hi"), model=model, Message=message, **hints)

    first, second = await conversations(storage)
    assert first.character_id != second.character_id
    assert [paths(first), paths(second)] == [[("Hi", "One.")], [("Hi", "Two.")]]


async def test_open_webui_regenerates_and_edits_the_last_and_the_first_message(
    client: httpx.AsyncClient, storage: InMemoryStorage
) -> None:
    first = (("user", "Hi"), ("assistant", "One."))
    asked: dict[str, Any] = {"Conversation": "c", "Task": ""}
    await ask(client, ("user", "Hi"), Message="m1", User_Message="u1", Parent="", **asked)
    await ask(client, *first, ("user", "So?"), Message="m2", User_Message="u2", Parent="m1", **asked)
    await ask(client, *first, ("user", "So?"), Message="m3", User_Message="u2", Parent="m1", **asked)
    await ask(client, *first, ("user", "And?"), Message="m4", User_Message="u3", Parent="m1", **asked)
    await ask(client, ("user", "Ho"), Message="m5", User_Message="u4", Parent="", **asked)

    (only,) = await conversations(storage)
    assert paths(only) == [
        ("Hi", "One.", "So?", "Two."),
        ("Hi", "One.", "So?", "Three."),
        ("Hi", "One.", "And?", "Four."),
        ("Ho", "Five."),
    ]


async def test_a_chat_that_began_without_an_id_is_taken_up_when_it_gets_one(
    client: httpx.AsyncClient, storage: InMemoryStorage, provider: ScriptedProvider
) -> None:
    long = "One reply that is long enough to be known again."
    await ask(client, GREETING, ("user", "Hi"))
    reply = (await conversations(storage))[0].messages[-1].content
    assert isinstance(reply, str)
    history = (GREETING, ("user", "Hi"), ("assistant", reply), ("user", long))
    await ask(client, *history, Conversation="c", Generation="normal")
    await ask(client, *history, ("assistant", "Two."), ("user", "On"), Conversation="c", Generation="normal")

    (only,) = await conversations(storage)
    assert paths(only) == [(G, "Hi", "One.", long, "Two.", "On", "Three.")]
