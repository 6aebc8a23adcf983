"""A plugin for the tests: conversations in a folder, and a model that says what a script tells it.

It is installed as any plugin is, with metadata and an entry point of its own (see ``conftest.py``).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import Field, SecretStr

from idolchat_core import (
    CharacterDirectory,
    CompletionRequest,
    Finished,
    LLMProvider,
    Message,
    ModelInfo,
    Registry,
    ServiceRegistry,
    Storage,
    hookimpl,
)
from idolchat_core.errors import NotAuthorized, ProviderError, RateLimited, ReplyCut, StorageUnavailable
from idolchat_core.settings import PackageSettings, read_settings
from idolchat_core.storage import document
from idolchat_core.storage.key_value import KeyValueStorage
from idolchat_core.storage.record_log import namespaces_among
from idolchat_core.storage.records import check_record_version, names_after, record_version
from idolchat_core.testing import InMemoryDirectory, InMemoryStorage, ScriptedProvider, Step

FOLDER, COPIES, RECORDS = Path("stored"), Path("copies"), Path("records")
SCRIPT = Path("script.json")
REQUESTS = Path("requests.json")

MODELS = [
    ModelInfo(id="test/quiet", context_length=8192),
    ModelInfo(id="test/loud", context_length=4096),
    ModelInfo(id="test/unmeasured"),
]

FAULTS: dict[str, ProviderError] = {
    "<rate limited>": RateLimited("the provider wants a pause of 7 s", retry_after_s=7),
    "<cut>": ReplyCut("the reply ended half-way"),
    "<wrong key>": NotAuthorized("the provider \x1b[2Jrefuses the key"),
}


class PartsSettings(PackageSettings):
    """What the tests set."""

    storage_fault: str | None = Field(None, validation_alias="IDOL_TEST_STORAGE_FAULT", description="none, open, write")
    key: SecretStr | None = Field(None, validation_alias="IDOL_TEST_KEY", description="a secret")
    url: str | None = Field(None, validation_alias="IDOL_TEST_URL", description="an address")
    provider_fault: str | None = Field(None, validation_alias="IDOL_TEST_PROVIDER_FAULT", description="as in FAULTS")


class FolderStorage(InMemoryStorage):
    """Keeps records in files at once, for other processes to see."""

    async def get_record(self, namespace: str, name: str) -> bytes | None:
        """Read a file."""
        kept = RECORDS / namespace / name
        return kept.read_bytes() if kept.exists() else None

    async def put_record(
        self, namespace: str, name: str, value: bytes, *, durable: bool = True, if_version: str | None = None
    ) -> str:
        """Write a file."""
        check_record_version(namespace, name, record_version(await self.get_record(namespace, name)), if_version)
        (RECORDS / namespace).mkdir(parents=True, exist_ok=True)
        (RECORDS / f"{namespace}.new").write_bytes(value)
        (RECORDS / f"{namespace}.new").replace(RECORDS / namespace / name)
        return record_version(value)

    async def delete_record(self, namespace: str, name: str, *, if_version: str | None = None) -> None:
        """Remove a file."""
        check_record_version(namespace, name, record_version(await self.get_record(namespace, name)), if_version)
        (RECORDS / namespace / name).unlink(missing_ok=True)

    async def list_records(self, namespace: str, *, after: str = "", limit: int | None = None) -> Sequence[str]:
        """List the files."""
        return names_after(sorted(path.name for path in (RECORDS / namespace).glob("*")), after, limit)

    async def list_namespaces(self) -> Sequence[str]:
        """List the folders; logs are records here."""
        return namespaces_among(path.name for path in RECORDS.glob("*/"))  # noqa: ASYNC240 - it is quick

    async def append_log(self, namespace: str, name: str, lines: bytes, *, durable: bool = True) -> None:
        """Add to the records that it is made of."""
        await Storage.append_log(self, namespace, name, lines, durable=durable)

    async def read_log(self, namespace: str, name: str, *, start: int = 0) -> bytes:
        """Read the records that it is made of."""
        return await Storage.read_log(self, namespace, name, start=start)

    async def list_logs(self, namespace: str) -> Sequence[str]:
        """List the records that they are made of."""
        return await Storage.list_logs(self, namespace)


class FullStorage(FolderStorage):
    """A disk without room."""

    async def append(self, conversation_id: UUID, messages: Sequence[Message], **more: Any) -> str | None:
        """Refuse."""
        raise StorageUnavailable("the disk is full; make room in the folder 'stored'")

    async def check(self) -> None:
        """Refuse."""
        raise StorageUnavailable("the disk is full; make room in the folder 'stored'")


class Copies(KeyValueStorage):
    """A mirror in a folder of its own; it is down while there is a file of the name ``down`` in it."""

    async def get_value(self, key: str) -> bytes | None:
        """Read a file."""
        path = self._path(key)
        return path.read_bytes() if path.exists() else None

    async def put_value(self, key: str, value: bytes) -> None:
        """Write a file."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(value)

    async def delete_value(self, key: str) -> None:
        """Remove a file."""
        self._path(key).unlink(missing_ok=True)

    async def list_keys(self, prefix: str) -> Sequence[str]:
        """List the files."""
        return [str(path.relative_to(COPIES)) for path in self._path(prefix).rglob("*") if path.is_file()]

    def _path(self, key: str) -> Path:
        if (COPIES / "down").exists():
            raise StorageUnavailable("the mirror does not answer")
        return COPIES / key


@asynccontextmanager
async def open_folder() -> AsyncGenerator[Storage]:
    """Keep conversations in memory and write them to the folder at the end."""
    fault = read_settings(PartsSettings).storage_fault
    if fault == "open":
        raise StorageUnavailable("the folder 'stored' cannot be read")
    storage = FullStorage() if fault == "write" else FolderStorage()
    for conversation_id, stored in _kept():
        await storage.put(document.decode(stored, conversation_id))
    try:
        yield storage
    finally:
        _remove_all()
        for conversation_id in await storage.list_ids():
            _keep(conversation_id, await storage.read_document(conversation_id))


def _kept() -> list[tuple[UUID, bytes]]:
    return [(UUID(path.stem), path.read_bytes()) for path in FOLDER.glob("*.json")]


def _remove_all() -> None:
    for path in FOLDER.glob("*.json"):
        path.unlink()


def _keep(conversation_id: UUID, content: bytes) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{conversation_id}.json").write_bytes(content)


@asynccontextmanager
async def open_scripted() -> AsyncGenerator[LLMProvider]:
    """Describe what the script says; write what was asked to a file at the end."""
    fault = read_settings(PartsSettings).provider_fault
    provider = ScriptedProvider(*_replies(), models=MODELS, default_model="test/quiet")
    if fault:
        provider.check_error = FAULTS[fault]
    try:
        yield provider
    finally:
        _write_down(provider.requests)


def _replies() -> list[list[Step]]:
    replies = json.loads(SCRIPT.read_text()) if SCRIPT.exists() else []
    return [[_step(word) for word in reply] for reply in replies]


def _write_down(requests: Sequence[CompletionRequest]) -> None:
    REQUESTS.write_text(json.dumps([asdict(request) for request in requests], default=str))


def _step(word: str) -> Step:
    if word == "<too long>":
        return Finished(finish_reason="length")
    if word == "<wait for ever>":
        return asyncio.Event()
    return FAULTS.get(word, word)


@hookimpl
def idolchat_register_character_directories(registry: ServiceRegistry[CharacterDirectory]) -> None:
    """Add Mika."""
    directory = InMemoryDirectory()
    directory.add("mika", "Hi! I am Mika.", "You again?")
    registry.add("memory", lambda services: nullcontext(directory))


@hookimpl
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    """Add the folder."""
    registry.add("folder", open_folder)
    if "copies" in os.environ.get("IDOLCHAT_STORAGE", ""):
        registry.add("copies", lambda: nullcontext(Copies()))


@hookimpl
def idolchat_register_llm_providers(registry: Registry[LLMProvider]) -> None:
    """Add the script."""
    registry.add("scripted", open_scripted)


assert os.environ["IDOLCHAT_PLUGINS"], "the tests load no plugins but theirs"
