"""This server, doing the whole job: every turn durable before it is answered, history and prompt, ids, a live log."""

import asyncio
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal
from uuid import UUID

from tests.support.mock_supabase.keys import SECRET

from benchmarks.load.options import Mode
from benchmarks.wire.gateway import Gateway, Setup
from benchmarks.wire.ports import free_port
from idolchat_api.auth.api_key import KeyRing
from idolchat_api.auth.keys import ApiKey
from idolchat_api.auth.principal import Scope
from idolchat_core.models import Conversation, Message, new_id, utc_now
from idolchat_storage_local import LocalSettings, open_local_storage

__all__ = ["OURS", "OURS_WITH_KEYS", "OURS_WITH_MIRROR", "OURS_WITH_PLUGINS", "ours_by"]

_TURN = "Tell me about your next concert, please! " * 4
BODY = '{"model": "@MODEL@", "messages": [{"role": "user", "content": "' + _TURN + '"}], "conversation_id": "@POOL@"}'
WS_BODY = '{"type": "message", "model": "@MODEL@", "conversation_id": "@POOL@", "message": "' + _TURN + '"}'


def prepare(folder: Path, upstream: str, *, python: Path | None = None) -> Setup:
    """Set it up with durable local storage and no plugin but those that every turn needs."""
    port = free_port()
    environment = {
        "IDOLCHAT_PORT": str(port),
        "IDOLCHAT_DATA_DIR": str(folder / "data"),
        "IDOLCHAT_PLUGINS": "storage-local,storage-supabase,llm-openrouter",
        "IDOLCHAT_LLM": "openrouter",
        "OPENROUTER_BASE_URL": upstream,
        "OPENROUTER_API_KEY": "sk-of-no-use",
    }
    command = [str(python or sys.executable), "-m", "idolchat_cli", "serve"]
    return Setup(command=command, port=port, environment=environment, ready="/livez")


def prepare_with_plugins(folder: Path, upstream: str) -> Setup:
    """Set it up as it comes, with all plugins that are installed."""
    setup = prepare(folder, upstream)
    environment = {name: value for name, value in setup.environment.items() if name != "IDOLCHAT_PLUGINS"}
    return replace(setup, environment=environment)


def prepare_with_keys(folder: Path, upstream: str) -> Setup:
    """Set it up to ask for an API key, and make the clients one."""
    setup = prepare(folder, upstream)
    key, kept = ApiKey.make(scopes=frozenset({Scope.CHAT}))
    asyncio.run(_keep(kept, folder / "data"))
    return replace(
        setup,
        environment={**setup.environment, "IDOLCHAT_AUTH": "api-key"},
        headers=[f"authorization: Bearer {key}"],
    )


def prepare_with_mirror(folder: Path, upstream: str) -> Setup:
    """Set it up to mirror what it stores in a stand-in for Supabase, which runs beside it."""
    setup, port = prepare(folder, upstream), free_port()
    supabase = {"SUPABASE_URL": f"http://127.0.0.1:{port}", "SUPABASE_SERVICE_ROLE_KEY": SECRET}
    return replace(
        setup,
        environment={**setup.environment, **supabase, "IDOLCHAT_STORAGE": "local,supabase"},
        beside=[sys.executable, "-m", "tests.support.mock_supabase", "--port", str(port), "--answers-after-ms", "20"],
    )


def remember(setup: Setup, conversation_id: UUID, messages: int) -> None:
    """Put a conversation into its data folder, as another process may."""
    roles: tuple[Literal["user", "assistant"], ...] = ("user", "assistant")
    now = utc_now()
    said = (Message(id=new_id(), role=roles[n % 2], content=_TURN, timestamp=now) for n in range(messages))
    conversation = Conversation(id=conversation_id, created_at=now, updated_at=now, messages=tuple(said))
    asyncio.run(_put(conversation, Path(setup.environment["IDOLCHAT_DATA_DIR"])))


async def _put(conversation: Conversation, data: Path) -> None:
    async with open_local_storage(LocalSettings(data_dir=data)) as storage:
        await storage.put(conversation)


async def _keep(key: ApiKey, data: Path) -> None:
    async with open_local_storage(LocalSettings(data_dir=data)) as storage:
        await KeyRing(storage).add(key)


_PATHS: dict[Mode, str] = {"json": "/chat", "sse": "/chat/stream", "ws": "/ws/chat"}
OURS = Gateway(
    name="idolchat", prepare=prepare, paths=_PATHS, body=BODY, ws_body=WS_BODY, is_durable=True, remember=remember
)


def ours_by(python: Path, *, name: str) -> Gateway:
    """This server, run by another Python that it is installed in."""
    return replace(OURS, name=f"idolchat, {name}", prepare=partial(prepare, python=python))


OURS_WITH_KEYS = replace(OURS, name="idolchat, API keys", prepare=prepare_with_keys)
_FEW = ("rest-1", "rest-64", "sse-32")
OURS_WITH_MIRROR = replace(OURS, name="idolchat, a mirror", prepare=prepare_with_mirror, scenarios=_FEW)
OURS_WITH_PLUGINS = replace(OURS, name="idolchat, all plugins", prepare=prepare_with_plugins, scenarios=_FEW)
