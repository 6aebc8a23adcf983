"""All directories as one: the first that knows a character has her."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from idolchat_core import CharacterDirectory, Conversation, DirectoryEntry, DirectoryPage, InvalidRequest, StoredId
from idolchat_core.characters.joined import JoinedDirectories
from idolchat_core.models import utc_now
from idolchat_core.testing import CharacterDirectoryConformance, a_conversation


class Listed(CharacterDirectory):
    """Characters that are given, newest first."""

    def __init__(self, *slugs: str, says: Sequence[str] = ()) -> None:
        self.entries = [DirectoryEntry(id=uuid4(), name=slug, slug=slug, created_at=utc_now()) for slug in slugs]
        self.says = says

    async def find(self, reference: UUID | str, user_id: StoredId | None) -> DirectoryEntry | None:
        return next((entry for entry in self.entries if reference in (entry.id, entry.slug)), None)

    async def page(self, user_id: StoredId | None, *, limit: int, after: str | None = None) -> DirectoryPage:
        start = _number(after)
        shown = self.entries[start : start + limit]
        return DirectoryPage(data=shown, next=str(start + limit) if start + limit < len(self.entries) else None)

    async def openings(self, entry: DirectoryEntry, conversation: Conversation) -> Sequence[str]:
        return self.says


def _number(after: str | None) -> int:
    try:
        return int(after or 0)
    except ValueError:
        raise InvalidRequest("no page of this list", param="after") from None


class TestOneOfThem(CharacterDirectoryConformance):
    """A joined one is a directory as well."""

    has_private = False

    @pytest.fixture
    def directory(self) -> CharacterDirectory:
        newer, older = Listed("mika", "aoi", says=["Hi"]), Listed("yui", "rin", "ema")
        older.entries = [replace(entry, created_at=newer.entries[0].created_at) for entry in older.entries]
        newer.entries = [replace(entry, created_at=newer.entries[0].created_at) for entry in newer.entries]
        return JoinedDirectories({"newer": newer, "none": Listed(), "older": older})


async def test_the_first_that_knows_a_slug_has_the_character() -> None:
    one, other = Listed("mika", says=["Hi"]), Listed("mika", "aoi", says=["Hello"])
    joined = JoinedDirectories({"one": one, "other": other})

    slugs = ("mika", "aoi", str(other.entries[0].id))
    found = [entry for slug in slugs if (entry := await joined.find(slug, None))]

    assert [entry.directory for entry in found] == ["one", "other", "other"]
    assert [await joined.openings(entry, a_conversation()) for entry in found] == [["Hi"], ["Hello"], ["Hello"]]


async def test_without_directories_nobody_is_known() -> None:
    nobody = JoinedDirectories()

    assert await nobody.find("mika", None) is None
    assert await nobody.page(None, limit=20) == DirectoryPage(data=[])
