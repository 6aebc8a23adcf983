"""``idol connect``."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer
from pydantic import Field

from idolchat_api.auth.keys import ApiKey
from idolchat_api.auth.principal import Scope
from idolchat_api.settings.api import ApiSettings
from idolchat_api_openai.commands.clients import GUIDES, ManyUsers, Place
from idolchat_cli.commands.keys.ring import open_ring
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import running_url
from idolchat_cli.options import AsJson
from idolchat_cli.render import on_stderr, print_json
from idolchat_cli.results import Result
from idolchat_cli.usage import WrongUsage
from idolchat_core import read_settings

__all__ = ["RESULT", "app"]

NO_KEY = "none"
"""What is entered where a key is asked for and the server wants none."""


class Client(StrEnum):
    """What can be connected."""

    SILLYTAVERN = "sillytavern"
    OPEN_WEBUI = "open-webui"
    LIBRECHAT = "librechat"
    RISUAI = "risuai"
    OPENAI = "openai"
    AI_SDK = "ai-sdk"
    LANGCHAIN = "langchain"


class Connection(Result):
    """What to enter in a client."""

    client: str
    base_url: str
    api_key: str = Field(description="told this once; `none` where the server asks for no key")
    model: str
    guide: str = Field(description="what to enter where, as it is shown to people")


RESULT = Connection

app = new_app()


@app.command(
    epilog=examples(
        "idol connect sillytavern",
        "idol connect open-webui --url https://idol.example.com/v1",
        "idol connect openai --user 5d3f2c1e-0b5a-4c55-9d0e-1f2a3b4c5d6e --model mika",
    )
)
def connect(
    client: Annotated[Client, typer.Argument(metavar="CLIENT", help=f"What to connect: {', '.join(Client)}.")],
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where the client finds /v1; else where the server is, or would be."),
    ] = None,
    model: Annotated[str, typer.Option(metavar="CHARACTER", help="Slug or id of the character to talk with.")] = "lumi",
    user: Annotated[
        UUID | None, typer.Option(metavar="UUID", help="Whose key it is; without, it may speak for any user.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", envvar="IDOL_KEY", help="A key that is there; else one is made.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what to enter in a client so that it talks with this server's characters.

    A key is made, and shown this once, where the server asks for keys (IDOLCHAT_AUTH=api-key). Under another login,
    --key takes a user's token.
    """
    settings = read_settings(ApiSettings)
    base_url = (url or _address(settings)).rstrip("/")
    api_key = key or asyncio.run(_made(client, user, settings))
    place = Place(base_url=base_url, key=api_key, model=model)
    guide = GUIDES[client](place)
    if as_json:
        print_json(Connection(client=client, base_url=base_url, api_key=api_key, model=model, guide=guide))
        return
    if key is None and api_key != NO_KEY:
        on_stderr().print("The key is shown only now; `idol keys list` and `idol keys revoke` know it.")
    if settings.auth == "none" and client in ManyUsers:
        on_stderr().print("This server asks for no key: whoever reaches it may speak for every user.")
    typer.echo(guide)


def _address(settings: ApiSettings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  not listened on
    shown = f"[{host}]" if ":" in host else host
    return f"{running_url() or f'http://{shown}:{settings.port}'}{settings.root_path}/v1"


async def _made(client: Client, user: UUID | None, settings: ApiSettings) -> str:
    if settings.auth == "none":
        return NO_KEY
    if settings.auth != "api-key":
        raise WrongUsage(
            f"the server takes no API keys (IDOLCHAT_AUTH={settings.auth}): give a token of one of its users with --key"
        )
    made, kept = ApiKey.make(scopes=frozenset({Scope.CHAT}), name=f"idol connect {client}", user_id=user)
    async with open_ring() as ring:
        await ring.add(kept)
    return made
