"""``idol keys list``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.text import Text

from idolchat_api.auth.keys import ApiKey
from idolchat_cli.commands.keys.ring import KeyInfo, describe, open_ring
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, on_stderr, on_stdout, print_json, show, table

__all__ = ["RESULT", "app"]

RESULT = list[KeyInfo]

app = new_app()


@app.command("list", epilog=examples("idol keys list", "idol keys list --json | jq -r '.[] | select(.user_id) | .id'"))
def list_keys(as_json: AsJson = False) -> None:
    """List the API keys, the newest first; revoked ones stay in the list."""
    keys = [describe(key) for key in asyncio.run(_keys())]
    if as_json:
        print_json(keys)
    elif not keys:
        on_stderr().print("No keys. To make one: idol keys create")
    else:
        show(
            on_stdout(),
            table("KEY", "ENDS IN", "STATE", "SCOPES", "USER", "CREATED", "EXPIRES", "NAME", rows=_rows(keys)),
        )


async def _keys() -> list[ApiKey]:
    async with open_ring() as ring:
        found = [await ring.find(key_id) for key_id in await ring.ids()]
    return sorted((key for key in found if key is not None), key=lambda key: key.created_at, reverse=True)


def _rows(keys: Sequence[KeyInfo]) -> list[list[Text]]:
    return [
        [
            cell(key.id),
            cell(f"...{key.hint}"),
            cell(key.state, "" if key.state == "active" else "red"),
            cell(",".join(key.scopes)),
            cell(str(key.user_id) if key.user_id else "any"),
            cell(f"{key.created_at:%Y-%m-%d}"),
            cell(f"{key.expires_at:%Y-%m-%d %H:%M}Z" if key.expires_at else "never"),
            cell(key.name),
        ]
        for key in keys
    ]
