"""What lies in the bucket."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from tests.support.mock_supabase.server import MockSupabase

from idolchat_core import ConversationFilter
from idolchat_core.testing import a_conversation, a_message
from idolchat_storage_supabase.storage import SupabaseStorage

type Open = Callable[..., AbstractAsyncContextManager[SupabaseStorage]]

ORIGINAL = b"""{
  "messages": [{"role": "user", "content": "Hello!", "timestamp": "2025-06-01T12:00:00"}],
  "created_at": "2025-06-01T12:00:00", "user_id": "u", "character_id": "c"
}"""


async def test_an_object_is_the_document_and_nothing_else(
    storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    conversation = a_conversation("one", title="kept")
    await storage.create(conversation)
    reply = a_message("two", role="assistant")
    await storage.append(conversation.id, [reply], expected_count=1, updated_at=conversation.updated_at)
    stored = mock_supabase.object(f"{conversation.id}.json")

    assert stored.data == await storage.read_document(conversation.id)
    assert (stored.content_type, stored.cache_control) == ("application/json", "max-age=0")
    assert list(mock_supabase.documents()) == [str(conversation.id)]


async def test_a_message_that_waits_for_its_reply_is_an_object_of_its_own(
    storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    conversation = a_conversation("one", title="kept")
    await storage.create(conversation)

    assert mock_supabase.documents() == {}
    [tail] = [stored for (_, key), stored in mock_supabase.state.objects.items() if key.startswith("tails/")]
    assert tail.data == await storage.read_document(conversation.id)


async def test_records_lie_apart_from_conversations(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    await storage.put_record("notes", "x.json", b"1")

    assert mock_supabase.object("records/notes/x.json").data == b"1"
    assert list(await storage.list_ids()) == []


async def test_files_of_the_original_service_are_read_and_listed(
    storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    conversation_id = UUID("0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55")
    await storage.check()
    await storage._bucket.write(f"{conversation_id}.json", ORIGINAL, content_type="application/json")  # noqa: SLF001  as others would

    assert (await storage.read(conversation_id)).messages[0].content == "Hello!"
    [summary] = (await storage.list(ConversationFilter(user_id="u"))).data
    assert (summary.id, summary.message_count) == (conversation_id, 1)


async def test_a_damaged_document_is_kept_as_it_is_and_listed_as_such(
    storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    conversation = a_conversation("one")
    await storage.put_document(conversation.id, b"{}")

    assert mock_supabase.object(f"{conversation.id}.json").data == b"{}"
    assert [summary.status for summary in (await storage.list()).data] == ["damaged"]


async def test_a_kept_document_saves_downloads_and_is_not_kept_for_ever(
    open_storage: Open, mock_supabase: MockSupabase
) -> None:
    conversation = a_conversation("one")
    for age_s, downloads in ((60, 0), (0, 3)):
        async with open_storage(cache_age_s=age_s) as storage:
            await storage.put(conversation.model_copy(update={"id": conversation.id}))
            await storage.read(conversation.id)
            mock_supabase.state.calls.clear()
            for _ in range(3):
                await storage.read(conversation.id)

            assert mock_supabase.state.calls["GET /object"] == downloads


async def test_memory_for_documents_is_bounded(open_storage: Open, mock_supabase: MockSupabase) -> None:
    conversations = [a_conversation("x" * 1000) for _ in range(3)]
    async with open_storage(cache_bytes=2500) as storage:
        for conversation in conversations:
            await storage.put(conversation)
            await storage.read(conversation.id)
        mock_supabase.state.calls.clear()
        for conversation in reversed(conversations):
            await storage.read(conversation.id)

        assert mock_supabase.state.calls["GET /object"] == 2


async def test_lists_download_no_document(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    for number in range(5):
        await storage.create(a_conversation("x", after_s=number))
    mock_supabase.state.calls.clear()
    listed = await storage.list(limit=3)

    assert len(listed.data) == 3
    assert mock_supabase.state.calls["GET /object"] == 0


async def test_an_object_keeps_what_other_programs_put_in_it(
    storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    conversation = a_conversation("one", mood={"deep": [1, None, "🌸"]})
    await storage.put(conversation)

    assert json.loads(mock_supabase.object(f"{conversation.id}.json").data)["mood"] == {"deep": [1, None, "🌸"]}
