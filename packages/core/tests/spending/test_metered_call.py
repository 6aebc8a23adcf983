"""A call's lines stand in the ledger once, whoever writes them."""

import pytest

from idolchat_core.models import Usage, new_id
from idolchat_core.spending.ledger import Ledger
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.spending.settings import SpendingSettings
from idolchat_core.testing import InMemoryStorage, ScriptedProvider


@pytest.fixture
def ledger(storage: InMemoryStorage) -> Ledger:
    return Ledger(storage, ScriptedProvider(), settings=SpendingSettings())


@pytest.fixture
def call(ledger: Ledger) -> MeteredCall:
    call = ledger.admit(user_id="ana", key_id=None, address=None, purpose="chat")
    call.prepare(call_id=new_id())
    return call


async def written(storage: InMemoryStorage) -> bytes:
    return b"".join([await storage.read_log("spending", day) for day in await storage.list_logs("spending")])


async def test_lines_that_are_taken_are_written_by_nobody_else(
    storage: InMemoryStorage, ledger: Ledger, call: MeteredCall
) -> None:
    opening = call.take_lines()
    call.write()
    await call.written()
    call.settle("completed", Usage(input_tokens=1, output_tokens=2))
    settled = call.take_lines()
    await ledger.close()

    assert opening.startswith(b'{"open"')
    assert settled.startswith(b'{"call"')
    assert await written(storage) == b""


async def test_lines_that_are_given_back_are_taken_again_with_those_of_other_calls(
    storage: InMemoryStorage, ledger: Ledger, call: MeteredCall
) -> None:
    ledger.note(call.facts.log if call.facts else "", b'{"sure":"another"}\n')
    taken = call.take_lines()
    call.give_back()

    assert taken.count(b"\n") == 2
    assert call.take_lines() == taken


async def test_a_call_of_which_nothing_was_written_leaves_nothing(
    storage: InMemoryStorage, ledger: Ledger, call: MeteredCall
) -> None:
    call.withdraw()
    await ledger.close()

    assert await written(storage) == b""
