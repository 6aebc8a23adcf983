"""The index of all characters, in memory: what lists and slugs are found by. It is derived from the records."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from idolchat_characters.character import Character, Visibility
from idolchat_characters.library.access import Viewer
from idolchat_characters.library.records import CharacterRecord

__all__ = ["CharacterIndex", "CharacterPage", "CharacterSummary", "slug_key"]


class CharacterSummary(BaseModel):
    """One line of a list of characters; ``icon`` is the file name of the picture, null where there is none."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    slug: str | None
    name: str
    nickname: str | None
    creator: str
    tags: tuple[str, ...]
    visibility: Visibility
    owner_id: UUID | None
    version: int
    updated_at: AwareDatetime
    icon: str | None


class CharacterPage(BaseModel):
    """Characters, newest first; ``next`` is the ``before`` of the following page, null at the end."""

    model_config = ConfigDict(frozen=True)

    data: tuple[CharacterSummary, ...]
    has_more: bool
    next: UUID | None


@dataclass(frozen=True, slots=True)
class _Entry:
    summary: CharacterSummary
    words: str
    tags: frozenset[str]
    size_bytes: int


class CharacterIndex:
    """Summaries by id and by slug, in the order of their ids, which is that of their creation."""

    def __init__(self) -> None:
        self._entries: dict[UUID, _Entry] = {}
        self._order: list[UUID] = []
        self._slugs: dict[tuple[UUID | None, bool, str], UUID] = {}

    def __contains__(self, character_id: UUID) -> bool:
        return character_id in self._entries

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._order)

    def put(self, record: CharacterRecord) -> None:
        """Add a character, or what has become of it."""
        self.discard(record.id)
        entry = _entry(record)
        self._entries[record.id] = entry
        insort(self._order, record.id)
        if entry.summary.slug is not None:
            self._slugs.setdefault(slug_key(record.character, entry.summary.slug), record.id)

    def discard(self, character_id: UUID) -> None:
        """Remove a character."""
        entry = self._entries.pop(character_id, None)
        if entry is None:
            return
        del self._order[bisect_left(self._order, character_id)]
        for key in [key for key in _slug_keys(entry.summary) if self._slugs.get(key) == character_id]:
            del self._slugs[key]

    def version(self, character_id: UUID) -> int | None:
        """Return the version that is known of a character, None where none is."""
        entry = self._entries.get(character_id)
        return entry.summary.version if entry else None

    def named(self, slug: str, viewer: Viewer) -> UUID | None:
        """Find a character by slug: the viewer's own, else a public one, else the only one that the viewer lists."""
        own = self._slugs.get((viewer.user_id, False, slug))
        found = own or self._slugs.get((None, True, slug))
        if found is not None or viewer.is_bound:
            return found
        others = {character_id for (_, _, held), character_id in self._slugs.items() if held == slug}
        return others.pop() if len(others) == 1 else None

    def holder(self, character: Character, slug: str) -> UUID | None:
        """Return which character has a slug where this one would have it."""
        return self._slugs.get(slug_key(character, slug))

    def page(
        self,
        viewer: Viewer,
        *,
        tag: str | None = None,
        text: str | None = None,
        owner_id: UUID | None = None,
        limit: int,
        before: UUID | None = None,
    ) -> CharacterPage:
        """List what the viewer may see, newest first.

        ``tag`` is one of the character's, whatever its case; each word of ``text`` stands in the name, nickname, slug,
        creator or tags.
        """
        end = len(self._order) if before is None else bisect_left(self._order, before)
        wanted_tag = tag.strip().casefold() if tag else None
        longest, *others = sorted(text.casefold().split(), key=len, reverse=True) if text and text.strip() else ("",)
        found: list[CharacterSummary] = []
        for place in range(end - 1, -1, -1):
            entry = self._entries[self._order[place]]
            if longest not in entry.words or (wanted_tag is not None and wanted_tag not in entry.tags):
                continue
            if not all(word in entry.words for word in others):
                continue
            if not viewer.lists(entry.summary) or (owner_id is not None and entry.summary.owner_id != owner_id):
                continue
            found.append(entry.summary)
            if len(found) > limit:
                break
        return _page(found, limit)

    def owned_by(self, owner_id: UUID) -> list[UUID]:
        """List a user's characters, the oldest first."""
        return [held for held in self._order if self._entries[held].summary.owner_id == owner_id]

    def taken_by(self, owner_id: UUID) -> tuple[int, int]:
        """Count a user's characters, and the bytes of their cards and files."""
        sizes = [entry.size_bytes for entry in self._entries.values() if entry.summary.owner_id == owner_id]
        return len(sizes), sum(sizes)


def _page(found: Sequence[CharacterSummary], limit: int) -> CharacterPage:
    data, has_more = tuple(found[:limit]), len(found) > limit
    return CharacterPage(data=data, has_more=has_more, next=data[-1].id if has_more and data else None)


def _entry(record: CharacterRecord) -> _Entry:
    character = record.character
    summary = CharacterSummary(
        id=record.id,
        slug=character.slug,
        name=character.name,
        nickname=character.nickname,
        creator=character.creator,
        tags=character.tags,
        visibility=character.visibility,
        owner_id=character.owner_id,
        version=record.version,
        updated_at=record.updated_at,
        icon=record.icon,
    )
    named = (character.name, character.nickname or "", character.slug or "", character.creator, *character.tags)
    tags = frozenset(tag.strip().casefold() for tag in character.tags)
    return _Entry(summary, "\n".join(named).casefold(), tags, record.size_bytes)


def slug_key(character: Character, slug: str) -> tuple[UUID | None, bool, str]:
    """Return among which characters a slug is unique: those of an owner (None: of nobody), or the public ones."""
    is_public = character.visibility == "public"
    return (None if is_public else character.owner_id), is_public, slug


def _slug_keys(summary: CharacterSummary) -> list[tuple[UUID | None, bool, str]]:
    if summary.slug is None:
        return []
    return [(None, True, summary.slug), (summary.owner_id, False, summary.slug)]
