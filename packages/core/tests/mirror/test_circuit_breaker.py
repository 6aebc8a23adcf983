"""An outage of the mirror, of any length, with crashes of ours in between."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime, timedelta

import pytest

from idolchat_core.errors import DocumentRefused, StorageUnavailable
from idolchat_core.mirror import MirroredStorage, MirrorMode, worker
from idolchat_core.models import Conversation, utc_now
from idolchat_core.storage.contract import Storage
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, a_conversation, a_message

type Opening = Callable[..., AbstractAsyncContextManager[MirroredStorage]]
type Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


class Crash(Exception):
    """The process ends without a word."""


def of_now(*texts: str, minutes_ago: float = 0) -> Conversation:
    return a_conversation(*texts, updated_at=utc_now() - timedelta(minutes=minutes_ago))


async def are_equal(primary: Storage, mirror: Storage) -> bool:
    """Return whether both hold the same conversations, to the byte."""
    sides = [{key: await side.read_document(key) for key in await side.list_ids()} for side in (primary, mirror)]
    return sides[0] == sides[1]


async def has_arrived(primary: Storage, conversation: Conversation) -> bool:
    """Return whether a restart looks no further back than this conversation."""
    reached = await primary.get_record("mirror.objects", "reached")
    return reached is not None and datetime.fromisoformat(reached.decode()) >= conversation.updated_at


async def is_recorded(primary: Storage, name: str) -> bool:
    """Return whether the primary has learnt this of its mirror."""
    return await primary.get_record("mirror.objects", name) is not None


async def now(is_so: bool) -> bool:
    return is_so


async def test_an_outage_is_one_line_when_it_begins_and_one_when_it_ends(
    surveyed: MirroredStorage, mirror: InMemoryObjects, caplog: pytest.LogCaptureFixture, until: Until
) -> None:
    mirror.is_down = True
    with caplog.at_level(logging.WARNING, "idolchat_core.mirror"):
        await asyncio.gather(*(surveyed.create(of_now("one")) for _ in range(20)))
        asked = mirror.calls
        await until(lambda: now(mirror.calls >= asked + 10))
        behind = surveyed.status
        mirror.is_down = False
        await surveyed.has_copied()

    assert [record.message for record in caplog.records] == [
        "a mirror cannot be reached; copies are made when it can",
        "a mirror can be reached again",
    ]
    assert (behind.pending, behind.lag_s > 0, behind.is_ok) == (20, True, False)
    assert (surveyed.status.pending, surveyed.status.lag_s, surveyed.status.is_ok) == (0, 0.0, True)
    assert len(mirror.uploads) == 20


async def test_what_a_crash_kept_from_the_mirror_reaches_it_after_the_next_start(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    changed, deleted, chosen, replaced = (of_now("one", "two", minutes_ago=5) for _ in range(4))
    async with opened(primary, mirror) as storage:
        for conversation in (changed, deleted, chosen, replaced):
            await storage.create(conversation)
        await storage.has_copied()
    mirror.is_down = True
    for _ in range(2):
        with suppress(Crash):
            async with opened(primary, mirror) as storage:
                await storage.create(of_now("new"))
                total = (await storage.read_page(changed.id, limit=1)).total
                await storage.append(changed.id, [a_message()], expected_count=total, updated_at=utc_now())
                raise Crash
    with suppress(Crash):
        async with opened(primary, mirror) as storage:
            await storage.delete(deleted.id)
            await storage.update(chosen.id, {"head": str(chosen.messages[0].id)}, expected_count=2)
            await storage.put(of_now("shorter", minutes_ago=90).model_copy(update={"id": replaced.id}))
            raise Crash
    mirror.is_down = False
    async with opened(primary, mirror) as storage:
        await until(lambda: are_equal(primary, mirror))

        assert deleted.id not in await mirror.list_ids()
        assert len(await mirror.list_ids()) == 5


async def test_a_change_that_went_back_in_time_survives_a_crash(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    """The clock was set back: what is changed now looks older than what is known to have arrived."""
    old = of_now("one", minutes_ago=60)
    async with opened(primary, mirror) as storage:
        await storage.create(old)
        other = of_now("other", minutes_ago=2)
        await storage.create(other)
        await until(lambda: has_arrived(primary, other))
    mirror.is_down = True
    with suppress(Crash):
        async with opened(primary, mirror) as storage:
            before = utc_now() - timedelta(minutes=30)
            await storage.append(old.id, [a_message()], expected_count=1, updated_at=before)
            raise Crash
    mirror.is_down = False
    async with opened(primary, mirror):
        await until(lambda: are_equal(primary, mirror))


async def test_a_restart_does_not_look_at_what_is_known_to_have_arrived(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    async with opened(primary, mirror) as storage:
        conversations = [of_now("x", minutes_ago=2 + number) for number in range(30)]
        await asyncio.gather(*map(storage.create, conversations))
        await until(lambda: has_arrived(primary, conversations[0]))
        await until(lambda: is_recorded(primary, "identity"))
    before = mirror.calls
    async with opened(primary, mirror) as storage:
        await storage.create(of_now("new"))
        await storage.has_copied()

    assert mirror.calls - before <= 3


async def test_what_other_processes_change_reaches_the_mirror(
    storage: MirroredStorage, opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    kept, deleted = of_now("one"), of_now("two")
    await asyncio.gather(storage.create(kept), storage.create(deleted))
    await storage.has_copied()
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as other:
        await other.create(of_now("three"))
        await other.append(kept.id, [a_message()], expected_count=1, updated_at=utc_now())
        await other.delete(deleted.id)
        assert deleted.id in await mirror.list_ids()
    await until(lambda: are_equal(primary, mirror))

    assert len(await mirror.list_ids()) == 2


async def test_a_conversation_that_the_mirror_refuses_does_not_hold_up_the_others(
    surveyed: MirroredStorage, mirror: InMemoryObjects, caplog: pytest.LogCaptureFixture, until: Until
) -> None:
    refused = of_now("too large")
    mirror.refused[refused.id] = StorageUnavailable("the object exceeded the maximum allowed size")
    await surveyed.create(refused)
    await until(lambda: now(surveyed.status.mirrors[0].failures > 0))
    others = [of_now("fits") for _ in range(10)]
    await asyncio.gather(*map(surveyed.create, others))
    await until(lambda: now(surveyed.status.pending == 1))

    assert set(await mirror.list_ids()) == {conversation.id for conversation in others}
    assert surveyed.status.is_ok
    assert "cannot be reached" not in caplog.text


@pytest.mark.parametrize("error", [StorageUnavailable, DocumentRefused])
async def test_one_conversation_that_is_refused_again_and_again_is_no_outage(
    surveyed: MirroredStorage,
    mirror: InMemoryObjects,
    caplog: pytest.LogCaptureFixture,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    error: type[StorageUnavailable],
) -> None:
    monkeypatch.setattr(worker, "LONGEST_PAUSE_S", 0.001)
    refused = of_now("too large")
    mirror.refused[refused.id] = error("the object exceeded the maximum allowed size")
    await surveyed.create(refused)
    await until(lambda: now(surveyed.status.mirrors[0].failures > 10))

    assert surveyed.status.is_ok
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "a conversation cannot be copied, and is tried again"
    ]


async def test_documents_that_are_refused_are_no_outage_however_many(
    surveyed: MirroredStorage, mirror: InMemoryObjects, until: Until
) -> None:
    refused = [of_now("too large") for _ in range(10)]
    mirror.refused |= {conversation.id: DocumentRefused("too large") for conversation in refused}
    await asyncio.gather(*map(surveyed.create, refused))
    await until(lambda: now(surveyed.status.mirrors[0].failures >= 10))

    assert surveyed.status.is_ok


async def test_a_request_that_needs_the_mirror_in_vain_is_an_outage(
    opened: Opening,
    primary: InMemoryStorage,
    mirror: InMemoryObjects,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    lost = of_now("only there")
    await mirror.create(lost)
    async with opened(primary, mirror) as storage:
        await until(lambda: is_recorded(primary, "elsewhere"))
        mirror.is_down = True
        with pytest.raises(StorageUnavailable):
            await storage.read(lost.id)
        behind = storage.status
        mirror.is_down = False
        await until(lambda: now(storage.status.is_ok))

    assert (behind.is_ok, behind.pending) == (False, 0)
    assert "a mirror cannot be reached; copies are made when it can" in caplog.messages


async def test_a_mirror_that_was_emptied_in_an_outage_gets_everything_again(
    surveyed: MirroredStorage, primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    await asyncio.gather(*(surveyed.create(of_now("x", minutes_ago=number)) for number in range(5)))
    await surveyed.has_copied()
    await until(lambda: is_recorded(primary, "identity"))
    mirror.is_down = True
    await surveyed.create(of_now("new"))
    await until(lambda: now(not surveyed.status.is_ok))
    mirror.values.clear()
    mirror.is_down = False
    await until(lambda: are_equal(primary, mirror))

    assert len(await mirror.list_ids()) == 6


async def test_a_mirror_that_was_emptied_while_nothing_ran_gets_everything_again(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects, until: Until
) -> None:
    old = [of_now("x", minutes_ago=10 + number) for number in range(5)]
    async with opened(primary, mirror) as storage:
        await asyncio.gather(*map(storage.create, old))
        await until(lambda: has_arrived(primary, old[0]))
        await until(lambda: is_recorded(primary, "identity"))
    mirror.values.clear()
    async with opened(primary, mirror):
        await until(lambda: are_equal(primary, mirror))

    assert len(await mirror.list_ids()) == 5


async def test_a_good_end_brings_what_is_left(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    async with opened(primary, mirror) as storage:
        for _ in range(10):
            await storage.create(of_now("one"))

    assert await are_equal(primary, mirror)
