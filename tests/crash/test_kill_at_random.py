"""Servers killed at random moments, with several clients at work; `nox -s soak -- N` does it as often as asked."""

import os
import signal
import time
from random import Random

from tests.crash.conftest import NewRig, Rig
from tests.crash.load import Load
from tests.crash.recovery import compared, go_on, settle
from tests.support.ledger import Ledger
from tests.support.ledger_client import ledger_client

KILLS = int(os.environ.get("IDOLCHAT_CRASH_KILLS", "40"))
KILLS_OF_A_FOLDER = 25
MOST_WORDS = 160
MOST_CALLS = 60


def arm(rig: Rig, ledger: Ledger, dice: Random) -> None:
    """Have the server killed once it has said so much, or at a call that changes a file."""

    def kill() -> None:
        rig.server.send_signal(signal.SIGKILL)
        ledger.lose(time.monotonic())

    if dice.random() < 0.5:
        ledger.countdown, ledger.when_over = dice.randint(1, MOST_WORDS), kill
    else:
        ledger.countdown = 0
        rig.faults.kill_at(dice.randint(1, MOST_CALLS), torn=dice.random() < 0.3)


async def test_kills_at_random_moments_lose_and_double_nothing(new_rig: NewRig, dice: Random) -> None:
    """Scenario rows 13, 18, 21 and 37."""
    for first in range(0, KILLS, KILLS_OF_A_FOLDER):
        rig, ledger, load = new_rig(), Ledger(), Load(dice)
        for number in range(first, min(first + KILLS_OF_A_FOLDER, KILLS)):
            where = f"after kill {number}, {rig.faults.last_hit}"
            rig.server.start()
            async with ledger_client(rig.server, ledger) as client:
                assert await compared(client, rig.server.data) == [], where
                await settle(client)
                arm(rig, ledger, dice)
                await load.run(client)
            rig.killed()
            ledger.lose()
            rig.faults.release()
        rig.server.start()
        async with ledger_client(rig.server, ledger) as client:
            await settle(client)
            await go_on(client)
            assert await compared(client, rig.server.data) == []
        rig.server.kill()
