"""What ``idol doctor`` says of memory."""

from __future__ import annotations

from idolchat_cli.checks.result import CheckResult, fail, ok, warn
from idolchat_core import read_settings
from idolchat_memory.service import find_model, problem_of
from idolchat_memory.settings import MemorySettings

__all__ = ["check_memory"]

NAME = "memory"


async def check_memory() -> list[CheckResult]:
    """Check whether anything is recalled, and whether by words alone. Raises ``ConfigurationError``."""
    settings = read_settings(MemorySettings)
    if not settings.is_on:
        return [ok(NAME, "nothing is recalled: IDOLCHAT_MEMORY is off")]
    if settings.semantic == "off":
        return [ok(NAME, "recalls by words alone: IDOLCHAT_MEMORY_SEMANTIC is off")]
    problem = await problem_of(*find_model(settings))
    if problem is None:
        return [ok(NAME, "recalls by words and by meaning")]
    if settings.model_wanted_by is not None:
        return [fail(NAME, f"{settings.model_wanted_by} asks for the model of memory, and {problem}")]
    return [warn(NAME, f"recalls by words alone: {problem}", "pip install 'idolchat-memory[semantic]'")]
