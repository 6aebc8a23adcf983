"""Conformance kits for plugins, and small real parts for tests; needs the extra ``testing``."""

import pytest

pytest.register_assert_rewrite(
    "idolchat_core.testing.bus",
    "idolchat_core.testing.counters",
    "idolchat_core.testing.character_directory",
    "idolchat_core.testing.memory_index",
    "idolchat_core.testing.observer",
    "idolchat_core.testing.prompt_source",
    "idolchat_core.testing.provider",
    "idolchat_core.testing.storage_rules",
    "idolchat_core.testing.turn_rules",
)

from idolchat_core.testing.bus import BusConformance, FaultyBus, OpenBus  # noqa: E402
from idolchat_core.testing.character_directory import CharacterDirectoryConformance  # noqa: E402
from idolchat_core.testing.counters import CountersConformance  # noqa: E402
from idolchat_core.testing.directory import InMemoryDirectory  # noqa: E402
from idolchat_core.testing.lost_answers import LosesAnAnswer  # noqa: E402
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
from idolchat_core.testing.ports import reserve_port  # noqa: E402
from idolchat_core.testing.prompt_source import PromptSourceConformance, a_prompt_turn  # noqa: E402
from idolchat_core.testing.provider import ProviderConformance, asking, collect  # noqa: E402
from idolchat_core.testing.scripted import ScriptedProvider, Step  # noqa: E402
from idolchat_core.testing.shared import InMemoryMember, SharedInMemoryStorage  # noqa: E402
from idolchat_core.testing.storage import Reopen, StorageConformance, a_conversation, a_message  # noqa: E402
from idolchat_core.testing.turn_store import OpenTurnStore, TurnStoreConformance, an_unfinished_turn  # noqa: E402
from idolchat_core.testing.waiting import until, until_so  # noqa: E402

__all__ = [
    "PLAIN_WORDS",
    "BusConformance",
    "ChangeObserverConformance",
    "CharacterDirectoryConformance",
    "CountersConformance",
    "FaultyBus",
    "InMemoryDirectory",
    "InMemoryMember",
    "InMemoryObjects",
    "InMemoryStorage",
    "LosesAnAnswer",
    "MemoryIndexConformance",
    "MemorySnapshot",
    "OpenBus",
    "OpenObserver",
    "OpenTurnStore",
    "PromptSourceConformance",
    "ProviderConformance",
    "Reopen",
    "ScriptedProvider",
    "SharedInMemoryStorage",
    "Step",
    "StorageConformance",
    "TurnStoreConformance",
    "a_conversation",
    "a_memory",
    "a_message",
    "a_prompt_turn",
    "an_unfinished_turn",
    "asking",
    "collect",
    "memory_snapshot",
    "reserve_port",
    "until",
    "until_so",
]
