"""All directories as one: the first that knows a character has her."""

from uuid import UUID

import pytest

from idolchat_core import CharacterDirectory, DirectoryPage
from idolchat_core.characters.joined import JoinedDirectories
from idolchat_core.testing import CharacterDirectoryConformance, InMemoryDirectory, a_conversation


class TestInMemoryDirectory(CharacterDirectoryConformance):
    """The double that tests use keeps the contract."""

    @pytest.fixture
    def directory(self) -> InMemoryDirectory:
        directory = InMemoryDirectory()
        directory.add("mika", "Hi", "Hello")
        directory.add("aoi")
        return directory

    @pytest.fixture
    def private(self, directory: CharacterDirectory) -> tuple[UUID, UUID]:
        assert isinstance(directory, InMemoryDirectory)
        owner_id = a_conversation().id
        return directory.add("yui", owner_id=owner_id, is_private=True).id, owner_id


class TestJoined(CharacterDirectoryConformance):
    """Several are a directory as well."""

    has_private = False

    @pytest.fixture
    def directory(self) -> CharacterDirectory:
        older, newer = InMemoryDirectory(), InMemoryDirectory()
        for slug in ("mika", "aoi"):
            older.add(slug, "Hi")
        for slug in ("yui", "rin", "ema"):
            newer.add(slug)
        return JoinedDirectories({"newer": newer, "none": InMemoryDirectory(), "older": older})


async def test_the_first_that_knows_a_slug_has_the_character() -> None:
    one, other = InMemoryDirectory(), InMemoryDirectory()
    one.add("mika", "Hi")
    hidden, aoi = other.add("mika", "Hello"), other.add("aoi", "Hello")
    joined = JoinedDirectories({"one": one, "other": other})

    found = [entry for name in ("mika", aoi.id, str(hidden.id)) if (entry := await joined.find(name, None))]

    assert [entry.directory for entry in found] == ["one", "other", "other"]
    assert [await joined.openings(entry, a_conversation()) for entry in found] == [("Hi",), ("Hello",), ("Hello",)]


async def test_without_directories_nobody_is_known() -> None:
    nobody = JoinedDirectories()

    assert await nobody.find("mika", None) is None
    assert await nobody.page(None, limit=20) == DirectoryPage(data=[])
