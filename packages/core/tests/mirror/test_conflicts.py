"""What the mirror holds and this primary never knew is not replaced: several may mirror into one place."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from idolchat_core.mirror import MirroredStorage
from idolchat_core.models import utc_now
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, a_conversation, a_message

type Opening = Callable[..., AbstractAsyncContextManager[MirroredStorage]]


async def test_two_primaries_share_a_mirror_without_harm(opened: Opening) -> None:
    bucket: dict[str, bytes] = {}
    sides = [InMemoryStorage(), InMemoryStorage()]
    mirrors = [InMemoryObjects(bucket), InMemoryObjects(bucket)]
    mine = [[a_conversation(str(number), created_at=utc_now()) for number in range(5)] for _ in sides]
    taken = a_conversation("the first", id=mine[0][0].id, created_at=utc_now() + timedelta(seconds=1))
    async with opened(sides[0], mirrors[0]) as first, opened(sides[1], mirrors[1]) as second:
        for storage, conversations in ((first, mine[0]), (second, mine[1])):
            for conversation in conversations:
                await storage.create(conversation)
            await storage.has_copied()
        for storage, conversations in ((first, mine[0]), (second, mine[1])):
            await storage.delete(conversations[-1].id)
            await storage.has_copied()
        await sides[1].put(taken)
        await second.append(taken.id, [a_message()], expected_count=1, updated_at=utc_now())
        await second.has_copied()
        await second.delete(taken.id)
        await second.has_copied()
        state = second.status.mirrors[0]

    assert state.conflicts == 1
    held = InMemoryObjects(bucket)
    assert set(await held.list_ids()) == {one.id for conversations in mine for one in conversations[:-1]}
    assert await held.read(taken.id) == mine[0][0]


async def test_a_mirror_that_holds_more_is_left_as_it_is(
    storage: MirroredStorage, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    older = a_conversation("one", "two")
    newer = older.model_copy(update={"messages": (*older.messages, a_message("three"))})
    await primary.create(older)
    await mirror.create(newer)
    await storage.update(older.id, {"mood": "calm"}, expected_count=2)
    await storage.has_copied()

    assert await mirror.read(older.id) == newer
    assert storage.status.mirrors[0].conflicts == 1
    assert not storage.status.is_ok
