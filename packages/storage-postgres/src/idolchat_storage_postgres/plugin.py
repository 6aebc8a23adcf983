"""The plugin: registers the storage ``postgres``."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from idolchat_core import Registry, Storage, hookimpl

__all__ = ["idolchat_register_storages"]


@hookimpl
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    """Add the storage ``postgres``."""
    registry.add("postgres", _open)


def _open() -> AbstractAsyncContextManager[Storage]:
    # The driver takes a moment to import; a server that does not use it need not wait for it.
    from idolchat_storage_postgres.storage import open_postgres_storage  # noqa: PLC0415

    return open_postgres_storage()
