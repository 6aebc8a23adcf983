"""The contract of a prompt source, as a pytest class: override the fixture ``source``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from idolchat_core.llm.token_estimator import message_size, text_size
from idolchat_core.models import Conversation, Page, new_id
from idolchat_core.prompt.history import History
from idolchat_core.prompt.parts import PromptPart
from idolchat_core.prompt.sources import PromptSource, PromptTurn
from idolchat_core.storage.contract import Storage
from idolchat_core.testing.memory import InMemoryStorage
from idolchat_core.testing.storage import a_conversation, a_message

__all__ = ["PromptSourceConformance", "a_prompt_turn"]

_WINDOW_TOKENS = 8192
_TIMEOUT_S = 0.25
_ATTEMPTS = 20


def a_prompt_turn(conversation: Conversation, *, budget_tokens: int = 800) -> PromptTurn:
    """Make the turn that answers the last message of a conversation."""
    history = History(Page(conversation=conversation, start=0, total=len(conversation.messages), revision=""))
    return PromptTurn(
        conversation_id=conversation.id,
        turn_id=new_id(),
        user_message_id=history.path[-1].id,
        user_id=conversation.user_id,
        character_id=conversation.character_id,
        next_character_id=conversation.character_id,
        character_ids=conversation.character_ids or (),
        persona_id=conversation.persona_id,
        model=None,
        generation="normal",
        history=history.path,
        cut=None,
        reading=history.reading,
        started_at=conversation.created_at,
        window_tokens=_WINDOW_TOKENS,
        budget_tokens=budget_tokens,
        count=lambda text: round(text_size(text)),
    )


class PromptSourceConformance:
    """What the turn engine relies on. ``storage`` holds ``conversation``; both fixtures may be overridden."""

    @pytest.fixture
    def source(self, storage: Storage) -> PromptSource:
        """The source under test."""
        raise NotImplementedError("override the fixture `source`")

    @pytest.fixture
    def conversation(self) -> Conversation:
        """A conversation whose last message is to be answered."""
        messages = (a_message("Hi"), a_message("Hello!", role="assistant"), a_message("Sing!"))
        return a_conversation().model_copy(update={"messages": messages})

    @pytest.fixture
    async def storage(self, conversation: Conversation) -> Storage:
        """A storage that holds it."""
        storage = InMemoryStorage()
        await storage.create(conversation)
        return storage

    @pytest.fixture
    def turn(self, conversation: Conversation) -> PromptTurn:
        """The turn that answers it."""
        return a_prompt_turn(conversation)

    def test_its_name_can_stand_in_explanations(self, source: PromptSource) -> None:
        assert source.name == source.name.strip().lower() != ""

    def test_its_share_of_the_window_is_no_more_than_a_fifth(self, source: PromptSource) -> None:
        assert 0 <= source.max_share <= 0.2

    async def test_it_answers_in_time(self, source: PromptSource, turn: PromptTurn) -> None:
        for _ in range(_ATTEMPTS):  # the machine may be busy with something else, but not each time
            with suppress(TimeoutError):
                async with asyncio.timeout(_TIMEOUT_S):
                    await source.parts(turn)
                return
        pytest.fail(f"the source does not answer within {_TIMEOUT_S:g} s")

    async def test_its_parts_have_keys_of_their_own(self, source: PromptSource, turn: PromptTurn) -> None:
        keys = [part.key for part in await source.parts(turn)]

        assert len(set(keys)) == len(keys)

    async def test_it_says_the_same_when_it_is_asked_again(self, source: PromptSource, turn: PromptTurn) -> None:
        """A prompt is built twice where the first was too long, and explained afterwards."""
        assert await source.parts(turn) == await source.parts(turn)

    async def test_a_silent_one_says_nothing(self, source: PromptSource, turn: PromptTurn) -> None:
        await source.parts(turn)  # what is known without waiting may be known from now on

        assert not (source.is_silent(turn) and await source.parts(turn))

    async def test_no_part_is_empty(self, source: PromptSource, turn: PromptTurn) -> None:
        assert all(part.content for part in await source.parts(turn))

    async def test_what_varies_and_cannot_be_left_out_fits_its_share(
        self, source: PromptSource, turn: PromptTurn
    ) -> None:
        taken = _size([part for part in await source.parts(turn) if _must_stay(part)])

        assert taken <= source.max_share * turn.window_tokens

    async def test_what_stays_the_same_for_a_conversation_does(
        self, source: PromptSource, conversation: Conversation, turn: PromptTurn
    ) -> None:
        more = (*conversation.messages, a_message("La la la", role="assistant"), a_message("Again!"))
        later = a_prompt_turn(conversation.model_copy(update={"messages": more}))

        assert _stable(await source.parts(turn)) == _stable(await source.parts(later))

    async def test_a_conversation_without_user_or_character_is_no_error(
        self, source: PromptSource, conversation: Conversation
    ) -> None:
        nobody = conversation.model_copy(update={"user_id": None, "character_id": None})

        await source.parts(a_prompt_turn(nobody))


def _must_stay(part: PromptPart) -> bool:
    return part.stability != "conversation" and part.priority is None


def _size(parts: Sequence[PromptPart]) -> float:
    return sum(message_size(part.sent) for part in parts)


def _stable(parts: Sequence[PromptPart]) -> list[PromptPart]:
    return [part for part in parts if part.stability == "conversation"]
