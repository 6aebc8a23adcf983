"""How full the context window is, what was cut, and what stands for that."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar
from uuid import UUID, uuid4

import pytest

from idolchat_core.errors import ConversationNotFound
from idolchat_core.llm.contract import ModelInfo
from idolchat_core.prompt.parts import PromptPart, Slot
from idolchat_core.prompt.sources import HistoryWindow, PromptSource, PromptTurn
from idolchat_core.settings import CoreSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest

WINDOW = 1200


class Summarises(PromptSource):
    """Sums up what is about to fall out, at once, and says that it did."""

    name: ClassVar[str] = "summary"
    max_share: ClassVar[float] = 0.1

    def __init__(self) -> None:
        self.windows: list[HistoryWindow] = []
        self.made: list[PromptPart] = []

    async def parts(self, turn: PromptTurn) -> Sequence[PromptPart]:
        return self.made

    def built(self, window: HistoryWindow) -> None:
        self.windows.append(window)
        ids = [entry.id for entry in window.turn.history]
        if window.next_cut is not None and not any(part.key == str(window.next_cut) for part in self.made):
            last = ids[ids.index(window.next_cut) - 1]
            part = PromptPart(
                self.name, str(window.next_cut), f"Summary {len(self.made)}", Slot.SUMMARY, stability="cut"
            )
            self.made.append(part._replace(stands_for=last))


@asynccontextmanager
async def engine(storage: InMemoryStorage, *sources: PromptSource) -> AsyncIterator[TurnEngine]:
    llm = ScriptedProvider(models=[ModelInfo(id="scripted/model", context_length=WINDOW)])
    settings = CoreSettings(system_prompt="You are Mira.", shutdown_grace_s=0)
    async with TurnEngine(storage, llm, settings=settings, prompt_sources=sources) as turns:
        yield turns


async def talk(turns: TurnEngine, *, times: int, conversation_id: UUID | None = None) -> UUID:
    for number in range(times):
        message = {"role": "user", "content": f"{number} la la la la la la la la la la"}
        asked = TurnRequest.model_validate({"messages": [message], "conversation_id": conversation_id})
        turn = await turns.start(asked)
        await turn.ended()
        conversation_id = turn.conversation_id
    assert conversation_id is not None
    return conversation_id


async def test_a_short_conversation_is_in_the_window_as_a_whole() -> None:
    async with engine(InMemoryStorage()) as turns:
        conversation_id = await talk(turns, times=2)
        window = await turns.window(conversation_id)

    assert (window.window_tokens, window.history_messages, window.is_cut) == (WINDOW, 4, False)
    assert window.left_out_messages == 0
    assert window.prompt_tokens + window.free_tokens + window.reserved_tokens + window.reply_tokens <= WINDOW + 2


async def test_what_was_cut_is_told_and_by_which_summary_it_is_stood_for() -> None:
    source = Summarises()
    async with engine(InMemoryStorage(), source) as turns:
        conversation_id = await talk(turns, times=60)
        window = await turns.window(conversation_id)

    assert window.is_cut
    assert window.left_out_messages + window.history_messages == 120
    assert window.summary is not None
    assert window.summary.key == str(window.begins_with)


async def test_the_history_begins_where_it_began_before_a_restart() -> None:
    storage, source = InMemoryStorage(), Summarises()
    async with engine(storage, source) as turns:
        conversation_id = await talk(turns, times=60)
        before = await turns.window(conversation_id)
    async with engine(storage, source) as turns:
        after = await turns.window(conversation_id)

    assert after.begins_with == before.begins_with


async def test_a_source_learns_of_a_cut_before_it_comes() -> None:
    source = Summarises()
    async with engine(InMemoryStorage(), source) as turns:
        await talk(turns, times=60)

    cuts = [window.begins_with for window in source.windows]
    predicted = [window.next_cut for window in source.windows if window.next_cut is not None]
    assert predicted
    assert {cut for cut in cuts if cut is not None} <= set(predicted)


async def test_reading_it_tells_no_source_of_a_prompt() -> None:
    source = Summarises()
    async with engine(InMemoryStorage(), source) as turns:
        conversation_id = await talk(turns, times=60)
        count = len(source.windows)
        await turns.window(conversation_id)

    assert len(source.windows) == count > 0


async def test_of_a_short_conversation_no_source_is_told() -> None:
    source = Summarises()
    async with engine(InMemoryStorage(), source) as turns:
        await talk(turns, times=2)

    assert source.windows == []


async def test_a_conversation_that_is_not_there_has_no_window() -> None:
    async with engine(InMemoryStorage()) as turns:
        with pytest.raises(ConversationNotFound):
            await turns.window(uuid4())
