"""What users choose, in one process and in several."""

import asyncio

import pytest

from idolchat_core import StorageUnavailable
from idolchat_core.testing import InMemoryStorage, LosesAnAnswer
from idolchat_memory.choices import MemoryChoice, MemoryChoices

MIA = "5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e"


async def test_who_changes_one_choice_leaves_the_other_as_another_process_has_stored_it() -> None:
    storage = InMemoryStorage()
    one, other = MemoryChoices(storage), MemoryChoices(storage)
    assert await other.of(MIA) == MemoryChoice()
    await one.change(MIA, recall=False)

    assert await other.change(MIA, cross_character=True) == MemoryChoice(recall=False, cross_character=True)
    assert await one.read(MIA) == MemoryChoice(recall=False, cross_character=True)


async def test_choices_that_are_made_at_once_are_both_stored() -> None:
    choices = MemoryChoices(InMemoryStorage())
    await asyncio.gather(choices.change(MIA, recall=False), choices.change(MIA, cross_character=True))

    assert await choices.of(MIA) == MemoryChoice(recall=False, cross_character=True)


async def test_a_choice_whose_storing_was_not_answered_holds_at_once() -> None:
    storage = LosesAnAnswer()
    choices = MemoryChoices(storage)
    assert await choices.of(MIA) == MemoryChoice()
    storage.loses = "memory-choices"
    with pytest.raises(StorageUnavailable):
        await choices.change(MIA, recall=False)

    assert await choices.of(MIA) == MemoryChoice(recall=False)
