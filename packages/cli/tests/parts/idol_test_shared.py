"""A plugin for the tests: a storage that two servers share, and a bus between them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from idolchat_core import Bus, BusState, ConfigurationError, Instance, Registry, Storage, hookimpl
from idolchat_core.coordination.local import LocalBus
from idolchat_core.testing import SharedInMemoryStorage

ALIVE = Instance(
    id=UUID(int=1),
    address="one.example.org (7)",
    version="0.1.0",
    started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    silent_s=0.4321,
    is_draining=False,
    running=2,
    waiting=1,
)


class Shared(SharedInMemoryStorage):
    """Knows three servers."""

    async def instances(self) -> Sequence[Instance]:
        return [
            ALIVE,
            replace(ALIVE, id=UUID(int=2), is_draining=True),
            replace(ALIVE, id=UUID(int=3), silent_s=2.5, is_draining=True),
        ]


class Broken(LocalBus):
    """Carries nothing now."""

    state = BusState(problem="the broker at broker.example.org cannot be reached")


def _refused() -> AbstractAsyncContextManager[Bus]:
    raise ConfigurationError("the password is wrong; write another into IDOL_TEST_URL")


@hookimpl
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    registry.add("shared", lambda: nullcontext(Shared()), is_shared=True)


@hookimpl
def idolchat_register_buses(registry: Registry[Bus]) -> None:
    registry.add("wire", lambda: nullcontext(LocalBus()))
    registry.add("broken", lambda: nullcontext(Broken()))
    registry.add("refused", _refused)
