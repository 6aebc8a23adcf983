"""Thousands of requests that the OpenAPI document allows, and as many that it does not (CVE-2026-31949).

Each is answered with a status that the document tells, and what another user has is as it was.
"""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from idolchat_api import ApiSettings
from idolchat_api.testing import Parts, new_key_in, serving
from idolchat_core.plugins.loader import load_plugins
from idolchat_core.testing import InMemoryStorage, ScriptedProvider

CASES = int(os.environ.get("IDOLCHAT_FUZZ_CASES", "60"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = 17
"""At least so many are tried, so that an empty document passes nothing."""


@dataclass(frozen=True)
class Attacked:
    """A server with a conversation of one user's, and the keys of that user and of another."""

    url: str
    owner: dict[str, str]
    stranger: dict[str, str]
    conversation: str


@asynccontextmanager
async def attackable(folder: Path) -> AsyncGenerator[Attacked]:
    storage = InMemoryStorage()
    new_key = new_key_in(storage)
    owner, stranger = await new_key(user_id=uuid4()), await new_key(user_id=uuid4())
    plugins = load_plugins(Parts(storage, ScriptedProvider()), installed=False)
    options = ApiSettings(data_dir=folder, auth="api-key", docs="on").model_copy(
        update={"user_requests_per_minute": 0, "address_requests_per_minute": 0}
    )
    async with serving(options, plugins=plugins) as url, httpx.AsyncClient(base_url=url) as client:
        body = {"messages": [{"role": "user", "content": "Mine"}]}
        made = (await client.post("/chat", json=body, headers=owner)).json()["conversation_id"]
        yield Attacked(url, owner, stranger, made)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Generator[Attacked]:
    """A server in a thread of its own, for hypothesis calls without a loop."""
    served = attackable(tmp_path_factory.mktemp("schema"))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(served) as attacked:
        yield attacked


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_document_tells(attacked: Attacked, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{attacked.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    with httpx.Client(base_url=attacked.url, headers=attacked.owner) as client:
        before = client.get(f"/conversation/{attacked.conversation}").content

        for operation in operations:

            @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def attempt(case: Case[Any]) -> None:
                case.call_and_validate(headers=attacked.stranger, checks=CHECKS)

            with suppress(Unsatisfiable):  # nothing can be wrong with a request that takes nothing
                attempt()

        assert len(operations) >= OPERATIONS
        assert client.get(f"/conversation/{attacked.conversation}").content == before
        assert client.get("/livez").status_code == 200
