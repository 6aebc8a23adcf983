"""What a copy costs, and what one that is refused does to the others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from tests.support.mock_supabase.server import MockSupabase

from idolchat_core import ConversationExists, DocumentRefused, document
from idolchat_core.mirror import MirroredStorage, MirrorTuning, open_mirrored
from idolchat_core.testing import InMemoryStorage, a_conversation, until, until_so
from idolchat_storage_supabase.storage import SupabaseStorage

type Open = Callable[..., AbstractAsyncContextManager[SupabaseStorage]]


@pytest.fixture
async def mirrored(open_storage: Open) -> AsyncIterator[MirroredStorage]:
    """Return a primary in memory that is mirrored to the stand-in, when it is known what that holds."""
    tuning = MirrorTuning(settle_s=0.0, look_every_s=0.01)
    async with open_mirrored(InMemoryStorage(), {"supabase": open_storage}, tuning=tuning) as storage:
        await until("what the stand-in holds", lambda: storage.primary.get_record("mirror.supabase", "identity"))
        yield storage


async def test_the_first_copy_of_what_was_begun_here_is_one_call(
    mirrored: MirroredStorage, mock_supabase: MockSupabase
) -> None:
    mock_supabase.state.calls.clear()
    await asyncio.gather(*(mirrored.create(a_conversation("x")) for _ in range(20)))
    await mirrored.has_copied()
    mock_supabase.state.calls.pop("POST /chats", None)

    assert mock_supabase.state.calls == {"POST /object": 20}


async def test_objects_that_are_too_large_are_no_outage(mirrored: MirroredStorage, mock_supabase: MockSupabase) -> None:
    mock_supabase.state.max_bytes = 2_000
    for size in (3_000, 3_000, 3_000, 3_000, 10):
        await mirrored.create(a_conversation("x" * size))
    await until_so(
        "four copies that failed", lambda: mirrored.status.pending <= 4 <= mirrored.status.mirrors[0].failures
    )

    assert mirrored.status.is_ok
    assert len(mock_supabase.documents()) == 1


async def test_what_is_there_is_not_created_over(storage: SupabaseStorage) -> None:
    conversation = a_conversation("one")
    await storage.create(conversation)
    with pytest.raises(ConversationExists):
        await storage.create_document(conversation.id, document.encode(a_conversation(id=conversation.id)))

    assert await storage.read(conversation.id) == conversation


@pytest.mark.parametrize("types", [None, ["image/png"]])
async def test_a_document_that_is_refused_is_told_from_an_outage(
    storage: SupabaseStorage, mock_supabase: MockSupabase, types: list[str] | None
) -> None:
    await storage.check()
    mock_supabase.state.max_bytes = 100
    mock_supabase.state.buckets["conversations"]["allowed_mime_types"] = types

    with pytest.raises(DocumentRefused):
        await storage.put(a_conversation("x" * 200))
