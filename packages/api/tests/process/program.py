"""A server process for tests: it says its URL, and goes on with a reply for each line that it is told."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from idolchat_api import serve
from idolchat_api.testing import Parts
from idolchat_core import CompletionRequest, Delta, Finished, LLMProvider, ModelInfo
from idolchat_core.errors import IdolchatError
from idolchat_core.plugins.hookspecs import hookimpl
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.plugins.registry import Registry
from idolchat_core.service import Service
from idolchat_core.testing import InMemoryStorage


class Prompted(LLMProvider):
    """Says a word, and another when a line comes in."""

    async def stream(self, request: CompletionRequest) -> AsyncGenerator[Delta | Finished]:
        yield Delta("one ")
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        yield Delta("two")
        yield Finished(finish_reason="stop")

    async def list_models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(id="prompted", context_length=8192)]

    async def check(self) -> None:
        return None


class NeverOpen(Parts):
    """Offers a provider that takes for ever to open."""

    @hookimpl
    def idolchat_register_llm_providers(self, registry: Registry[LLMProvider]) -> None:
        registry.add("local", opening)


@asynccontextmanager
async def opening() -> AsyncGenerator[LLMProvider]:
    print("opening for-ever", flush=True)  # noqa: T201
    await asyncio.Event().wait()
    yield Prompted()


def say_where(service: Service, url: str) -> None:
    print(service.storage_name, url, flush=True)  # noqa: T201 - what the test waits for


if __name__ == "__main__":
    kind = NeverOpen if "never-open" in sys.argv else Parts
    try:
        serve(plugins=load_plugins(kind(InMemoryStorage(), Prompted()), installed=False), on_started=say_where)
    except IdolchatError as error:
        sys.exit(f"refused: {error}")
