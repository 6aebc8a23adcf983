"""``idol keys revoke``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated

import typer

from idolchat_api.auth.api_key import KeyRing
from idolchat_cli.commands.keys.ring import open_ring
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import on_stderr, on_stdout, print_json
from idolchat_cli.results import Result
from idolchat_core.errors import StorageError, StorageUnavailable
from idolchat_core.models import utc_now

__all__ = ["RESULT", "app"]


class Revoked(Result):
    """What became of the keys."""

    revoked: list[str]
    missing: list[str]


RESULT = Revoked

app = new_app()


@app.command(
    epilog=examples("idol keys revoke 3q5kx7mabcde", "idol keys revoke $(idol keys list --json | jq -r '.[].id')")
)
def revoke(
    keys: Annotated[list[str], typer.Argument(metavar="ID", help="Which keys, as idol keys list names them.")],
    as_json: AsJson = False,
) -> None:
    """Make API keys useless.

    A server that is running refuses them within five seconds, and closes their sockets. Exits with 1 if one is missing.
    """
    result = asyncio.run(_revoked(list(map(_id_in, keys))))
    if as_json:
        print_json(result)
    else:
        if result.revoked:
            on_stdout().print(f"Revoked {', '.join(result.revoked)}")
        for key_id in result.missing:
            on_stderr().print(f"There is no key {key_id}", style="red")
    if result.missing:
        raise typer.Exit(1)


def _id_in(given: str) -> str:
    """Return the id in a whole key, so that one that has leaked can be revoked as it was found."""
    return given.split("_")[1] if given.startswith("idol_") and given.count("_") == 2 else given


async def _is_revoked(ring: KeyRing, key_id: str) -> bool:
    """Revoke a key; False where there is none. One whose record cannot be read is forgotten."""
    if not re.fullmatch(r"[a-z2-7]{12}", key_id):
        return False
    try:
        key = await ring.find(key_id)
    except StorageUnavailable:
        raise
    except StorageError:
        await ring.forget(key_id)
        return True
    if key is not None:
        await ring.revoke(key, utc_now())
    return key is not None


async def _revoked(key_ids: Sequence[str]) -> Revoked:
    revoked: list[str] = []
    missing: list[str] = []
    async with open_ring() as ring:
        for key_id in dict.fromkeys(key_ids):
            (revoked if await _is_revoked(ring, key_id) else missing).append(key_id)
    return Revoked(revoked=revoked, missing=missing)
