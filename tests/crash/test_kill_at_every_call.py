"""A server killed at each single call that changes a file, in everything users do."""

from itertools import count

import pytest

from tests.crash.conftest import NewRig, Rig, Tally
from tests.crash.recovery import compared, go_on, settle
from tests.crash.scenario import play
from tests.support.faults import CHANGES, Kind
from tests.support.ledger import Ledger
from tests.support.ledger_client import Lost, ledger_client


async def killed_at(rig: Rig, number: int, *, kinds: Kind, torn: bool) -> Ledger | None:
    """Kill a new server at its n-th call, from its start on; None when it got through."""
    ledger = Ledger()
    rig.faults.kill_at(number, kinds=kinds, torn=torn)
    if (status := rig.server.try_start()) is not None:
        assert status == -9
        Tally.kills += 1
        return ledger
    try:
        async with ledger_client(rig.server, ledger) as client:
            await play(client)
    except Lost:
        rig.killed()
        return ledger
    return None


PLAIN = {"IDOLCHAT_PLUGINS": "storage-local,llm-openrouter,characters", "IDOLCHAT_CHARACTERS_STARTER": "off"}
"""The index of memory has crash tests of its own, and the first character is no message: each call costs two starts."""
SHARES = 4
"""The calls are shared out among so many tests, so that they can run side by side."""


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize(
    ("kinds", "torn"), [(CHANGES, False), (Kind.WRITE, True)], ids=["before any call", "in the middle of any write"]
)
async def test_a_kill_at_any_call_loses_and_doubles_nothing(
    new_rig: NewRig, kinds: Kind, torn: bool, share: int
) -> None:
    """Scenario rows 13, 18, 21 and 37."""
    for number in count(1 + share, SHARES):
        rig = new_rig(**PLAIN)
        ledger = await killed_at(rig, number, kinds=kinds, torn=torn)
        if ledger is None:
            break
        where = f"killed at call {number}, {rig.faults.last_hit}"
        rig.faults.release()
        rig.server.start()
        async with ledger_client(rig.server, ledger) as client:
            assert await compared(client, rig.server.data) == [], where
            await settle(client)
            await go_on(client)
            assert await compared(client, rig.server.data) == [], where
        rig.server.kill()
