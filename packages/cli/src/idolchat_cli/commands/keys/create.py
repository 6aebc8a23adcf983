"""``idol keys create``."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_api.auth.keys import ApiKey
from idolchat_api.auth.principal import Scope
from idolchat_cli.commands.keys.ring import KeyInfo, describe, open_ring
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.options import AsJson
from idolchat_cli.render import on_stderr, print_json
from idolchat_cli.usage import WrongUsage
from idolchat_core.models import utc_now

__all__ = ["RESULT", "app"]


class NewKey(KeyInfo):
    """A key that was just made."""

    key: str = Field(description="the key itself, which is told this once")


RESULT = NewKey
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

app = new_app()


@app.command(
    epilog=examples(
        "idol keys create --name 'web back end'         acts for any user",
        "idol keys create --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e --expires 90d",
        "idol keys create --name dashboard --scope read",
        "IDOL_KEY=$(idol keys create --json | jq -r .key)",
    )
)
def create(
    name: Annotated[str, typer.Option(metavar="TEXT", help="What it is for, to tell it from others.")] = "",
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may do: read changes nothing, chat talks, admin may do all. May be repeated."),
    ] = None,
    user: Annotated[
        UUID | None, typer.Option(metavar="UUID", help="Whose key it is; without, it acts for any user.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="When it ends: 12h, 90d, 4w, or a date such as 2030-01-31.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key, and show it this once.

    What is kept is a hash of it. It works at once, also where a server is running. Where it cannot be shown, none is
    made.
    """
    if len(name) > 100:
        raise WrongUsage("--name has at most 100 characters")
    scopes = frozenset(scope or [Scope.CHAT])
    key, kept = ApiKey.make(scopes=scopes, name=name, user_id=user, expires_at=_end(expires))
    asyncio.run(_make(key, kept, as_json=as_json))
    if not as_json:
        on_stderr().print("This key is shown only now; keep it where secrets are kept.")


async def _make(key: str, kept: ApiKey, *, as_json: bool) -> None:
    async with open_ring() as ring:
        await ring.add(kept)
        try:
            _show(key, kept, as_json=as_json)
        except OSError:
            await ring.forget(kept.id)
            on_stderr().print("No key was made, as nobody could see it.")
            raise


def _show(key: str, kept: ApiKey, *, as_json: bool) -> None:
    if as_json:
        print_json(NewKey(**dict(describe(kept)), key=key))
    else:
        typer.echo(key)


def _end(given: str | None) -> datetime | None:
    if given is None:
        return None
    span = re.fullmatch(r"(\d{1,5})([hdw])", given)
    try:
        end = utc_now() + int(span[1]) * UNITS[span[2]] if span else datetime.fromisoformat(given).astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongUsage(f"--expires is {given!r}; write 12h, 90d, 4w, or a date such as 2030-01-31") from None
    if end <= utc_now():
        raise WrongUsage(f"--expires is {given!r}, which has passed")
    return end
