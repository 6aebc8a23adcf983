"""What a character puts into prompts: part by part, as the provider is sent it."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, serving
from idolchat_characters import Character, plugin
from idolchat_characters.library import CharacterLibrary, CharacterRecord, Viewer, library_of
from idolchat_characters.prompt import CharacterSource, open_character_source
from idolchat_core import Conversation, CoreSettings, PromptSource, Services, new_id
from idolchat_core.testing import (
    InMemoryObjects,
    InMemoryStorage,
    PromptSourceConformance,
    ScriptedProvider,
    a_conversation,
    a_message,
    a_prompt_turn,
)

OPERATOR = Viewer(is_bound=False, is_operator=True)
BOOK: dict[str, Any] = {
    "entries": [
        {
            "keys": ["stage"],
            "content": "The stage is in {{char}}'s town.",
            "id": 1,
            "insertion_order": 1,
            "comment": "s",
        },
        {"keys": ["town"], "content": "The town is Akiba.", "id": 2, "insertion_order": 2},
        {
            "keys": ["deep"],
            "content": "At depth.",
            "id": 3,
            "insertion_order": 3,
            "extensions": {"position": 4, "depth": 1, "role": 0, "prevent_recursion": False},
        },
    ],
}
AOI = Character(
    name="Aoi",
    nickname="Ao",
    description="{{char}} sings for {{user}}.",
    personality="cheerful",
    scenario="Backstage.",
    system_prompt="{{original}}Be {{char}}.",
    post_history_instructions="Stay {{char}}.",
    mes_example="<START>\n{{user}}: Hi\n{{char}}: Hello!\nDear.",
    creator_notes="never sent",
    character_book=BOOK,
    visibility="public",
)


@pytest.fixture
async def client(
    tmp_path: Path, storage: InMemoryStorage, provider: ScriptedProvider
) -> AsyncGenerator[httpx.AsyncClient]:
    settings = ApiSettings(data_dir=tmp_path, shutdown_grace_s=5, plugins=(), system_prompt="Operator's words.")
    plugins = [Parts(storage, provider), plugin]
    async with serving(settings, plugins=plugins) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


async def say(client: httpx.AsyncClient, text: str, **fields: Any) -> dict[str, Any]:
    reply = await client.post("/chat", json={"messages": [{"role": "user", "content": text}], **fields})
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = reply.json()
    return said


class TestCharacterSource(PromptSourceConformance):
    """The kit asks for a source over a storage, with a conversation of one that uses every part."""

    @pytest.fixture
    async def record(self, storage: InMemoryStorage) -> CharacterRecord:
        return await library_of(storage).create(AOI, OPERATOR)

    @pytest.fixture
    def storage(self) -> InMemoryStorage:
        return InMemoryStorage()

    @pytest.fixture
    def conversation(self, record: CharacterRecord) -> Conversation:
        messages = (a_message("Hi"), a_message("Hello!", role="assistant"), a_message("To the deep stage!"))
        return a_conversation().model_copy(update={"messages": messages, "character_id": record.id})

    @pytest.fixture
    async def source(self, storage: InMemoryStorage, record: CharacterRecord) -> AsyncGenerator[PromptSource]:
        source = CharacterSource(storage)
        yield source
        await source.close()


async def test_the_provider_is_sent_each_part_in_its_place(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    aoi = await library.create(AOI, OPERATOR)
    await say(client, "To the deep stage, {{char}}!", character_id=str(aoi.id))

    assert [dict(message) for message in provider.requests[0].messages] == [
        {"role": "system", "content": "Operator's words."},
        {"role": "system", "content": "Be Ao."},
        {"role": "system", "content": "Ao sings for User."},
        {"role": "system", "content": "Ao's personality: cheerful"},
        {"role": "system", "content": "Scenario: Backstage."},
        {"role": "system", "content": "[Example Chat]"},
        {"role": "system", "content": "Hi", "name": "example_user"},
        {"role": "system", "content": "Hello!\nDear.", "name": "example_assistant"},
        {"role": "system", "content": "The stage is in Ao's town."},
        {"role": "system", "content": "The town is Akiba."},
        {"role": "system", "content": "At depth."},
        {"role": "user", "content": "To the deep stage, {{char}}!"},
        {"role": "system", "content": "Stay Ao."},
    ]


async def test_an_explanation_names_the_key_and_the_recursion(
    client: httpx.AsyncClient, library: CharacterLibrary
) -> None:
    aoi = await library.create(AOI, OPERATOR)
    reply = await say(client, "To the stage!", character_id=str(aoi.id))
    explained = (await client.get(f"/turns/{reply['turn_id']}/prompt")).json()
    why = {part["key"]: part["why"] for part in explained["parts"] if part["key"].startswith("lore/")}

    assert why["lore/1"] == {"reason": "key", "key": "stage", "recursion": 0, "entry": "s"}
    assert why["lore/2"] == {"reason": "key", "key": "town", "recursion": 1}


@pytest.mark.parametrize("character_id", [None, "0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"])
async def test_a_conversation_without_a_known_character_is_sent_as_before(
    client: httpx.AsyncClient, provider: ScriptedProvider, character_id: str | None
) -> None:
    await say(client, "Hi", **({"character_id": character_id} if character_id else {}))

    assert [message["content"] for message in provider.requests[0].messages] == ["Operator's words.", "Hi"]


async def test_a_stored_text_part_without_text_leaves_the_card_in_the_prompt(
    client: httpx.AsyncClient, storage: InMemoryStorage, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    aoi = await library.create(AOI, OPERATOR)
    parts = [{"type": "text"}, {"type": "text", "text": "To the stage!"}]
    said = a_message("Hi").model_copy(update={"content": parts})
    stored = a_conversation().model_copy(update={"messages": (said,), "character_id": aoi.id})
    await storage.create(stored)
    await client.post(f"/conversation/{stored.id}/regenerate")

    sent = [message["content"] for message in provider.requests[0].messages]
    assert "Ao sings for User." in sent
    assert "The stage is in Ao's town." in sent


async def test_another_users_private_character_is_in_no_prompt(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    ana, ben = uuid4(), uuid4()
    private = AOI.model_copy(update={"visibility": "private", "description": "CANARY"})
    aoi = await library.create(private, Viewer(user_id=ana))
    for user_id in (ana, ben):
        await say(client, "stage", character_id=str(aoi.id), user_id=str(user_id))

    sent = [json.dumps([dict(message) for message in request.messages]) for request in provider.requests]
    assert ["CANARY" in one for one in sent] == [True, False]
    assert "Akiba" not in sent[1]


async def test_a_card_neither_reads_nor_replaces_the_operators_words(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    thief = "{{original}}{{reverse::{{original}}}}{{charPrompt}}{{system}}{{getvar::x}}"
    aoi = await library.create(AOI.model_copy(update={"system_prompt": thief, "description": thief}), OPERATOR)
    await say(client, "Hi", character_id=str(aoi.id))
    first, *others = [str(message["content"]) for message in provider.requests[0].messages]

    assert first == "Operator's words."
    assert not any("perator" in text or "rotarepO" in text for text in others)


async def test_a_card_in_a_group_names_all_who_take_part(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    words = "{{char}} of {{group}}, not {{notChar}}."
    ids = [
        str((await library.create(Character(name=name, description=words, visibility="public"), OPERATOR)).id)
        for name in ("Aoi", "Ren")
    ]
    made = (await client.post("/conversations", json={"character_ids": ids})).json()
    await say(client, "Hi", conversation_id=made["id"], next_character_id=ids[1])

    assert "Ren of Aoi, Ren, not Aoi, User." in [message["content"] for message in provider.requests[-1].messages]


async def test_lore_knows_who_of_several_characters_has_spoken(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    book: dict[str, Any] = {
        "entries": [{"keys": ["/Aoi: Sure/"], "use_regex": True, "content": "Aoi agrees.", "id": 1}]
    }
    aoi = await library.create(Character(name="Aoi", visibility="public"), OPERATOR)
    ren = await library.create(Character(name="Ren", character_book=book, visibility="public"), OPERATOR)
    made = (await client.post("/conversations", json={"character_ids": [str(aoi.id), str(ren.id)]})).json()
    provider.say("Sure.", "Sure.", "Well.")
    for speaker in (aoi, ren, ren):
        await say(client, "So?", conversation_id=made["id"], next_character_id=str(speaker.id))
    lore = ["Aoi agrees." in [message["content"] for message in request.messages] for request in provider.requests]

    assert lore == [False, True, False]


async def test_an_outlet_stands_where_the_last_instructions_ask_for_it(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    outlet = {"position": 7, "outlet_name": "news", "selectiveLogic": 0}
    entry = {"keys": ["stage"], "content": "{{char}} knows.", "id": 1, "extensions": outlet}
    book: dict[str, Any] = {"entries": [entry]}
    told = Character(
        name="Aoi", character_book=book, post_history_instructions="News: {{outlet::news}}", visibility="public"
    )
    aoi = await library.create(told, OPERATOR)
    for text in ("To the stage!", "Hi"):
        await say(client, text, character_id=str(aoi.id))

    assert [request.messages[-1]["content"] for request in provider.requests] == ["News: Aoi knows.", "News:"]


async def test_the_depth_of_scans_can_be_set(
    storage: InMemoryStorage, provider: ScriptedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDOLCHAT_LORE_SCAN_DEPTH", "5")
    monkeypatch.setenv("IDOLCHAT_LORE_RECURSIVE", "false")
    aoi = await library_of(storage).create(AOI, OPERATOR)
    settings = ApiSettings(data_dir=tmp_path, shutdown_grace_s=5, plugins=())
    async with (
        serving(settings, plugins=[Parts(storage, provider), plugin]) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
    ):
        said = await say(client, "To the stage!", character_id=str(aoi.id))
        for _ in range(2):
            await say(client, "And on.", conversation_id=said["conversation_id"])
    lore = [[m["content"] for m in request.messages if "town" in str(m["content"])] for request in provider.requests]

    assert lore == [["The stage is in Ao's town."]] * 3


async def test_macros_of_users_and_models_are_text(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    note = Character(name="Aoi", post_history_instructions="You heard: {{lastMessage}}", visibility="public")
    aoi = await library.create(note, OPERATOR)
    await say(client, "{{char}} {{random::a,b}}", character_id=str(aoi.id))
    sent = [message["content"] for message in provider.requests[0].messages]

    assert sent[-2:] == ["{{char}} {{random::a,b}}", "You heard: {{char}} {{random::a,b}}"]


async def test_an_edited_character_speaks_by_its_new_card(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    aoi = await library.create(AOI, OPERATOR)
    first = await say(client, "stage", character_id=str(aoi.id))
    book = {"entries": [{"keys": ["stage"], "content": "The stage is gone.", "id": 1}]}
    await library.update(aoi, {"character_book": book, "description": "New."}, OPERATOR)
    await say(client, "stage", conversation_id=first["conversation_id"])
    sent = [message["content"] for message in provider.requests[1].messages]

    assert "New." in sent
    assert "The stage is gone." in sent
    assert "The town is Akiba." not in sent


async def test_a_sticky_entry_stays_for_its_messages_and_comes_out_the_same_after_a_restart(
    storage: InMemoryStorage, library: CharacterLibrary
) -> None:
    entry = {"keys": ["stage"], "content": "Sticky.", "id": 1, "extensions": {"sticky": 3, "selectiveLogic": 0}}
    aoi = await library.create(AOI.model_copy(update={"character_book": {"entries": [entry]}}), OPERATOR)
    texts = ["stage", "yes", "and", "so", "it", "ends", "now"]
    warm = CharacterSource(storage)
    seen = []
    for count in range(1, len(texts) + 1, 2):
        turn = a_prompt_turn(_conversation(aoi.id, texts[:count]))
        cold = CharacterSource(storage)
        keys = [[part.key for part in await source.parts(turn) if part.key == "lore/1"] for source in (warm, cold)]
        assert keys[0] == keys[1]
        seen.append(bool(keys[0]))
        await cold.close()
    await warm.close()

    assert seen == [True, True, False, False]


async def test_a_card_is_made_into_parts_once_for_a_conversation(
    storage: InMemoryStorage, library: CharacterLibrary
) -> None:
    """So that core need not look at them again; what tells of the turn is made anew."""
    plain = await library.create(AOI.model_copy(update={"character_book": None}), OPERATOR)
    timed = await library.update(plain, {"post_history_instructions": "It is {{time}}, {{char}}."}, OPERATOR)
    source, turn = CharacterSource(storage), a_prompt_turn(_conversation(plain.id, ["Hi"]))
    again = turn._replace(turn_id=new_id())
    varying = [part for asked in (turn, again) for part in await source.parts(asked) if part.stability == "turn"]
    await library.update(timed, {"post_history_instructions": "Stay {{char}}."}, OPERATOR)
    first, second = await source.parts(turn), await source.parts(again)
    await source.close()

    assert len(varying) == 2
    assert all(one is other for one, other in zip(first, second, strict=True))
    assert [part.content for part in first][-1] == "Stay Ao."


async def test_a_source_opens_while_the_storage_is_away() -> None:
    objects = InMemoryObjects()
    objects.is_down = True
    settings = CoreSettings(plugins=())

    async with open_character_source(
        Services(storage=objects, provider=ScriptedProvider(), settings=settings)
    ) as source:
        assert source.name == "characters"


async def test_a_large_book_is_compiled_once_and_then_scanned_in_time(
    client: httpx.AsyncClient, library: CharacterLibrary, provider: ScriptedProvider
) -> None:
    """The turns that come while it is being compiled have their card, and do not begin anew with it."""
    entries = [{"keys": [f"/word{n}\\b/"], "use_regex": True, "content": f"Entry {n}.", "id": n} for n in range(1_500)]
    aoi = await library.create(AOI.model_copy(update={"character_book": {"entries": entries}}), OPERATOR)
    sent: set[object] = set()
    for _ in range(50):
        await say(client, "word1499 and word3", character_id=str(aoi.id))
        sent = {message["content"] for message in provider.requests[-1].messages}
        assert "Ao sings for User." in sent
        if "Entry 3." in sent:
            break

    assert {"Entry 1499.", "Entry 3."} <= sent


_IDS = [uuid4() for _ in range(8)]


def _conversation(character_id: UUID, texts: list[str]) -> Conversation:
    messages = tuple(
        a_message(text, role="assistant" if place % 2 else "user").model_copy(update={"id": _IDS[place]})
        for place, text in enumerate(texts)
    )
    conversation = a_conversation().model_copy(update={"messages": messages, "character_id": character_id})
    return conversation.model_copy(update={"id": _IDS[7]})
