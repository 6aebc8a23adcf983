import asyncio
import socket
from typing import Any

import pytest

from idolchat_llm_openrouter.http.name_lookup import NameLookup


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hosts that the resolver of the system is asked for."""
    hosts: list[str] = []
    ask = asyncio.BaseEventLoop.getaddrinfo

    async def noted(loop: asyncio.BaseEventLoop, host: str, port: int, **more: Any) -> Any:
        hosts.append(host)
        return await ask(loop, host, port, **more)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", noted)
    return hosts


async def test_those_who_connect_together_ask_once(asked: list[str]) -> None:
    lookup = NameLookup("localhost", 80)
    found = await asyncio.gather(*[lookup.addresses() for _ in range(50)])

    assert asked == ["localhost"]
    assert all(one == found[0] for one in found)
    assert found[0]


async def test_one_who_no_longer_waits_takes_it_from_nobody(asked: list[str]) -> None:
    lookup = NameLookup("localhost", 80)
    first, second = (asyncio.create_task(lookup.addresses()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()

    assert await second
    assert asked == ["localhost"]


async def test_a_host_whose_addresses_fail_is_asked_for_again(asked: list[str]) -> None:
    lookup = NameLookup("localhost", 80)
    await lookup.addresses()
    lookup.forget()
    await lookup.addresses()

    assert asked == ["localhost", "localhost"]


async def test_an_error_is_not_kept(asked: list[str]) -> None:
    lookup = NameLookup("no-such-host.invalid", 80)
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await lookup.addresses()

    assert len(asked) == 2
