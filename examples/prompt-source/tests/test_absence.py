"""The example is right when it passes the kit, and says what it is there to say."""

import pytest
from idolchat_absence import Absence

from idolchat_core import PromptSource, Storage
from idolchat_core.testing import (
    InMemoryStorage,
    PromptSourceConformance,
    a_conversation,
    a_message,
    a_prompt_turn,
)


class TestAbsence(PromptSourceConformance):
    """The kit asks for a source over a storage."""

    @pytest.fixture
    def source(self, storage: Storage) -> PromptSource:
        return Absence(storage)


@pytest.mark.parametrize(("days", "said"), [(0, 0), (12, 1)])
async def test_an_absence_of_more_than_a_day_is_noticed(days: int, said: int) -> None:
    storage = InMemoryStorage()
    before, newest = a_message("Bye!"), a_message("Hi", after_s=days * 86400)
    conversation = a_conversation().model_copy(update={"messages": (before, newest)})
    await storage.create(conversation)
    parts = await Absence(storage).parts(a_prompt_turn(conversation))

    assert [part.why for part in parts] == [{"away_days": 12}] * said
