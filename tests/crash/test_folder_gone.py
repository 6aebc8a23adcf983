"""A data folder that goes away while the server runs, as a volume does that is unmounted."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.crash.conftest import Rig
from tests.crash.recovery import compared, go_on, is_unavailable, settle
from tests.crash.scenario import play
from tests.support.ledger import Ledger
from tests.support.ledger_client import LedgerClient, ledger_client


def leave_nothing(place: Path) -> None:
    """Leave no folder."""


def leave_an_empty_folder(place: Path) -> None:
    """Leave what an unmounted volume leaves: its mount point."""
    place.mkdir()


@pytest.mark.parametrize("leave", [leave_nothing, leave_an_empty_folder])
async def test_a_folder_that_goes_is_told_and_not_replaced_and_comes_back(
    rig: Rig, leave: Callable[[Path], None]
) -> None:
    """Scenario rows 1 and 4."""
    ledger, data = Ledger(), rig.server.data
    elsewhere = data.with_name("elsewhere")
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client, asyncio.timeout(60):
        await play(client)
        data.rename(elsewhere)
        leave(data)
        told = await everything_asked(client)
        await play(client)
        while (ill := await client.http.get("/health")).status_code == 200:
            pass
        written = [str(path.relative_to(data)) for path in data.rglob("*")]
        shutil.rmtree(data, ignore_errors=True)
        elsewhere.rename(data)
        while (await client.http.get("/health")).status_code != 200:
            pass
        await settle(client)
        await go_on(client)
        differences = await compared(client, data)

    assert [name for name, response in told.items() if not is_unavailable(response)] == []
    assert ill.json()["storage"]["code"] == "storage_unavailable"
    assert "is not there" in ill.json()["storage"]["message"]
    assert (written, differences) == ([], [])


async def everything_asked(client: LedgerClient) -> dict[str, httpx.Response]:
    """Ask for what was stored, and to store more."""
    conversation_id = client.ledger.conversations[0]
    said = {"messages": [{"role": "user", "content": "Is anybody there?"}]}
    return {
        "conversation": await client.http.get(f"/conversation/{conversation_id}"),
        "page": await client.http.get(f"/conversation/{conversation_id}?limit=2"),
        "unknown conversation": await client.http.get("/conversation/0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55"),
        "new conversation": await client.http.post("/chat", json=said),
        "known conversation": await client.http.post("/chat", json=said | {"conversation_id": conversation_id}),
        "fork": await client.http.post(f"/conversation/{conversation_id}/fork"),
        "delete": await client.http.delete(f"/conversation/{conversation_id}"),
    }
