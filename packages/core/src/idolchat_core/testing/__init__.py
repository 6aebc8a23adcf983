"""Conformance kits for plugins, and small real parts for tests; needs the extra ``testing``."""

import pytest

pytest.register_assert_rewrite(
    "idolchat_core.testing.character_directory",
    "idolchat_core.testing.memory_index",
    "idolchat_core.testing.observer",
    "idolchat_core.testing.prompt_source",
    "idolchat_core.testing.provider",
    "idolchat_core.testing.storage_rules",
)

from idolchat_core.testing.character_directory import CharacterDirectoryConformance  # noqa: E402
from idolchat_core.testing.directory import InMemoryDirectory  # noqa: E402
from idolchat_core.testing.memory import InMemoryStorage  # noqa: E402
from idolchat_core.testing.memory_index import (  # noqa: E402
    PLAIN_WORDS,
    MemoryIndexConformance,
    MemorySnapshot,
    a_memory,
    memory_snapshot,
)
from idolchat_core.testing.objects import InMemoryObjects  # noqa: E402
from idolchat_core.testing.observer import ChangeObserverConformance, OpenObserver  # noqa: E402
from idolchat_core.testing.prompt_source import PromptSourceConformance, a_prompt_turn  # noqa: E402
from idolchat_core.testing.provider import ProviderConformance, asking, collect  # noqa: E402
from idolchat_core.testing.scripted import ScriptedProvider, Step  # noqa: E402
from idolchat_core.testing.storage import Reopen, StorageConformance, a_conversation, a_message  # noqa: E402

__all__ = [
    "PLAIN_WORDS",
    "ChangeObserverConformance",
    "CharacterDirectoryConformance",
    "InMemoryDirectory",
    "InMemoryObjects",
    "InMemoryStorage",
    "MemoryIndexConformance",
    "MemorySnapshot",
    "OpenObserver",
    "PromptSourceConformance",
    "ProviderConformance",
    "Reopen",
    "ScriptedProvider",
    "Step",
    "StorageConformance",
    "a_conversation",
    "a_memory",
    "a_message",
    "a_prompt_turn",
    "asking",
    "collect",
    "memory_snapshot",
]
