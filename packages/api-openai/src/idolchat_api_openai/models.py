"""What a request's ``model`` means: a character, or a model of the provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

from idolchat_api import Caller
from idolchat_api_openai.requests.errors import BadRequest, ModelUnknown
from idolchat_api_openai.settings import OpenAISettings
from idolchat_core import DirectoryEntry

__all__ = ["RAW", "Target", "characters_for", "may_use_raw", "target_of"]

RAW = "raw/"
_CHARACTER = ("char/", "character/")
_SYSTEM = "+system"
PAGE_SIZE = 100
MAX_LISTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a request asks: a character, by her id, or else the ``model``.

    ``name`` is what the request calls it. With ``keeps_system`` the client's own instructions are kept beside hers.
    """

    name: str
    character_id: UUID | None = None
    entry: DirectoryEntry | None = None
    model: str | None = None
    keeps_system: bool = False


async def target_of(caller: Caller, name: str, settings: OpenAISettings) -> Target:
    """Find what a request's ``model`` means for a caller. Raises ``ModelUnknown``, and ``BadRequest`` for no model."""
    if name.startswith(RAW):
        return _raw(caller, name, settings)
    reference = name
    for prefix in _CHARACTER:
        reference = reference.removeprefix(prefix)
    keeps_system = reference.endswith(_SYSTEM)
    reference = reference.removesuffix(_SYSTEM)
    entry = await caller.service.characters.find(reference, caller.principal.user_id) if reference else None
    if entry is not None:
        return Target(name=name, character_id=entry.id, entry=entry, keeps_system=keeps_system)
    if (unlisted := await _unlisted(caller, reference)) is not None:
        return Target(name=name, character_id=unlisted, keeps_system=keeps_system)
    raise ModelUnknown(
        f"no character {reference!r}: GET /v1/models lists those that there are, where base_url ends with /v1; a model"
        f" without a character is {RAW}<model>"
    )


def _raw(caller: Caller, name: str, settings: OpenAISettings) -> Target:
    if not may_use_raw(caller, settings):
        raise ModelUnknown(f"{name}: models without a character may not be used here (IDOLCHAT_V1_RAW)")
    model = name.removeprefix(RAW)
    if not model:
        raise BadRequest("model: write raw/<model>", param="model")
    return Target(name=name, model=model)


async def _unlisted(caller: Caller, reference: str) -> UUID | None:
    """Accept any UUID as a character on a server that has none: some back ends keep their characters themselves."""
    try:
        character_id = UUID(reference)
    except ValueError:
        return None
    listed = await caller.service.characters.page(caller.principal.user_id, limit=1)
    return None if listed.data else character_id


def may_use_raw(caller: Caller, settings: OpenAISettings) -> bool:
    """Return whether a caller may use models without a character."""
    return settings.raw == "everyone" or (settings.raw == "operators" and caller.principal.is_operator)


async def characters_for(caller: Caller) -> AsyncGenerator[DirectoryEntry]:
    """Yield the characters that a caller may use, the newest first."""
    after: str | None = None
    for _ in range(MAX_LISTED // PAGE_SIZE):
        page = await caller.service.characters.page(caller.principal.user_id, limit=PAGE_SIZE, after=after)
        for entry in page.data:
            yield entry
        if page.next is None:
            return
        after = page.next
