"""What prompt sources say reaches the model, and what goes wrong in one costs its parts alone."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from one_engine import ask

from idolchat_core.errors import TurnExpired, TurnNotFound
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.prompt.parts import PromptPart, Slot
from idolchat_core.prompt.sources import PromptSource, PromptTurn
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns import prompting
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.prompt_records import PromptRecords, forget_naming


class Lore(PromptSource):
    """Says what it is told."""

    name: ClassVar[str] = "lore"
    max_share: ClassVar[float] = 0.1

    def __init__(self, *said: PromptPart) -> None:
        self.said = said
        self.turns: list[PromptTurn] = []

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        self.turns.append(turn)
        return self.said


class Broken(Lore):
    name: ClassVar[str] = "broken"

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        raise RuntimeError("a fault of the plugin")


class Slow(Lore):
    name: ClassVar[str] = "slow"

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        await asyncio.Event().wait()
        return ()


MOON = PromptPart("lore", "1", "The stage is on the moon.", Slot.TAIL, stability="turn")


async def prompt_with(*sources: PromptSource, text: str = "Sing!", **request: Any) -> list[Any]:
    llm = ScriptedProvider()
    settings = CoreSettings(system_prompt="You are Mira.")
    async with TurnEngine(InMemoryStorage(), llm, settings=settings, prompt_sources=sources) as turns:
        asked = ask(text, **request)
        await (await turns.start(asked)).ended()
    return [message["content"] for message in llm.requests[-1].messages]


async def test_what_a_source_says_is_in_the_prompt() -> None:
    assert await prompt_with(Lore(MOON)) == ["You are Mira.", MOON.content, "Sing!"]


@pytest.mark.parametrize("faulty", [Broken, Slow])
async def test_a_source_that_fails_or_is_slow_costs_its_parts_and_not_the_turn(
    faulty: type[Lore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompting, "SOURCE_TIMEOUT_S", 0.01)

    assert await prompt_with(faulty(), Lore(MOON)) == ["You are Mira.", MOON.content, "Sing!"]


class Says(Lore):
    """Returns whatever it is given, as no type checker would let it."""

    name: ClassVar[str] = "says"

    def __init__(self, said: Any) -> None:
        self.anything = said

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        return self.anything  # type: ignore[no-any-return]


class Silent(Lore):
    """Has nothing to say, and says so, when the user says nothing of the moon."""

    def is_silent(self, turn: PromptTurn) -> bool:
        return "moon" not in turn.history[-1].sent["content"]


async def test_a_source_that_is_silent_is_not_asked() -> None:
    source = Silent(MOON)

    assert await prompt_with(source) == ["You are Mira.", "Sing!"]
    assert source.turns == []
    assert await prompt_with(source, text="To the moon!") == ["You are Mira.", MOON.content, "To the moon!"]


class SilentByFault(Lore):
    name: ClassVar[str] = "faulty"

    def is_silent(self, turn: PromptTurn) -> bool:
        raise RuntimeError("a fault of the plugin")


async def test_a_source_that_fails_to_say_whether_it_is_silent_costs_its_parts_and_is_named() -> None:
    sources = [SilentByFault(MOON), Lore(MOON)]
    llm = ScriptedProvider()
    async with TurnEngine(InMemoryStorage(), llm, settings=CoreSettings(), prompt_sources=sources) as turns:
        turn = await turns.start(ask("Hi"))
        await turn.ended()
        explained = await turns.explain_prompt(turn.turn_id)

    assert [message["content"] for message in llm.requests[-1].messages] == [MOON.content, "Hi"]
    assert explained.failures == {"faulty": "failed with RuntimeError; the server's log says more"}


class CancelsItself(Lore):
    name: ClassVar[str] = "cancels"

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        raise asyncio.CancelledError


class WillNotStop(Lore):
    name: ClassVar[str] = "stubborn"

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        for _ in range(3):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(30)
        return ()


class Forgets(Lore):
    """Takes the history for a list of its own."""

    name: ClassVar[str] = "forgets"

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        turn.history.clear()  # type: ignore[attr-defined]
        return ()


def changed(**values: Any) -> PromptPart:
    """Change a part as no type checker would let it."""
    return MOON._replace(**values)


WRONG = [
    5,
    None,
    ["a text"],
    [changed(content=5)],
    [changed(content=[5])],
    [changed(content=[{"type": object()}])],
    [changed(key=5)],
    [changed(slot="moon")],
    [changed(role="ghost")],
    [changed(stability="never")],
    [changed(priority="high")],
    [changed(order=None)],
    [changed(depth="deep")],
    [changed(name=5)],
    [changed(why=5)],
    [changed(content="x" * 10_000_000)],
    [changed(content="x" * 10_000_000, stability="conversation", slot=Slot.SYSTEM)],
]


@pytest.mark.parametrize("said", WRONG, ids=range(len(WRONG)))
async def test_parts_of_wrong_types_or_too_large_cost_the_source_its_parts_and_not_the_turn(said: Any) -> None:
    assert await prompt_with(Says(said), Lore(MOON)) == ["You are Mira.", MOON.content, "Sing!"]


@pytest.mark.parametrize("source", [CancelsItself, WillNotStop, Forgets])
async def test_a_source_that_does_what_it_must_not_costs_its_parts_and_not_the_turn(
    source: type[Lore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompting, "SOURCE_TIMEOUT_S", 0.05)

    async with asyncio.timeout(25):
        assert await prompt_with(source(), Lore(MOON)) == ["You are Mira.", MOON.content, "Sing!"]


async def test_a_reason_that_json_cannot_hold_costs_nothing() -> None:
    why = {"score": float("nan"), "by": object()}

    assert await prompt_with(Lore(MOON._replace(why=why))) == ["You are Mira.", MOON.content, "Sing!"]


async def test_a_source_is_told_of_the_turn_and_of_the_room_it_has() -> None:
    lore, user_id = Lore(), uuid4()
    await prompt_with(lore, user_id=str(user_id))

    [turn] = lore.turns
    assert (turn.user_id, turn.generation, [entry.sent["content"] for entry in turn.history]) == (
        user_id,
        "normal",
        ["Sing!"],
    )
    assert (turn.window_tokens, turn.budget_tokens) == (8192, 819)
    assert 0 < turn.count("The stage is on the moon.") < 20


async def test_a_source_cannot_speak_under_the_name_of_another() -> None:
    llm, liar = ScriptedProvider(), Lore(MOON._replace(source="core"))
    async with TurnEngine(InMemoryStorage(), llm, settings=CoreSettings(), prompt_sources=[liar]) as turns:
        asked = ask("Hi")
        turn = await turns.start(asked)
        await turn.ended()

        explained = await turns.explain_prompt(turn.turn_id)

    assert [part.source for part in explained.parts] == ["lore"]


@pytest.fixture
async def explained() -> tuple[InMemoryStorage, list[LiveTurn]]:
    """Two turns of a conversation, with a source that speaks and one that fails."""
    storage, begun = InMemoryStorage(), list[LiveTurn]()
    sources = [Lore(MOON._replace(why={"matched": "moon"})), Broken()]
    settings = CoreSettings(system_prompt="You are Mira.")
    async with TurnEngine(storage, ScriptedProvider(), settings=settings, prompt_sources=sources) as turns:
        for text in ("Hi", "Sing!"):
            more = {"conversation_id": str(begun[0].conversation_id)} if begun else {}
            asked = ask(text, **more)
            begun.append(await turns.start(asked))
            await begun[-1].ended()
    return storage, begun


async def test_an_explanation_is_kept_over_a_restart_and_says_what_was_shared(
    explained: tuple[InMemoryStorage, list[LiveTurn]],
) -> None:
    storage, (first, second) = explained
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings()) as turns:
        before = await turns.explain_prompt(first.turn_id)
        after = await turns.explain_prompt(second.turn_id)

    assert (before.shared_tokens, after.history_messages, after.left_out_messages) == (None, 3, 0)
    assert 0 < (after.shared_tokens or 0) < after.tokens
    assert [(part.key, part.included, dict(part.why)) for part in after.parts] == [
        ("system_prompt", True, {}),
        ("1", True, {"matched": "moon"}),
    ]
    assert after.failures == {"broken": "failed with RuntimeError; the server's log says more"}


async def test_no_word_of_anybody_is_in_what_is_kept(explained: tuple[InMemoryStorage, list[LiveTurn]]) -> None:
    storage, (first, _) = explained
    namespace = f"prompts.{first.conversation_id}"
    [name] = await storage.list_records(namespace)
    kept = (await storage.get_record(namespace, name) or b"").split(b"\n")

    assert len(kept) == 2
    assert not any(word in value for value in kept for word in (b"Sing", b"Mira", b"stage"))


async def test_explanations_go_with_their_conversation(explained: tuple[InMemoryStorage, list[LiveTurn]]) -> None:
    storage, (first, _) = explained
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings()) as turns:
        await turns.stop_all(first.conversation_id)

    assert await storage.list_records(f"prompts.{first.conversation_id}") == []


async def test_explanations_go_when_their_time_is_over(explained: tuple[InMemoryStorage, list[LiveTurn]]) -> None:
    storage, (first, _) = explained
    namespace = f"prompts.{first.conversation_id}"
    await storage.put_record(namespace, f"20200101.{first.turn_id}", b"{}")
    await PromptRecords(storage, kept_days=30).prune()

    assert len(await storage.list_records(namespace)) == 1


async def test_of_explanations_written_together_only_those_go_that_name_what_is_forgotten(
    explained: tuple[InMemoryStorage, list[LiveTurn]],
) -> None:
    storage, (first, second) = explained
    await forget_naming(storage, first.conversation_id, str(first.turn_id))
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings()) as turns:
        kept = await turns.explain_prompt(second.turn_id)
        with pytest.raises(TurnExpired):
            await turns.explain_prompt(first.turn_id)

    assert kept.turn_id == second.turn_id


async def test_what_is_not_written_yet_is_explained_and_forgotten_as_what_is() -> None:
    storage, sources = InMemoryStorage(), [Lore(MOON._replace(why={"message_id": "m1"}))]
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings(), prompt_sources=sources) as turns:
        turn = await turns.start(ask("Hi"))
        await turn.ended()
        explained = await turns.explain_prompt(turn.turn_id)
        await forget_naming(storage, turn.conversation_id, "m1")
        with pytest.raises(TurnExpired):
            await turns.explain_prompt(turn.turn_id)

    assert [part.why for part in explained.parts] == [{"message_id": "m1"}]
    assert await storage.list_records(f"prompts.{turn.conversation_id}") == []


async def test_a_turn_whose_prompt_is_not_known_any_more_has_expired() -> None:
    storage = InMemoryStorage()
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings()) as turns:
        turn = await turns.start(ask("Hi"))
        await turn.ended()
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings()) as turns:
        with pytest.raises(TurnExpired):
            await turns.explain_prompt(turn.turn_id)
        with pytest.raises(TurnNotFound):
            await turns.explain_prompt(uuid4())
