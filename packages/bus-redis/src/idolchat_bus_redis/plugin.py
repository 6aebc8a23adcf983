"""What this package adds to idolchat."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from idolchat_core import Bus, Registry, hookimpl

__all__ = ["idolchat_register_buses"]


@hookimpl
def idolchat_register_buses(registry: Registry[Bus]) -> None:
    """Register ``redis``."""
    registry.add("redis", _open)


def _open() -> AbstractAsyncContextManager[Bus]:
    # A server that does not use it need not wait for the client to be imported.
    from idolchat_bus_redis.bus import RedisBus  # noqa: PLC0415

    return RedisBus()
