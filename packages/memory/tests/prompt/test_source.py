"""What is recalled in the prompts of a real server, and what is not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Talk

from idolchat_core import PromptSource, Storage, read_settings
from idolchat_core.testing import PromptSourceConformance
from idolchat_memory.prompt import RecallSource
from idolchat_memory.service import open_memory
from idolchat_memory.settings import MemorySettings


class TestRecallSource(PromptSourceConformance):
    @pytest.fixture
    async def source(self, storage: Storage, tmp_path: Path) -> AsyncGenerator[PromptSource]:
        settings = read_settings(MemorySettings, data_dir=tmp_path, semantic="off")
        async with open_memory(settings, storage) as memory:
            yield RecallSource(memory)


async def test_what_was_said_in_another_conversation_is_recalled(talk: Talk) -> None:
    await talk.say("My dog is called Biscuit")
    await talk.indexed("dog")

    answer = await talk.say("What is the name of my dog?")

    assert "today, the user said] My dog is called Biscuit" in talk.recalled
    [part] = await talk.explained(answer)
    assert (part["slot"], part["why"]["matched"], part["included"]) == ("tail", ["dog"], True)
    assert part["key"] == part["why"]["message_id"]
