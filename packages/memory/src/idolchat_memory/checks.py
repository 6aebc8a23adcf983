"""What ``idol doctor`` says of memory."""

from __future__ import annotations

import asyncio

from idolchat_cli.checks.result import CheckResult, ok, warn
from idolchat_core import read_settings
from idolchat_memory.service import load_late_interaction
from idolchat_memory.settings import MemorySettings

__all__ = ["check_memory"]

NAME = "memory"


async def check_memory() -> list[CheckResult]:
    """Say whether anything is recalled, and whether by words alone. Raises ``ConfigurationError``."""
    settings = read_settings(MemorySettings)
    if not settings.is_on:
        return [ok(NAME, "nothing is recalled: IDOLCHAT_MEMORY is off")]
    late_interaction, reason = await asyncio.to_thread(load_late_interaction, settings)
    if late_interaction is not None:
        return [ok(NAME, "recalls by words and by meaning")]
    if settings.semantic == "off":
        return [ok(NAME, f"recalls by words alone: {reason}")]
    return [warn(NAME, f"recalls by words alone: {reason}", "pip install 'idolchat-memory[semantic]'")]
