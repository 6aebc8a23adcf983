"""The plugin: registers the storage ``postgres``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from idolchat_core import Registry, Storage, hookimpl, read_settings
from idolchat_storage_postgres.settings import PostgresSettings

__all__ = ["idolchat_register_storages"]


@hookimpl
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    """Add the storage ``postgres``."""
    registry.add("postgres", _open, is_shared=True, upgrade=_upgrade)


def _open() -> AbstractAsyncContextManager[Storage]:
    # The driver takes a moment to import; a server that does not use it need not wait for it.
    from idolchat_storage_postgres.storage import open_postgres_storage  # noqa: PLC0415

    return open_postgres_storage()


async def _upgrade(*, dry_run: bool = False) -> Sequence[str]:
    from idolchat_storage_postgres.startup import upgrade  # noqa: PLC0415

    versions = await upgrade(read_settings(PostgresSettings), dry_run=dry_run)
    return [f"version {version} of the schema" for version in versions]
