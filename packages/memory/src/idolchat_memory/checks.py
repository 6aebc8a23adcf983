"""What ``idol doctor`` says of memory."""

from __future__ import annotations

from idolchat_cli.checks.result import CheckResult, fail, ok, warn
from idolchat_core import read_settings
from idolchat_memory.service import find_model
from idolchat_memory.settings import MemorySettings

__all__ = ["check_memory"]

NAME = "memory"


async def check_memory() -> list[CheckResult]:
    """Check whether anything is recalled, and whether by words alone. Raises ``ConfigurationError``."""
    settings = read_settings(MemorySettings)
    if not settings.is_on:
        return [ok(NAME, "nothing is recalled: IDOLCHAT_MEMORY is off")]
    model, reason = find_model(settings)
    if model is not None and await model.load() is not None:
        return [ok(NAME, "recalls by words and by meaning")]
    if settings.semantic == "off":
        return [ok(NAME, f"recalls by words alone: {reason}")]
    found = fail if settings.semantic == "on" else warn
    why = model.problem if model else reason
    return [found(NAME, f"recalls by words alone: {why}", "pip install 'idolchat-memory[semantic]'")]
