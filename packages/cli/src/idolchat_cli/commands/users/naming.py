"""Which user is meant."""

from __future__ import annotations

from idolchat_cli.usage import WrongUsage
from idolchat_core.conversations.user_data import users_named
from idolchat_core.storage.contract import Storage

__all__ = ["user_meant"]


async def user_meant(storage: Storage, name: str) -> str:
    """Return the id of the user whom a command names. Raises ``WrongUsage`` where several are known by that name."""
    found = await users_named(storage, name)
    if len(found) > 1:
        raise WrongUsage(f"{name!r} names {len(found)} users, of several front ends: say which, {' or '.join(found)}")
    return found[0]
