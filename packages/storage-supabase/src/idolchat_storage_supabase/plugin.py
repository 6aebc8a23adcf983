"""What this package adds to idolchat."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from idolchat_core import Registry, Storage, hookimpl, read_settings
from idolchat_storage_supabase.settings import SupabaseSettings

__all__ = ["idolchat_register_commands", "idolchat_register_storages"]


class _Commands(Protocol):
    """The part of the command line's registry that is used, for it may not be installed."""

    def add(self, name: str, where: str, *, help: str) -> None: ...  # noqa: A002  Typer's word


@hookimpl
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    """Register ``supabase``, which is wanted where its address is set."""
    registry.add("supabase", _open, when=_is_set)


@hookimpl(optionalhook=True)
def idolchat_register_commands(registry: _Commands) -> None:
    """Add ``idol supabase``."""
    registry.add("supabase", "idolchat_storage_supabase.commands:app", help="Set up a Supabase project.")


def _is_set() -> bool:
    return read_settings(SupabaseSettings).is_asked_for


def _open() -> AbstractAsyncContextManager[Storage]:
    # The client takes half a second to import; a server that does not use it need not wait for it.
    from idolchat_storage_supabase.factory import open_supabase_storage  # noqa: PLC0415

    return open_supabase_storage()
