"""Primary and mirror compared by content, and made the same."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import uuid4

import pytest

from idolchat_core.errors import StorageUnavailable
from idolchat_core.mirror import Difference, MirroredStorage, MirrorMode, compare, repair_all, restore_all
from idolchat_core.mirror.repair import mend
from idolchat_core.models import Conversation, utc_now
from idolchat_core.storage import document
from idolchat_core.testing import InMemoryObjects, InMemoryStorage, a_conversation, a_message

pytestmark = pytest.mark.parametrize("primary", ["alone", "shared"], indirect=True)

type Opening = Callable[..., AbstractAsyncContextManager[MirroredStorage]]
type Sides = tuple[Conversation | None, Conversation | None]


def longer(conversation: Conversation, *texts: str) -> Conversation:
    return conversation.model_copy(update={"messages": (*conversation.messages, *map(a_message, texts))})


BASE = a_conversation("one", "two")
LONGER = longer(BASE, "three", "four")
MARKED = BASE.model_copy(update={"head": str(BASE.messages[0].id)})
OTHER = a_conversation("other", id=BASE.id, created_at=utc_now())
FORKED = longer(BASE, "another three")
CASES: dict[str, tuple[Sides, Conversation]] = {
    "missing_in_mirror": ((BASE, None), BASE),
    "missing_in_primary": ((None, BASE), BASE),
    "behind": ((LONGER, BASE), LONGER),
    "ahead": ((BASE, LONGER), LONGER),
    "differs": ((MARKED, BASE), MARKED),
    "other_history": ((BASE, OTHER), BASE),
    "other_history, after the same beginning": ((LONGER, FORKED), LONGER),
    "nothing": ((BASE, BASE), BASE),
}


async def differences(storage: MirroredStorage) -> list[Difference]:
    return [found.difference async for found in compare(storage, storage.mirrors[0]) if found.difference]


@pytest.mark.parametrize("case", CASES)
async def test_what_differs_is_named_and_mended(
    case: str, opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    (mine, theirs), wanted = CASES[case]
    for side, conversation in ((primary, mine), (mirror, theirs)):
        if conversation is not None:
            await side.put(conversation)
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        found = await differences(storage)
        dry = [mended async for _, mended in repair_all(storage, storage.mirrors[0], dry_run=True) if mended]
        still = await differences(storage)
        mended = [mended async for _, mended in repair_all(storage, storage.mirrors[0]) if mended]

        named = ",".join(one.kind for one in found) or "nothing"
        assert named == case.split(",", maxsplit=1)[0]
        assert (still, [one.is_mended for one in dry]) == (found, [False] * len(found))
        assert [one.is_mended for one in mended] == [True] * len(found)
        assert await differences(storage) == []
    read = await primary.read(BASE.id)
    assert read == await mirror.read(BASE.id)
    assert (read.messages, str(read.head)) == (wanted.messages, str(wanted.head))


async def test_what_is_replaced_by_another_history_is_kept_aside(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    await primary.put(BASE)
    await mirror.put(OTHER)
    replaced = await mirror.read_document(BASE.id)
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        [_ async for _ in repair_all(storage, storage.mirrors[0])]
    [name] = await primary.list_records("mirror.replaced")

    assert await primary.get_record("mirror.replaced", name) == replaced


async def test_a_deletion_that_the_mirror_has_not_seen_is_mended_by_deleting(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        await storage.create(BASE)
        await mirror.put(BASE)
        await storage.delete(BASE.id)

        assert [found.kind for found in await differences(storage)] == ["deleted"]
        assert [restored async for *_, restored in restore_all(storage)] == []
        [_ async for _ in repair_all(storage, storage.mirrors[0])]
        assert await mirror.list_ids() == []


async def test_what_somebody_else_deletes_first_is_mended_too(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    await primary.put(BASE)
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        await mirror.put(BASE)
        await storage.delete(BASE.id)
        [difference] = await differences(storage)
        await mirror.delete(BASE.id)

        mended = await mend(storage, storage.mirrors[0], difference)

        assert (mended.is_mended, mended.code) == (True, None)
        assert await differences(storage) == []


async def test_what_only_the_mirror_holds_can_be_left_there(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    await mirror.put(OTHER)
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        mended = [mended async for _, mended in repair_all(storage, storage.mirrors[0], mine_only=True) if mended]

    assert (mended, await primary.list_ids()) == ([], [])


async def test_everything_that_was_lost_is_restored(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    lost = [a_conversation(str(number), id=uuid4()) for number in range(20)]
    for conversation in lost:
        await mirror.create(conversation)
    mirror.values[f"conversations/{lost[0].id}.json"] = b"{"
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        dry = [restored async for *_, restored in restore_all(storage, dry_run=True)]
        assert (len(dry), await primary.list_ids()) == (20, [])
        restored = {one.conversation_id: one async for _, _, one in restore_all(storage)}

        assert {one for one, found in restored.items() if not found.is_restored} == {lost[0].id}
        assert restored[lost[0].id].code == "conversation_damaged"
        assert set(await primary.list_ids()) == {conversation.id for conversation in lost[1:]}


class ObjectsAskedForInPairs(InMemoryObjects):
    """A store that reads a conversation while another is read."""

    def __init__(self) -> None:
        super().__init__()
        self._pair = asyncio.Barrier(2)

    async def get_value(self, key: str) -> bytes | None:
        if key in self.values and key.startswith("conversations/"):
            await self._pair.wait()
        return await super().get_value(key)


async def test_several_conversations_are_restored_at_once(opened: Opening, primary: InMemoryStorage) -> None:
    mirror = ObjectsAskedForInPairs()
    lost = [a_conversation(str(number), id=uuid4()) for number in range(20)]
    for conversation in lost:
        mirror.values[f"conversations/{conversation.id}.json"] = document.encode(conversation)
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage, asyncio.timeout(10):
        told = [(done, total) async for done, total, _ in restore_all(storage)]

    assert told == [(number, 20) for number in range(1, 21)]
    assert set(await primary.list_ids()) == {conversation.id for conversation in lost}


async def test_a_mirror_that_is_down_is_not_taken_for_an_empty_one(
    opened: Opening, primary: InMemoryStorage, mirror: InMemoryObjects
) -> None:
    await primary.put(BASE)
    mirror.is_down = True
    async with opened(primary, mirror, mode=MirrorMode.RECORD) as storage:
        with pytest.raises(StorageUnavailable):
            await differences(storage)
        with pytest.raises(StorageUnavailable):
            [_ async for _ in restore_all(storage)]
