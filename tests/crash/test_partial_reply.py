"""What was said of a reply before the server died."""

import asyncio
import signal
import time
from random import Random

import pytest

from tests.crash.conftest import Rig
from tests.crash.recovery import compared, go_on, settle
from tests.support.ledger import Ledger, Sent
from tests.support.ledger_client import LedgerClient, Lost, ledger_client

SLOW = "mock/echo-d100"
"""Three characters ten times a second."""


async def talk_until_killed(rig: Rig, ledger: Ledger, ways: list[str], *, words: int) -> list[Sent]:
    """Listen to slow replies side by side, and kill the server after so many words."""

    def kill() -> None:
        rig.server.send_signal(signal.SIGKILL)
        ledger.lose(time.monotonic())

    async def listen(client: LedgerClient, one: Sent) -> None:
        with pytest.raises(Lost):
            await client.send(one)

    ledger.countdown, ledger.when_over = words, kill
    sent = [Sent(way=way, text=f"{number} {'and so it goes ' * 25}", model=SLOW) for number, way in enumerate(ways)]
    async with ledger_client(rig.server, ledger) as client, asyncio.timeout(60):
        await asyncio.gather(*(listen(client, one) for one in sent))
    rig.killed()
    return sent


@pytest.mark.parametrize("number", range(3))
async def test_a_partial_reply_is_kept_up_to_a_second_before_the_kill(rig: Rig, dice: Random, number: int) -> None:
    """Scenario row 13."""
    ledger = Ledger()
    rig.server.start()
    sent = await talk_until_killed(rig, ledger, ["sse", "ws", "ws"], words=dice.randint(50, 75))
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client:
        differences = await compared(client, rig.server.data)
        states = [await client.state(one) for one in sent]
        kept = [one.heard_in_time(str(one.turn_id)) for one in sent]
        await settle(client)
        await go_on(client)
        after = await compared(client, rig.server.data)

    assert all(kept)
    assert states == ["interrupted"] * 3
    assert (differences, after) == ([], [])


async def test_the_next_prompt_has_the_partial_reply_once(rig: Rig) -> None:
    """Scenario rows 11 and 13."""
    ledger = Ledger()
    rig.server.start()
    [one] = await talk_until_killed(rig, ledger, ["sse"], words=18)
    rig.server.start()
    async with ledger_client(rig.server, ledger) as client:
        await go_on(client)
        assert one.conversation_id
        messages = (await client.document(one.conversation_id))["messages"]

    assert [(m["role"], m.get("finish_reason")) for m in messages[:3]] == [
        ("user", None),
        ("assistant", "interrupted"),
        ("user", None),
    ]
    assert messages[1]["content"].startswith(one.heard_in_time(messages[1]["turn_id"]))
