"""What prompt sources say reaches the model, and what goes wrong in one costs its parts alone."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from idolchat_core.prompt.parts import PromptPart, Slot
from idolchat_core.prompt.sources import PromptSource, PromptTurn
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns import prompting
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest


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
        asked = TurnRequest.model_validate({"messages": [{"role": "user", "content": text}], **request})
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
        asked = TurnRequest.model_validate({"messages": [{"role": "user", "content": "Hi"}]})
        turn = await turns.start(asked)
        await turn.ended()

        report = turns.prompt_report(turn.turn_id)

    assert report is not None
    assert [decision.part.source for decision in report.decisions] == ["lore"]
