"""A turn is found in the documents, whoever wrote them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.mock_supabase.server import MockSupabase
from tests.support.mock_supabase.state import StoredObject

from idolchat_core import Conversation, StorageUnavailable, document, new_id
from idolchat_core.testing import a_conversation, a_message
from idolchat_storage_supabase.storage import MAX_SEARCHED, SupabaseStorage

type Open = Callable[..., AbstractAsyncContextManager[SupabaseStorage]]


def put(mock: MockSupabase, conversation: Conversation, *, minutes_ago: float) -> None:
    """Put an object there as another process did."""
    data = document.encode(conversation)
    written_at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    stored = StoredObject(data, "application/json", "max-age=0", {}, updated_at=written_at)
    mock.state.objects["conversations", f"{conversation.id}.json"] = stored


@pytest.fixture
def full(mock_supabase: MockSupabase) -> MockSupabase:
    """Return a bucket that holds as many conversations as are searched."""
    mock_supabase.state.add_bucket("conversations")
    for number in range(MAX_SEARCHED):
        put(mock_supabase, a_conversation("x"), minutes_ago=-number - 1)
    return mock_supabase


async def test_a_turn_is_found_in_a_full_bucket_by_the_time_that_its_id_tells(
    open_storage: Open, full: MockSupabase
) -> None:
    turn_id = new_id()
    conversation = a_conversation().model_copy(update={"messages": (a_message("here", turn_id=turn_id),)})
    put(full, conversation, minutes_ago=0)
    async with open_storage() as storage:
        assert await storage.find_turn(turn_id) == conversation.id


async def test_a_turn_that_may_be_where_nobody_looked_is_not_said_to_be_nowhere(
    open_storage: Open, full: MockSupabase
) -> None:
    put(full, a_conversation("x"), minutes_ago=-1)
    async with open_storage() as storage:
        with pytest.raises(StorageUnavailable, match="more are not searched"):
            await storage.find_turn(new_id())


async def test_a_turn_is_in_no_conversation_where_all_were_searched(open_storage: Open, full: MockSupabase) -> None:
    async with open_storage() as storage:
        assert await storage.find_turn(new_id()) is None
