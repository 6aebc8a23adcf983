"""An error is never taken for emptiness, says what is wrong, and changes nothing."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from tests.support.mock_supabase import keys
from tests.support.mock_supabase.keys import ANON, EXPIRED, FOREIGN, GARBAGE, LEGACY
from tests.support.mock_supabase.server import MockSupabase
from tests.support.mock_supabase.state import Fault

from idolchat_core import Conversation, ConversationNotFound, Storage, StorageUnavailable, new_id, one_shot
from idolchat_core.testing import a_conversation, a_message
from idolchat_storage_supabase.storage import SupabaseStorage

type Open = Callable[..., AbstractAsyncContextManager[SupabaseStorage]]

STORED = a_conversation("one", "two")
CALLS: dict[str, Callable[[Storage], Awaitable[object]]] = {
    "read": lambda storage: storage.read(STORED.id),
    "read what is not there": lambda storage: storage.read(new_id()),
    "read_page": lambda storage: storage.read_page(STORED.id, limit=1),
    "create what is there": lambda storage: storage.create(STORED),
    "create": lambda storage: storage.create(a_conversation("new")),
    "append": lambda storage: add(storage, STORED),
    "update": lambda storage: storage.update(STORED.id, {"title": "x"}, expected_count=2),
    "put": lambda storage: storage.put(a_conversation("other", id=STORED.id)),
    "delete": lambda storage: storage.delete(STORED.id),
    "list": lambda storage: storage.list(),
    "list_ids": lambda storage: storage.list_ids(),
    "find_turn": lambda storage: storage.find_turn(new_id()),
    "check": lambda storage: storage.check(),
    "get_record": lambda storage: storage.get_record("notes", "a"),
    "list_records": lambda storage: storage.list_records("notes"),
    "delete_record": lambda storage: storage.delete_record("notes", "a"),
}


@pytest.fixture
async def stored(mock_supabase: MockSupabase, open_storage: Open) -> dict[str, bytes]:
    async with open_storage() as storage:
        await storage.create(STORED)
        await storage.put_record("notes", "a", b"kept")
    return objects_of(mock_supabase)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (EXPIRED, "has expired"),
        (FOREIGN, "is not a key of"),
        (GARBAGE, "is not a key of"),
        (ANON, "no right to bucket"),
    ],
    ids=["expired", "foreign", "garbage", "anon"],  # the keys tell the time
)
async def test_a_bad_key_is_never_no_history(
    open_storage: Open, mock_supabase: MockSupabase, stored: dict[str, bytes], key: str, said: str
) -> None:
    async with open_storage(service_role_key=key, cache_bytes=0) as storage:
        told = await refusals(storage)

    assert all(said in text and "SUPABASE_SERVICE_ROLE_KEY" in text for text in told.values()), told
    assert not any(key in text for text in told.values())
    assert objects_of(mock_supabase) == stored


async def test_a_key_that_expires_while_it_is_used_is_never_no_history(
    open_storage: Open, mock_supabase: MockSupabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_storage(service_role_key=LEGACY, cache_bytes=0) as storage:
        await storage.create(STORED)
        before = objects_of(mock_supabase)
        monkeypatch.setattr(keys, "clock", lambda: time.time() + 10 * 365 * 24 * 3600)
        told = await refusals(storage)

    assert all("SUPABASE_SERVICE_ROLE_KEY has expired" in text for text in told.values()), told
    assert objects_of(mock_supabase) == before


async def test_a_bucket_that_goes_missing_is_not_made_again(open_storage: Open, mock_supabase: MockSupabase) -> None:
    async with open_storage(cache_bytes=0) as storage:
        await storage.create(STORED)
        mock_supabase.drop_bucket()
        told = await refusals(storage)

    assert all("bucket 'conversations' at" in text for text in told.values()), told
    assert mock_supabase.state.buckets == {}


@pytest.mark.parametrize("call", ["read", "list", "list_ids", "find_turn", "get_record", "list_records"])
async def test_a_short_task_that_reads_makes_nothing(
    open_storage: Open, mock_supabase: MockSupabase, call: str
) -> None:
    one_shot.set(True)
    async with open_storage() as storage:
        with pytest.raises(StorageUnavailable, match="`idol serve` makes a bucket"):
            await CALLS[call](storage)
        mock_supabase.add_bucket()
        with pytest.raises(StorageUnavailable, match="it is empty, or a policy hides"):
            await CALLS[call](storage)

    assert mock_supabase.state.objects == {}


async def test_a_short_task_that_writes_makes_the_bucket(open_storage: Open, mock_supabase: MockSupabase) -> None:
    one_shot.set(True)
    async with open_storage() as storage:
        await storage.put(STORED)

        assert await storage.read(STORED.id) == STORED


async def test_a_short_task_reads_what_other_programs_put_into_a_bucket(
    open_storage: Open, mock_supabase: MockSupabase
) -> None:
    async with open_storage() as storage:
        await storage.create(STORED)
    mock_supabase.remove("records/idolchat/marker")
    one_shot.set(True)
    async with open_storage() as storage:
        assert await storage.read(STORED.id) == STORED
        with pytest.raises(ConversationNotFound):
            await storage.read(new_id())
    assert list(objects_of(mock_supabase)) == [f"{STORED.id}.json"]


async def test_what_a_policy_hides_is_not_taken_for_nothing(
    open_storage: Open, mock_supabase: MockSupabase, stored: dict[str, bytes]
) -> None:
    mock_supabase.state.is_hidden = True
    async with open_storage(cache_bytes=0) as storage:
        await refusals(storage)

    assert objects_of(mock_supabase) == stored


@pytest.mark.parametrize(
    ("fault", "said"),
    [(Fault.ERROR, "fails"), (Fault.HTML, "HTTP 503"), (Fault.THROTTLED, "pace"), (Fault.RESET, "cannot be reached")],
)
async def test_an_outage_is_told_as_one_and_changes_nothing(
    open_storage: Open, mock_supabase: MockSupabase, stored: dict[str, bytes], fault: Fault, said: str
) -> None:
    async with open_storage(cache_bytes=0, retries=1) as storage:
        with mock_supabase.failing(fault):
            told = await refusals(storage)

    assert all(said in text for text in told.values()), told
    assert objects_of(mock_supabase) == stored


async def test_everything_goes_on_after_supabase_was_down(open_storage: Open, mock_supabase: MockSupabase) -> None:
    async with open_storage() as storage:
        await storage.create(STORED)
        mock_supabase.stop()
        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            await add(storage, STORED)
        mock_supabase.start()
        await add(storage, STORED)

        assert len((await storage.read(STORED.id)).messages) == 3


async def test_a_server_starts_while_supabase_is_down(open_storage: Open, mock_supabase: MockSupabase) -> None:
    mock_supabase.stop()
    async with open_storage() as storage:
        with pytest.raises(StorageUnavailable):
            await storage.check()
        mock_supabase.start()
        await storage.check()


async def test_a_call_that_takes_too_long_is_given_up(open_storage: Open, mock_supabase: MockSupabase) -> None:
    async with open_storage(timeout_s=0.05, retries=1) as storage:
        with mock_supabase.slow(), pytest.raises(StorageUnavailable, match="in time"):
            await storage.read(STORED.id)


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.HTML, Fault.THROTTLED, Fault.RESET, Fault.RESET_AFTER])
async def test_a_passing_fault_is_not_noticed(open_storage: Open, mock_supabase: MockSupabase, fault: Fault) -> None:
    for call in ("POST /object/conv", "GET /object/conv", "POST /chats", "GET /bucket", "GET /object/info"):
        mock_supabase.fail_next(fault, call=call, times=2)
    async with open_storage(cache_bytes=0) as storage:
        await storage.create(STORED)
        await add(storage, STORED)

        assert [m.content for m in (await storage.read(STORED.id)).messages] == ["one", "two", "three"]
    assert mock_supabase.state.next_faults == []


async def test_an_upload_whose_answer_is_lost_is_there_once(open_storage: Open, mock_supabase: MockSupabase) -> None:
    async with open_storage(retries=0) as storage:
        await storage.create(STORED)
        mock_supabase.fail_next(Fault.RESET_AFTER, call="POST /object/")
        with pytest.raises(StorageUnavailable):
            await add(storage, STORED)
        read = await storage.read(STORED.id)
        await storage.append(STORED.id, read.messages[2:], expected_count=2, updated_at=STORED.updated_at)

        assert [m.content for m in (await storage.read(STORED.id)).messages] == ["one", "two", "three"]


async def test_a_document_that_is_too_large_is_refused_and_the_old_one_kept(
    open_storage: Open, mock_supabase: MockSupabase
) -> None:
    mock_supabase.state.max_bytes = 2000
    async with open_storage() as storage:
        await storage.create(STORED)
        with pytest.raises(StorageUnavailable, match=r"larger than bucket 'conversations' .* takes"):
            await add(storage, STORED, "x" * 3000)

        assert await storage.read(STORED.id) == STORED
        await add(storage, STORED, "small")


async def test_nothing_stale_is_served(open_storage: Open, mock_supabase: MockSupabase) -> None:
    mock_supabase.state.serves_stale = True
    async with open_storage(cache_bytes=0) as reader, open_storage() as writer:
        await writer.create(STORED)
        before = await reader.read(STORED.id)
        await add(writer, STORED)

        assert len(before.messages) == 2
        assert len((await reader.read(STORED.id)).messages) == 3


async def test_either_kind_of_key_will_do(open_storage: Open) -> None:
    async with open_storage() as storage, open_storage(service_role_key=LEGACY) as other:
        await storage.create(STORED)

        assert await other.read(STORED.id) == STORED


async def test_every_call_goes_by_the_proxy_of_the_environment(
    open_storage: Open, mock_supabase: MockSupabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", mock_supabase.url)  # which takes a whole address for its own path
    async with open_storage(url="http://project.invalid") as storage:
        await storage.create(STORED)

        assert await storage.read(STORED.id) == STORED
    assert f"{STORED.id}.json" in objects_of(mock_supabase)


async def test_an_address_that_is_no_project_is_told(open_storage: Open, mock_supabase: MockSupabase) -> None:
    async with open_storage(url=f"{mock_supabase.url}/elsewhere") as storage:
        with pytest.raises(StorageUnavailable, match="is SUPABASE_URL right"):
            await storage.read(STORED.id)


async def test_what_is_not_there_is_told_so_when_that_is_certain(open_storage: Open) -> None:
    async with open_storage() as storage:
        with pytest.raises(ConversationNotFound):
            await storage.read(STORED.id)
        assert list(await storage.list_ids()) == []


async def test_the_bucket_is_made_private(open_storage: Open, mock_supabase: MockSupabase) -> None:
    async with open_storage(bucket="talks") as storage:
        await storage.create(STORED)

    assert mock_supabase.state.buckets["talks"]["public"] is False
    assert mock_supabase.object(f"{STORED.id}.json", bucket="talks").data


async def refusals(storage: Storage) -> dict[str, str]:
    """Try everything, and give what each is refused with."""
    told = {}
    for name, call in CALLS.items():
        with pytest.raises(StorageUnavailable) as refused:
            await call(storage)
        told[name] = str(refused.value)
    return told


def objects_of(mock: MockSupabase) -> dict[str, bytes]:
    return {key: stored.data for key, stored in mock.state.keys("conversations")}


async def add(storage: Storage, to: Conversation, text: str = "three") -> None:
    await storage.append(to.id, [a_message(text)], expected_count=len(to.messages), updated_at=to.updated_at)
