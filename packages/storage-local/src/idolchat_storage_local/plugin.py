"""The plugin: registers the storage ``local``."""

from __future__ import annotations

from idolchat_core import Registry, Storage, hookimpl
from idolchat_storage_local.storage import open_local_storage

__all__ = ["idolchat_register_storages"]


@hookimpl
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    """Add the storage ``local``."""
    registry.add("local", open_local_storage, place="IDOLCHAT_DATA_DIR")
