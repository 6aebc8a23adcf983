"""The models that can be asked for."""

from collections.abc import Sequence

import httpx
import openai
import pytest

from idolchat_api.testing import Parts
from idolchat_core import ModelInfo
from idolchat_core.errors import ProviderTimeout
from idolchat_core.plugins.loader import Plugins, load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider


class Silent(ScriptedProvider):
    """Does not list its models."""

    async def list_models(self) -> Sequence[ModelInfo]:
        raise ProviderTimeout("the provider was silent")


async def test_models_are_listed_as_openai_does(client: httpx.AsyncClient) -> None:
    said = (await client.get("/models")).json()

    assert said == {
        "object": "list",
        "data": [
            {"id": "scripted/model", "object": "model", "created": 0, "owned_by": "local", "context_length": 8192}
        ],
        "default": "scripted/model",
    }


async def test_openais_client_lists_them(url: str) -> None:
    async with openai.AsyncOpenAI(api_key="none", base_url=url) as client:
        models = [model.id async for model in client.models.list()]

    assert models == ["scripted/model"]


class TestSilentProvider:
    """A provider that does not answer."""

    @pytest.fixture
    def plugins(self, storage: InMemoryStorage) -> Plugins:
        return load_plugins(Parts(storage, Silent()), installed=False)

    async def test_its_fault_is_told(self, client: httpx.AsyncClient) -> None:
        reply = await client.get("/models")

        assert (reply.status_code, reply.json()["error"]["code"]) == (504, "provider_timeout")
