"""Several characters in one conversation: who answers, and what she hears of the others."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import pytest

from idolchat_core import Conversation, DirectoryEntry, ModelInfo, PromptPart, PromptSource, PromptTurn
from idolchat_core.characters.cast import NextSpeaker
from idolchat_core.characters.joined import JoinedDirectories
from idolchat_core.conversations.beginning import begin
from idolchat_core.conversations.branches import change, fork
from idolchat_core.errors import ConversationMismatch, InvalidRequest
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.models import Message, new_id, utc_now
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnOptions, TurnRequest

IN_TURN = NextSpeaker.IN_TURN
MODELS = tuple(ModelInfo(id=name, context_length=8192) for name in ("scripted/model", "idol/rin"))


class Heard(PromptSource):
    """Remembers the turns that it was asked about."""

    name = "heard"

    def __init__(self) -> None:
        self.turns: list[PromptTurn] = []

    async def parts(self, turn: PromptTurn) -> list[PromptPart]:
        self.turns.append(turn)
        return []


class Stage:
    """A group of Mika, who greets, and Rin, who has a model of her own."""

    def __init__(self) -> None:
        self.storage, self.llm = InMemoryStorage(), ScriptedProvider(models=MODELS)
        self.others: dict[UUID | None, str | None] = {}
        self.directory, self.source = InMemoryDirectory(), Heard()
        self.mika = self.directory.add("mika", "Hi, you two!")
        self.rin = self.directory.add("rin", model="idol/rin")
        self.characters = JoinedDirectories({"memory": self.directory})
        self.turns = TurnEngine(
            self.storage,
            self.llm,
            settings=CoreSettings(shutdown_grace_s=0),
            characters=self.characters,
            prompt_sources=[self.source],
        )

    async def begin(self, *others: DirectoryEntry, **fields: Any) -> UUID:
        members = (self.mika.id, self.rin.id, *(other.id for other in others))
        now = utc_now()
        group = Conversation(
            id=uuid4(), created_at=now, character_id=self.mika.id, character_ids=members, updated_at=now, **fields
        )
        if group.messages:
            await self.storage.create(group)
            return group.id
        mika = await self.characters.find(self.mika.id, None)
        return (await begin(self.storage, self.characters, group, mika))[0].id

    async def say(self, where: UUID, text: str, reply: str | None = None, **more: Any) -> LiveTurn:
        if reply is not None:
            self.llm.say(reply)
        said = {"messages": [{"role": "user", "content": text}], "conversation_id": where, **more}
        turn = await self.turns.start(TurnRequest.model_validate(said))
        await turn.ended()
        return turn

    async def speakers(self, where: UUID) -> list[str | None]:
        names = {self.mika.id: "mika", self.rin.id: "rin", None: None} | self.others
        return [names[message.character_id] for message in (await self.storage.read(where)).messages]  # type: ignore[index]

    @property
    def sent(self) -> list[tuple[str, Any]]:
        return [(message["role"], message["content"]) for message in self.llm.requests[-1].messages]


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    stage = Stage()
    async with stage.turns:
        yield stage


async def test_whom_the_user_names_answers_with_what_she_brings(stage: Stage) -> None:
    where = await stage.begin()
    turn = await stage.say(where, "Rin, sing!", "La la la")

    assert await stage.speakers(where) == ["mika", None, "rin"]
    assert (stage.llm.requests[-1].model, turn.model) == ("idol/rin", "idol/rin")


async def test_the_replies_of_others_begin_with_their_names(stage: Stage) -> None:
    where = await stage.begin()
    await stage.say(where, "Rin, sing!", "La la la")
    await stage.say(where, "And you, Mika?", "Me too")

    _, *heard = stage.sent
    assert heard == [
        ("assistant", "Hi, you two!"),
        ("user", "Rin, sing!"),
        ("assistant", "Rin: La la la"),
        ("user", "And you, Mika?"),
    ]
    assert "with Rin, you are Mika." in stage.sent[0][1]


async def test_replies_of_several_are_never_joined(stage: Stage) -> None:
    where = await stage.begin()
    first = await stage.say(where, "Rin?", "Yes?")
    question = await stage.storage.read(where)
    await stage.storage.replace_message(
        where, question.messages[1].model_copy(update={"content": None, "deleted_at": utc_now()})
    )
    stage.turns.forget(where)
    await stage.say(where, "Go on, Rin", "La")

    assert first.conversation_id == where
    assert [text for role, text in stage.sent if role == "assistant"] == ["Mika: Hi, you two!", "Yes?"]


async def test_a_request_names_who_answers(stage: Stage) -> None:
    where = await stage.begin()
    await stage.say(where, "Mika?", "No, me", next_character_id=stage.rin.id)

    assert (await stage.speakers(where))[-1] == "rin"
    assert stage.source.turns[-1].next_character_id == stage.rin.id
    assert stage.source.turns[-1].character_ids == (stage.mika.id, stage.rin.id)


@pytest.mark.parametrize("how", ["in_turn", "mention"])
async def test_in_turn_one_follows_the_other(stage: Stage, how: str) -> None:
    where = await stage.begin(next_speaker=how)
    for _ in range(3):
        await stage.say(where, "La?")

    assert (await stage.speakers(where))[2::2] == ["rin", "mika", "rin"]


async def test_whom_the_first_message_names_answers_it_when_it_is_answered_later(stage: Stage) -> None:
    where = await stage.begin(messages=(Message(id=new_id(), role="user", content="Rin, sing!", timestamp=utc_now()),))
    await (await stage.turns.regenerate(where, TurnOptions())).ended()

    assert await stage.speakers(where) == [None, "rin"]


async def test_turns_that_wait_know_who_spoke_last(stage: Stage) -> None:
    where = await stage.begin(next_speaker="in_turn")
    go_on = asyncio.Event()
    stage.llm.say([go_on, "first"], "second", "third")
    said = [{"messages": [{"role": "user", "content": "La?"}], "conversation_id": where} for _ in range(3)]
    turns = [await stage.turns.start(TurnRequest.model_validate(one)) for one in said]
    go_on.set()
    for turn in turns:
        await turn.ended()

    spoken = [name for name in await stage.speakers(where) if name]
    assert spoken == ["mika", "rin", "mika", "rin"]


async def test_whoever_takes_no_part_cannot_be_named(stage: Stage) -> None:
    where, stranger = await stage.begin(), stage.directory.add("yui")

    with pytest.raises(InvalidRequest, match="takes no part") as refused:
        await stage.say(where, "Yui?", next_character_id=stranger.id)
    with pytest.raises(ConversationMismatch):
        await stage.say(where, "Yui?", character_id=stranger.id)
    assert refused.value.param == "next_character_id"
    assert await stage.speakers(where) == ["mika"]


async def test_each_of_them_may_be_named_as_the_character(stage: Stage) -> None:
    where = await stage.begin()
    await stage.say(where, "La?", character_id=stage.rin.id)

    assert await stage.speakers(where) == ["mika", None, "rin"]


async def test_a_reply_is_made_anew_and_continued_by_who_gave_it(stage: Stage) -> None:
    where = await stage.begin(next_speaker="in_turn")
    first = await stage.say(where, "La?", "La la")
    await (await stage.turns.regenerate(where, TurnOptions())).ended()
    continued = await stage.turns.continue_reply(where, first.message_id, TurnOptions())
    await continued.ended()
    with pytest.raises(InvalidRequest, match="by who gave it"):
        await stage.turns.continue_reply(where, first.message_id, TurnOptions(next_character_id=stage.mika.id))
    other = await stage.turns.regenerate(where, TurnOptions(next_character_id=stage.mika.id))
    await other.ended()

    assert (await stage.speakers(where))[2:] == ["rin", "rin", "rin", "mika"]


async def test_a_fork_has_the_same_group(stage: Stage) -> None:
    where = await stage.begin(next_speaker="in_turn")
    await stage.say(where, "La?", "La la")
    forked = await fork(stage.storage, where, plugins=load_plugins(installed=False))
    await stage.say(forked.id, "Again?", "La")

    assert (forked.character_ids, forked.next_speaker) == ((stage.mika.id, stage.rin.id), "in_turn")
    assert await stage.speakers(forked.id) == ["mika", None, "rin", None, "mika"]


async def test_whoever_joins_knows_who_spoke_before_and_whoever_left_keeps_her_name(stage: Stage) -> None:
    miku = stage.directory.add("miku")
    stage.others[miku.id] = "miku"
    alone = await stage.say(uuid4(), "Hi!", "Just us.", character_id=stage.mika.id)
    where, first = alone.conversation_id, stage.mika.id
    await change(stage.turns, stage.storage, where, character_ids=(first, stage.rin.id), next_speaker=IN_TURN)
    await stage.say(where, "Rin has come.", "Hello.")
    await change(stage.turns, stage.storage, where, character_ids=(first, miku.id))
    await stage.say(where, "Miku, too.", "Hey.", next_character_id=miku.id)

    assert await stage.speakers(where) == [None, None, None, None, "rin", None, "miku"]
    assert [text for role, text in stage.sent if role == "assistant"] == [
        "Mika: Hi, you two!",
        "Mika: Just us.",
        "Rin: Hello.",
    ]


async def test_whoever_left_keeps_her_name_in_a_long_conversation_that_is_read_anew(stage: Stage) -> None:
    where = await stage.begin(next_speaker="in_turn")
    await stage.say(where, "La?", "Hello.")
    miku = stage.directory.add("miku")
    await change(stage.turns, stage.storage, where, character_ids=(stage.mika.id, miku.id))
    for _ in range(40):
        await stage.say(where, "La?", "La")
    stage.turns.forget(where)
    await stage.say(where, "La?", "La")

    assert ("assistant", "Rin: Hello.") in stage.sent


@pytest.mark.parametrize("members", [["rin", "mika"], ["mika"], ["mika", "mika"], ["mika", "rin", "rin"]])
async def test_the_first_of_a_group_stays_and_each_is_named_once(stage: Stage, members: list[str]) -> None:
    where = await stage.begin()
    ids = {"mika": stage.mika.id, "rin": stage.rin.id}

    with pytest.raises(InvalidRequest, match="with whom it began, and at least one other"):
        await change(stage.turns, stage.storage, where, character_ids=[ids[name] for name in members])


async def test_a_conversation_with_one_character_says_nothing_of_it(stage: Stage) -> None:
    stage.llm.say("Hello")
    turn = await stage.turns.start(
        TurnRequest.model_validate(
            {
                "messages": [{"role": "user", "content": "Hi"}],
                "character_id": stage.mika.id,
                "next_character_id": stage.mika.id,
            }
        )
    )
    await turn.ended()
    stored = (await stage.storage.read(turn.conversation_id)).model_dump(exclude_unset=True)

    assert {"character_ids", "next_speaker"}.isdisjoint(stored)
    assert all("character_id" not in message for message in stored["messages"])
    assert stage.sent == [("assistant", "Hi, you two!"), ("user", "Hi")]
