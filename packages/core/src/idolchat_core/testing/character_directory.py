"""The contract of a character directory, as a pytest class: override the fixture ``directory``."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from idolchat_core.characters.contract import CharacterDirectory, DirectoryEntry
from idolchat_core.errors import InvalidRequest
from idolchat_core.models import Conversation, new_id
from idolchat_core.testing.storage_rules.making import a_conversation

__all__ = ["CharacterDirectoryConformance"]

_MANY = 100


async def _listed(directory: CharacterDirectory, user_id: UUID | None, *, limit: int = _MANY) -> list[DirectoryEntry]:
    page = await directory.page(user_id, limit=limit)
    found = list(page.data)
    while page.next is not None:
        assert len(page.data) <= limit
        page = await directory.page(user_id, limit=limit, after=page.next)
        found += page.data
    return found


@pytest.mark.asyncio
class CharacterDirectoryConformance:
    """The contract of ``CharacterDirectory``, as tests.

    Override the fixture ``directory`` with one that holds two characters or more that everybody may use, and
    ``private``, unless every user may use every character: then set ``has_private`` to False.
    """

    has_private = True

    @pytest.fixture
    def directory(self) -> CharacterDirectory:
        """Return an open directory."""
        raise NotImplementedError("override the fixture `directory` with one that holds two characters or more")

    @pytest.fixture
    def user_id(self) -> UUID:
        """The user who asks."""
        return new_id()

    @pytest.fixture
    def private(self, directory: CharacterDirectory) -> tuple[UUID, UUID]:
        """Return the id of a character in the directory and of the one user who may use her."""
        if not self.has_private:
            pytest.skip("every user may use every character")
        raise NotImplementedError("override the fixture `private`, or set `has_private = False`")

    @pytest.fixture
    def conversation(self, user_id: UUID) -> Conversation:
        """A conversation that is about to begin."""
        return a_conversation().model_copy(update={"user_id": user_id, "messages": ()})

    async def test_what_is_listed_is_found_by_id(self, directory: CharacterDirectory, user_id: UUID) -> None:
        listed = await _listed(directory, user_id)

        assert len(listed) > 1
        assert [await directory.find(entry.id, user_id) for entry in listed] == listed

    async def test_what_is_listed_is_found_by_slug(self, directory: CharacterDirectory, user_id: UUID) -> None:
        named = {entry.slug: entry for entry in await _listed(directory, user_id) if entry.slug is not None}

        assert {slug: await directory.find(slug, user_id) for slug in named} == named

    async def test_a_slug_is_no_uuid(self, directory: CharacterDirectory, user_id: UUID) -> None:
        for entry in await _listed(directory, user_id):
            if entry.slug is not None:
                with pytest.raises(ValueError, match="badly formed"):
                    UUID(entry.slug)

    async def test_who_is_not_there_is_not_found(self, directory: CharacterDirectory, user_id: UUID) -> None:
        assert await directory.find(new_id(), user_id) is None
        assert await directory.find("nobody-of-this-name", user_id) is None

    async def test_pages_hold_each_once_and_the_newest_first(
        self, directory: CharacterDirectory, user_id: UUID
    ) -> None:
        listed = await _listed(directory, user_id, limit=1)

        assert listed == await _listed(directory, user_id)
        assert len({entry.id for entry in listed}) == len(listed)
        assert listed == sorted(listed, key=lambda entry: entry.created_at, reverse=True)

    async def test_a_page_that_was_never_given_is_refused(self, directory: CharacterDirectory, user_id: UUID) -> None:
        with pytest.raises(InvalidRequest):
            await directory.page(user_id, limit=1, after="no page of ours")

    async def test_times_are_aware(self, directory: CharacterDirectory, user_id: UUID) -> None:
        assert all(entry.created_at.tzinfo is not None for entry in await _listed(directory, user_id))

    async def test_options_are_json_and_no_prompt(self, directory: CharacterDirectory, user_id: UUID) -> None:
        for entry in await _listed(directory, user_id):
            assert json.loads(json.dumps(dict(entry.options))) == entry.options
            assert entry.options.keys().isdisjoint({"messages", "model", "n", "stream"})

    async def test_openings_are_texts_and_the_same_when_asked_again(
        self, directory: CharacterDirectory, user_id: UUID, conversation: Conversation
    ) -> None:
        for entry in await _listed(directory, user_id):
            openings = await directory.openings(entry, conversation)

            assert all(text.strip() for text in openings)
            assert await directory.openings(entry, conversation) == openings

    async def test_a_conversation_without_a_user_is_no_error(
        self, directory: CharacterDirectory, conversation: Conversation
    ) -> None:
        nobody = conversation.model_copy(update={"user_id": None})

        for entry in await _listed(directory, None):
            await directory.openings(entry, nobody)

    async def test_a_private_character_is_her_owners(
        self, directory: CharacterDirectory, user_id: UUID, private: tuple[UUID, UUID]
    ) -> None:
        private_id, owner_id = private
        hers = await directory.find(private_id, owner_id)

        assert hers is not None
        assert await directory.find(private_id, user_id) is None
        assert hers.slug is None or await directory.find(hers.slug, user_id) != hers
        assert private_id not in [entry.id for entry in await _listed(directory, user_id)]
        assert private_id in [entry.id for entry in await _listed(directory, owner_id)]

    async def test_an_operator_finds_every_character(
        self, directory: CharacterDirectory, private: tuple[UUID, UUID]
    ) -> None:
        private_id, _ = private

        assert await directory.find(private_id, None) is not None
