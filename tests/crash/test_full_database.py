"""The disk of the PostgreSQL of two servers is full, and has room again."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from idolchat_core.testing import until
from idolchat_storage_postgres.testing import PostgresServer
from tests.support.cluster import Cluster, running_cluster
from tests.support.faults import Faults, Kind, compile_shim
from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.stream import streamed
from tests.support.zygote import Zygote

WORDS = 400
"""So many take more than the files of an empty database have room for."""


@pytest.fixture
def disk(postgres: PostgresServer) -> Faults:
    """Return what happens to writes of tables; its log has a place of its own, as is usual."""
    faults = Faults(postgres.folder / "faults", root=postgres.folder / "data" / "base")
    shim = compile_shim(postgres.folder)
    for path in (faults.path, shim):
        path.chmod(0o777)
    postgres.environment |= {"LD_PRELOAD": str(shim), "FAULTS": str(faults.path)}
    postgres.restart()
    return faults


@pytest.fixture
def cluster(
    tmp_path: Path, zygote: Zygote, postgres: PostgresServer, disk: Faults, mock_openrouter: Mock
) -> Iterator[Cluster]:
    with running_cluster(tmp_path, zygote, postgres, count=2, OPENROUTER_BASE_URL=mock_openrouter.base_url) as cluster:
        yield cluster


def asking(model: str) -> dict[str, Any]:
    text = " ".join(secrets.token_urlsafe(12) for _ in range(WORDS))
    return {"messages": [{"role": "user", "content": text}], "model": model, "conversation_id": str(uuid4())}


async def document_of(server: Server, asked: dict[str, Any]) -> list[dict[str, Any]]:
    async with server.client() as client:
        page = (await client.get(f"/conversation/{asked['conversation_id']}")).json()
    messages: list[dict[str, Any]] = page["messages"]
    return messages


async def test_a_full_disk_refuses_what_is_new_and_loses_nothing_and_all_goes_on_when_there_is_room(
    cluster: Cluster, disk: Faults, mock_openrouter: Mock
) -> None:
    one, second = cluster.servers
    told, refused = asking("mock/echo-h8-d0"), asking("mock/echo")
    async with streamed(one, json=told) as events, second.client() as client:
        await anext(events)
        disk.fail_at(1, errno.ENOSPC, lasting=True, kinds=Kind.WRITE)
        refusal = await client.post("/chat", json=refused)
        mock_openrouter.release()
        rest = [event async for event in events]
        disk.release()
        answer = await client.post("/chat", json=refused)
    stored = await until("the reply", partial(document_of, second, told), lambda messages: len(messages) == 2)

    assert (refusal.status_code, refusal.json()["error"]["code"]) == (503, "storage_unavailable")
    assert "is full" in refusal.json()["error"]["message"]
    assert "retry-after" in refusal.headers
    assert rest[-2].data["error"]["code"] == "storage_unavailable"
    assert [message["content"] for message in stored] == [text_of(told)] * 2
    assert answer.status_code == 200
    assert [message["content"] for message in await document_of(one, refused)] == [text_of(refused)] * 2


def text_of(asked: dict[str, Any]) -> str:
    text: str = asked["messages"][0]["content"]
    return text
