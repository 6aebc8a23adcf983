"""Whether a card fits what a model can read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from weakref import WeakKeyDictionary

from idolchat_characters.character import Character
from idolchat_characters.errors import CardTooLong
from idolchat_core import CoreSettings, LLMProvider, ModelInfo, ProviderError, text_size

__all__ = ["FIXED_FIELDS", "FitCheck", "check_fits", "fits_provider", "fixed_tokens", "room_in"]

FIXED_FIELDS: Final = ("system_prompt", "description", "personality", "scenario", "post_history_instructions")
"""What is in every prompt of a character; examples make room for the history."""

REPLY_SHARE = 0.25
"""Of the window, kept free for a reply, as the engine does."""

MESSAGE_TOKENS = 256
"""Kept free for what the user says."""

LIST_KEPT_S, LIST_RETRIED_S, PATIENCE_S = 3600.0, 60.0, 3.0

type FitCheck = Callable[[Character], Awaitable[None]]
"""Raises ``CardTooLong`` for a character whose card no prompt has room for."""


def fixed_tokens(character: Character) -> dict[str, int]:
    """Estimate the tokens of each text that is in every prompt."""
    return {name: round(text_size(getattr(character, name))) for name in FIXED_FIELDS}


def room_in(window_tokens: int) -> int:
    """Return how many tokens a card may take of what a model reads."""
    return round(window_tokens * (1 - REPLY_SHARE)) - MESSAGE_TOKENS


def check_fits(character: Character, window_tokens: int, model: str | None) -> None:
    """Raise ``CardTooLong`` where a card has no room beside a message and its reply; the longest field is named."""
    tokens, room = fixed_tokens(character), room_in(window_tokens)
    if (total := sum(tokens.values())) > room:
        raise CardTooLong(max(tokens, key=tokens.__getitem__), tokens=total, room=room, model=model)


def fits_provider(provider: LLMProvider, settings: CoreSettings) -> FitCheck:
    """Return a check against the model that a character speaks with, as the provider tells of it."""

    async def check(character: Character) -> None:
        if sum(fixed_tokens(character).values()) <= room_in(SMALLEST_WINDOW):
            return
        model = character.model or settings.model or provider.default_model
        known = (await _models_of(provider)).get(model or "")
        check_fits(character, (known and known.context_length) or settings.context_length, model)

    return check


SMALLEST_WINDOW = 4096
"""Of models in use; what fits it is not worth asking the provider."""

_lists: WeakKeyDictionary[LLMProvider, tuple[float, Mapping[str, ModelInfo]]] = WeakKeyDictionary()


async def _models_of(provider: LLMProvider) -> Mapping[str, ModelInfo]:
    until, models = _lists.get(provider, (0.0, {}))
    if time.monotonic() < until:
        return models
    try:
        async with asyncio.timeout(PATIENCE_S):
            models = {model.id: model for model in await provider.list_models()}
        kept_s = LIST_KEPT_S
    except (ProviderError, TimeoutError):  # what was known before, or the settings, have to do
        kept_s = LIST_RETRIED_S
    _lists[provider] = time.monotonic() + kept_s, models
    return models
