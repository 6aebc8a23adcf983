"""Puts a primary and its mirrors together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from idolchat_core.mirror.mirror import MirrorLink, MirrorMode
from idolchat_core.mirror.storage import MirroredStorage
from idolchat_core.mirror.tuning import Pace
from idolchat_core.plugins.registry import Factory
from idolchat_core.storage.contract import Storage

__all__ = ["open_mirrored"]

_USUAL = Pace()


@asynccontextmanager
async def open_mirrored(
    primary: Storage,
    mirrors: Mapping[str, Factory[Storage]],
    *,
    mode: MirrorMode = MirrorMode.KEEP,
    pace: Pace = _USUAL,
) -> AsyncGenerator[MirroredStorage]:
    """Mirror an open primary to others, by name, until the end.

    A mirror that cannot be reached is opened when it can; one that is not set up rightly raises
    ``ConfigurationError``.
    """
    links = [MirrorLink(primary, name, factory, mode=mode, pace=pace) for name, factory in mirrors.items()]
    async with AsyncExitStack() as stack:
        for link in links:
            await stack.enter_async_context(link.running())
        yield MirroredStorage(primary, links)
