"""Keeps idolchat conversations as JSON files on the local disk."""

from idolchat_storage_local.settings import LocalSettings
from idolchat_storage_local.storage import LocalStorage, open_local_storage

__all__ = ["LocalSettings", "LocalStorage", "open_local_storage"]
