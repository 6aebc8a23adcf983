"""Files that cannot be read in full are kept as they are, said to be damaged, and served as far as they go."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import (
    Conversation,
    ConversationDamaged,
    ConversationExists,
    ConversationFilter,
    Storage,
    document,
    utc_now,
)
from idolchat_core.testing import Reopen, a_conversation, a_message

CONVERSATION = a_conversation("one", "two", "three", "four", user_id="ann")
ID = CONVERSATION.id
WHOLE = document.encode(CONVERSATION)
LINES = WHOLE.split(b"\n")

WHERE_AND_HOW = r"conversations/.*\.json, from byte \d+ on: .+ put a good copy in its place"


def without_quote(line: int) -> bytes:
    lines = list(LINES)
    lines[line] = lines[line].replace(b'"content":"', b'"content":', 1)
    return b"\n".join(lines)


UNREADABLE = {
    "nothing": b"",
    "zeros": bytes(4096),
    "other text": b"<html>504 Gateway Time-out</html>",
    "only its beginning": WHOLE[:60],
    "no message": LINES[0],
    "another's": WHOLE.replace(str(ID).encode(), b"00000000-0000-7000-8000-000000000000"),
    "another shape": b'{"messages": {"1": "hi"}}',
    "UTF-16": WHOLE.decode().encode("utf-16"),
}
PARTLY = {
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE, ["one", "two", "three", "four"]),
    "a bad first line": (without_quote(1), ["two", "three", "four"]),
    "a bad line": (without_quote(2), ["one", "three", "four"]),
    "a line twice as long as it says": (WHOLE.replace(b'"two"', b'"two"\xff'), ["one", "three", "four"]),
    "a closing in the middle": (b"\n".join([*LINES[:3], LINES[-1], *LINES[3:]]), ["one", "two", "three", "four"]),
    "the first part of one line of JSON": (WHOLE.replace(b"\n", b" ")[: WHOLE.index(b"three")], ["one", "two"]),
}
DAMAGED = UNREADABLE | {name: data for name, (data, _) in PARTLY.items()}


@pytest.fixture
def place(file_of: Callable[[UUID], Path]) -> Callable[[bytes], Path]:
    def placed(data: bytes) -> Path:
        path = file_of(ID)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return placed


async def append(storage: Storage, *, expected_count: int = 4) -> None:
    await storage.append(ID, [a_message("five")], expected_count=expected_count, updated_at=utc_now())


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
async def test_it_is_never_written_to(storage: Storage, place: Callable[[bytes], Path], data: bytes) -> None:
    path = place(data)

    for _ in range(2):
        for expected_count in (0, 3, 4):
            with pytest.raises(
                ConversationDamaged, match=r"conversations/.*\.json, from byte \d+ on: .+ put a good copy"
            ):
                await append(storage, expected_count=expected_count)
        with pytest.raises(ConversationDamaged):
            await storage.update(ID, {"title": "x"}, expected_count=4)
        with pytest.raises(ConversationDamaged):
            await storage.read_document(ID)
        with pytest.raises(ConversationExists):
            await storage.create(CONVERSATION)
    assert path.read_bytes() == data


@pytest.mark.parametrize(("data", "texts"), PARTLY.values(), ids=PARTLY.keys())
async def test_what_can_be_read_is_served(
    storage: Storage, place: Callable[[bytes], Path], data: bytes, texts: list[str]
) -> None:
    place(data)
    read = await storage.read(ID)
    page = await storage.read_page(ID, limit=2)

    assert (read.status, [message.content for message in read.messages]) == ("damaged", texts)
    assert (read.user_id, read.created_at) == ("ann", CONVERSATION.created_at)
    assert page.conversation.status == "damaged"
    assert [message.content for message in page.conversation.messages] == texts[-2:]
    assert (page.start, page.total) == (len(texts) - 2, len(texts))


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_nothing_is_made_up_where_nothing_can_be_read(
    storage: Storage, place: Callable[[bytes], Path], data: bytes
) -> None:
    place(data)

    with pytest.raises(ConversationDamaged):
        await storage.read(ID)
    with pytest.raises(ConversationDamaged):
        await storage.read_page(ID, limit=5)


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
async def test_it_is_listed_as_damaged(place: Callable[[bytes], Path], open_storage: Reopen, data: bytes) -> None:
    place(data)
    async with open_storage() as storage:
        [summary] = (await storage.list()).data

    assert (summary.id, summary.status) == (ID, "damaged")


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
async def test_its_owner_stays_who_it_was(place: Callable[[bytes], Path], open_storage: Reopen, data: bytes) -> None:
    async with open_storage() as storage:
        await storage.create(CONVERSATION)
    place(data)
    async with open_storage() as storage:
        [summary] = (await storage.list(ConversationFilter(user_id="ann"))).data

    assert summary.status == "damaged"


@pytest.mark.parametrize("cut", range(1, len(WHOLE) - WHOLE.index(b'"four"'), 7))
async def test_a_file_that_has_lost_stored_messages_takes_no_new_ones(
    open_storage: Reopen, place: Callable[[bytes], Path], cut: int
) -> None:
    async with open_storage() as storage:
        await storage.create(CONVERSATION)
        cut_at = WHOLE.index(b'"four"') + 1 - cut
        path = place(WHOLE[:cut_at])

        with pytest.raises(ConversationDamaged, match=r"of its 4 messages are left|not valid JSON|before byte"):
            await append(storage)
    assert path.read_bytes() == WHOLE[:cut_at]


async def test_what_was_lost_is_not_forgotten_while_the_file_changes(
    storage: Storage, place: Callable[[bytes], Path]
) -> None:
    await storage.create(CONVERSATION)
    for data in (b"", WHOLE[: WHOLE.index(b'"three"')], WHOLE[: WHOLE.index(b'"four"')]):
        place(data)
        with pytest.raises(ConversationDamaged):
            await append(storage)

    place(WHOLE)
    await append(storage)
    assert (await storage.read(ID)).messages[-1].content == "five"


async def test_a_line_that_went_bad_unnoticed_is_noticed_by_who_reads_it(
    storage: Storage, place: Callable[[bytes], Path]
) -> None:
    await storage.create(CONVERSATION)
    place(WHOLE.replace(b'"two"', b'"two\x00'))
    read = await storage.read(ID)

    assert (read.status, len(read.messages)) == ("damaged", 3)
    with pytest.raises(ConversationDamaged):
        await append(storage)


async def test_it_goes_on_when_it_was_mended_by_hand(storage: Storage, place: Callable[[bytes], Path]) -> None:
    place(without_quote(2))
    with pytest.raises(ConversationDamaged):
        await append(storage)
    place(WHOLE)
    await append(storage)

    assert [message.content for message in (await storage.read(ID)).messages][-1] == "five"


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
async def test_its_bytes_are_kept_when_a_good_copy_is_put_in_its_place(
    storage: Storage, place: Callable[[bytes], Path], data_dir: Path, data: bytes
) -> None:
    place(data)
    await storage.put(CONVERSATION)
    await append(storage)

    assert len((await storage.read(ID)).messages) == 5
    [kept] = (data_dir / "damaged").iterdir()
    assert kept.read_bytes() == data
    assert kept.name.startswith(f"{ID}.")


async def test_deleting_it_removes_what_was_kept(
    storage: Storage, place: Callable[[bytes], Path], data_dir: Path
) -> None:
    place(without_quote(2))
    await storage.put(CONVERSATION)
    await storage.delete(ID)

    assert list((data_dir / "damaged").iterdir()) == []


async def test_no_text_of_a_message_stands_in_the_error(storage: Storage, place: Callable[[bytes], Path]) -> None:
    place(without_quote(2).replace(b"two", b"my secret"))

    with pytest.raises(ConversationDamaged) as caught:
        await append(storage)
    assert "secret" not in str(caught.value)


async def test_others_are_not_held_up_by_it(storage: Storage, place: Callable[[bytes], Path]) -> None:
    place(b"")
    other: Conversation = a_conversation("fine")
    await storage.create(other)

    assert await storage.read(other.id) == other
    assert len((await storage.list()).data) >= 1
