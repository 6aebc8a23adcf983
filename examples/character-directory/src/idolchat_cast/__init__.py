"""Characters that operators write into one JSON file, by their slugs."""

import json
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from idolchat_core import (
    CharacterDirectory,
    Conversation,
    DirectoryEntry,
    DirectoryPage,
    InvalidRequest,
    ServiceRegistry,
    Services,
    StoredId,
    hookimpl,
)

NAMESPACE = UUID("6f1d3a52-0a5f-5d0e-9d0c-3c8a53f0b7c4")


class Cast(CharacterDirectory):
    """Everybody may use them: `{"mika": {"name": "Mika", "says": ["Hi!", "Again?"], "options": {"top_p": 0.9}}}`."""

    def __init__(self, file: Path) -> None:
        written: dict[str, dict[str, Any]] = json.loads(file.read_text("utf-8"))
        since = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        self.says: dict[str, list[str]] = {slug: fields.get("says", []) for slug, fields in written.items()}
        self.entries = {slug: entry_of(slug, fields, since) for slug, fields in written.items()}

    async def find(self, reference: UUID | str, user_id: StoredId | None) -> DirectoryEntry | None:
        return next((one for one in self.entries.values() if reference in (one.id, one.slug)), None)

    async def page(self, user_id: StoredId | None, *, limit: int, after: str | None = None) -> DirectoryPage:
        slugs = list(self.entries)
        if after is not None and after not in slugs:
            raise InvalidRequest(f"after: no page ended with {after!r}", param="after")
        start = slugs.index(after) + 1 if after is not None else 0
        shown = slugs[start : start + limit]
        more = shown[-1] if start + limit < len(slugs) else None
        return DirectoryPage(data=[self.entries[slug] for slug in shown], next=more)

    async def openings(self, entry: DirectoryEntry, conversation: Conversation) -> Sequence[str]:
        return self.says[entry.slug or ""]


def entry_of(slug: str, fields: dict[str, Any], since: datetime) -> DirectoryEntry:
    options = fields.get("options", {})
    model, name = fields.get("model"), fields["name"]
    return DirectoryEntry(
        id=uuid5(NAMESPACE, slug), slug=slug, name=name, model=model, options=options, created_at=since
    )


@asynccontextmanager
async def open_cast(services: Services) -> AsyncGenerator[CharacterDirectory]:
    yield Cast(Path(os.environ.get("CAST_FILE", "cast.json")))


@hookimpl
def idolchat_register_character_directories(registry: ServiceRegistry[CharacterDirectory]) -> None:
    registry.add("cast", open_cast)
