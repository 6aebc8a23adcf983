"""A conversation with a character begins with her greeting, and her turns with what she brings."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from one_engine import ask, sent
from pydantic import JsonValue

from idolchat_core import Conversation, Message, ModelInfo
from idolchat_core.characters.joined import JoinedDirectories
from idolchat_core.conversations.branches import choose_head
from idolchat_core.errors import InvalidRequest, TurnNotRetryable
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.settings import CoreSettings
from idolchat_core.storage.integrity import issues_of
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import OnBusy, TurnOptions, TurnRequest

SMALL = ModelInfo(id="scripted/model", context_length=8192)
LARGE = ModelInfo(id="idol/large", context_length=8192)


@pytest.fixture
def llm() -> ScriptedProvider:
    return ScriptedProvider(models=(SMALL, LARGE))


@pytest.fixture
def directory() -> InMemoryDirectory:
    return InMemoryDirectory()


@pytest.fixture
async def turns(
    storage: InMemoryStorage, llm: ScriptedProvider, directory: InMemoryDirectory
) -> AsyncGenerator[TurnEngine]:
    characters = JoinedDirectories({"memory": directory})
    async with TurnEngine(storage, llm, settings=CoreSettings(shutdown_grace_s=0), characters=characters) as opened:
        yield opened


async def over(turn: LiveTurn) -> LiveTurn:
    await turn.ended()
    return turn


async def stored(storage: InMemoryStorage, turn: LiveTurn) -> list[Message]:
    return list((await storage.read(turn.conversation_id)).messages)


async def test_she_speaks_first(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    mika = directory.add("mika", "Hi! I am Mika.")
    llm.say("Thank you!")

    turn = await over(await turns.start(ask("Nice to meet you.", character_id=mika.id)))

    said = await stored(storage, turn)
    assert [message.content for message in said] == ["Hi! I am Mika.", "Nice to meet you.", "Thank you!"]
    assert (said[0].role, said[0].origin, said[0].turn_id) == ("assistant", "greeting", None)
    assert sent(llm) == [("assistant", "Hi! I am Mika."), ("user", "Nice to meet you.")]


async def test_her_alternates_stand_beside_it_and_can_be_chosen(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    mika = directory.add("mika", "Hi!", "You again?", "Hm?")
    first = await over(await turns.start(ask("One", character_id=mika.id)))
    assert sent(llm) == [("assistant", "Hi!"), ("user", "One")]

    again = (await stored(storage, first))[1]
    await choose_head(turns, storage, first.conversation_id, again.id)
    await over(await turns.start(ask("Two", conversation_id=first.conversation_id)))

    assert sent(llm) == [("assistant", "You again?"), ("user", "Two")]
    assert list(issues_of(await storage.read(first.conversation_id))) == []


class Written(InMemoryStorage):
    """Remembers how many messages each write brought."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[int] = []

    async def create(self, conversation: Conversation) -> str:
        self.writes.append(len(conversation.messages))
        return await super().create(conversation)

    async def append(self, conversation_id: UUID, messages: Sequence[Message], **how: Any) -> str | None:
        self.writes.append(len(messages))
        return await super().append(conversation_id, messages, **how)


async def test_it_is_one_write_with_the_users_message(llm: ScriptedProvider, directory: InMemoryDirectory) -> None:
    mika, storage = directory.add("mika", "Hi!", "You again?"), Written()
    characters = JoinedDirectories({"memory": directory})
    async with TurnEngine(storage, llm, settings=CoreSettings(), characters=characters) as turns:
        await over(await turns.start(ask("One", character_id=mika.id)))

    assert storage.writes == [3, 1]


@pytest.mark.parametrize(
    "request_of",
    [
        lambda mika: ask("Hi", character_id=mika, greeting=False),
        lambda mika: ask("Hi", character_id=uuid4()),
        lambda mika: ask("Hi"),
        lambda mika: ask("Hi", character_id=mika).model_copy(
            update={"messages": ask("Hi").messages + _replied(), "character_id": mika}
        ),
    ],
    ids=["declined", "no card", "no character", "a history of its own"],
)
async def test_nobody_greets(
    turns: TurnEngine, storage: InMemoryStorage, directory: InMemoryDirectory, request_of: Any
) -> None:
    mika = directory.add("mika", "Hi! I am Mika.")
    turn = await over(await turns.start(request_of(mika.id)))

    assert (await stored(storage, turn))[0].role == "user"


def _replied() -> tuple[Any, ...]:
    history = [{"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Sing!"}]
    return TurnRequest.model_validate({"messages": history}).messages


async def test_a_conversation_that_exists_gets_no_greeting(
    turns: TurnEngine, storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    mika = directory.add("mika", "Hi! I am Mika.")
    first = await over(await turns.start(ask("Hi", character_id=mika.id, greeting=False)))
    await over(await turns.start(ask("Again", conversation_id=first.conversation_id)))

    assert [message.role for message in await stored(storage, first)] == ["user", "assistant"] * 2


async def test_another_users_private_character_is_unknown(
    turns: TurnEngine, storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    ana, ben = uuid4(), uuid4()
    mika = directory.add("mika", "Just us.", owner_id=ana, is_private=True, model="idol/large")
    hers = await over(await turns.start(ask("Hi", character_id=mika.id, user_id=ana)))
    his = await over(await turns.start(ask("Hi", character_id=mika.id, user_id=ben)))

    assert [len(await stored(storage, turn)) for turn in (hers, his)] == [3, 2]
    assert [turn.model for turn in (hers, his)] == ["idol/large", "scripted/model"]


async def test_no_turn_touches_it(
    turns: TurnEngine, llm: ScriptedProvider, storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    mika = directory.add("mika", "Hi!", "You again?")
    turn = await over(await turns.start(ask("One", character_id=mika.id)))
    before = (await stored(storage, turn))[:2]
    where: dict[str, Any] = {"conversation_id": turn.conversation_id}

    await over(await turns.regenerate(turn.conversation_id, TurnOptions()))
    edited = await over(await turns.edit(turn.user_message_id, ask("Two", **where)))
    llm.say([asyncio.Event(), "never"])
    first = await turns.start(ask("Four", character_id=mika.id))
    await over(await turns.start(ask("Five", conversation_id=first.conversation_id, on_busy=OnBusy.ROLLBACK)))
    with pytest.raises(TurnNotRetryable, match="begins the conversation"):
        await turns.continue_reply(turn.conversation_id, before[0].id, TurnOptions())

    said = await stored(storage, turn)
    assert said[:2] == before
    assert next(message for message in said if message.id == edited.user_message_id).parent_id == before[0].id
    assert sent(llm) == [("assistant", "Hi!"), ("user", "Five")]
    for conversation_id in (turn.conversation_id, first.conversation_id):
        assert list(issues_of(await storage.read(conversation_id))) == []


async def test_a_greeting_alone_has_nothing_to_regenerate(
    turns: TurnEngine, storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    mika = directory.add("mika", "Hi!")
    turn = await over(await turns.start(ask("One", character_id=mika.id)))
    await choose_head(turns, storage, turn.conversation_id, (await stored(storage, turn))[0].id)

    with pytest.raises(TurnNotRetryable, match="no message to answer"):
        await turns.regenerate(turn.conversation_id, TurnOptions())
    with pytest.raises(InvalidRequest):
        await turns.start(
            TurnRequest.model_validate(
                {"messages": [{"role": "assistant", "content": "Hi!"}], "conversation_id": turn.conversation_id}
            )
        )


@pytest.mark.parametrize("knows_greeting", [True, False])
async def test_a_client_that_sends_the_whole_history_is_recognised(
    turns: TurnEngine, storage: InMemoryStorage, directory: InMemoryDirectory, knows_greeting: bool
) -> None:
    mika = directory.add("mika", "Hi!")
    turn = await over(await turns.start(ask("One", character_id=mika.id)))
    said = [{"role": message.role, "content": message.content} for message in await stored(storage, turn)]
    again = [*said[0 if knows_greeting else 1 :], {"role": "user", "content": "Two"}]

    request = {"messages": again, "conversation_id": turn.conversation_id}
    await over(await turns.start(TurnRequest.model_validate(request)))

    assert [message.content for message in await stored(storage, turn)] == ["Hi!", "One", "One", "Two", "Two"]


async def test_a_model_that_wants_the_user_first_is_told_the_greeting(
    storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    mika = directory.add("mika", "Hi! I am Mika.")
    llm = ScriptedProvider(
        models=(ModelInfo(id="strict", context_length=8192, assistant_first=False),), default_model="strict"
    )
    characters = JoinedDirectories({"memory": directory})
    async with TurnEngine(storage, llm, settings=CoreSettings(), characters=characters) as turns:
        first = await over(await turns.start(ask("One", character_id=mika.id)))
        await over(await turns.start(ask("Two", conversation_id=first.conversation_id)))

    assert sent(llm) == [
        ("system", "You began this conversation by saying:\n\nHi! I am Mika."),
        ("user", "One"),
        ("assistant", "One"),
        ("user", "Two"),
    ]


OPTIONS: Mapping[str, JsonValue] = {"temperature": 0.7, "max_tokens": 200}


@pytest.mark.parametrize(
    ("asked", "model", "options"),
    [
        ({}, "idol/large", {"temperature": 0.7, "max_tokens": 200}),
        ({"temperature": 0.1}, "idol/large", {"temperature": 0.1, "max_tokens": 200}),
        ({"max_completion_tokens": 9}, "idol/large", {"temperature": 0.7, "max_completion_tokens": 9}),
        ({"model": "scripted/model"}, "scripted/model", {"temperature": 0.7, "max_tokens": 200}),
    ],
)
async def test_her_model_and_options_are_taken_where_the_request_names_none(
    turns: TurnEngine,
    llm: ScriptedProvider,
    directory: InMemoryDirectory,
    asked: Mapping[str, Any],
    model: str,
    options: Mapping[str, Any],
) -> None:
    mika = directory.add("mika", model="idol/large", options=OPTIONS)
    first = await over(await turns.start(ask("Hi", character_id=mika.id)))
    turn = await over(await turns.start(ask("Hi", conversation_id=first.conversation_id, **asked)))

    assert (llm.requests[-1].model, llm.requests[-1].options, turn.model) == (model, options, model)


async def test_they_hold_for_every_other_reply_of_hers(
    turns: TurnEngine, llm: ScriptedProvider, directory: InMemoryDirectory
) -> None:
    mika = directory.add("mika", model="idol/large", options=OPTIONS)
    turn = await over(await turns.start(ask("Hi", character_id=mika.id)))
    where = turn.conversation_id
    await over(await turns.regenerate(where, TurnOptions()))
    edited = await over(await turns.edit(turn.user_message_id, ask("Ho", conversation_id=where)))
    reply_id = edited.message_id
    await over(await turns.continue_reply(where, reply_id, TurnOptions()))

    assert {request.model for request in llm.requests} == {"idol/large"}
    assert [request.options for request in llm.requests] == [OPTIONS] * 4


async def test_a_conversation_without_a_character_asks_no_directory(
    turns: TurnEngine, directory: InMemoryDirectory
) -> None:
    directory.add("mika", "Hi!")
    await over(await turns.start(ask("Hi")))

    assert directory.asked == 0


async def test_an_imported_name_of_a_character_is_no_id(
    turns: TurnEngine, storage: InMemoryStorage, directory: InMemoryDirectory
) -> None:
    turn = await over(await turns.start(ask("Hi")))
    document = (await storage.read(turn.conversation_id)).model_copy(update={"character_id": "Mika"})
    await storage.put(document)
    turns.forget(UUID(str(document.id)))
    await over(await turns.start(ask("Hi", conversation_id=turn.conversation_id)))

    assert directory.asked == 0
