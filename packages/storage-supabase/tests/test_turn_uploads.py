"""What a turn uploads where Supabase is the only storage."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from tests.support.mock_supabase.server import MockSupabase

from idolchat_core import CoreSettings, new_id
from idolchat_core.testing import ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest
from idolchat_storage_supabase.storage import SupabaseStorage

TURNS = 4
AT_ONCE = 12


def kinds(uploads: Mapping[str, int]) -> Counter[str]:
    """Count uploads by what they are: documents, messages that wait, lines of the ledger, other records."""
    found: Counter[str] = Counter()
    for key, count in uploads.items():
        folder = "/".join(key.split("/")[:-1])
        found["document" if not folder else "ledger" if folder == "records/spending.log" else folder] += count
    return found


def asking(conversation_id: object) -> TurnRequest:
    body = {"messages": [{"role": "user", "content": "Hello!"}], "conversation_id": str(conversation_id)}
    return TurnRequest.model_validate(body)


async def test_a_turn_uploads_the_document_its_message_and_the_ledger_once_each(
    storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    conversation_id = new_id()
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings(), recovers=True) as turns:
        before = kinds(mock_supabase.state.uploads)
        for number in range(1, TURNS + 1):
            await (await turns.start(asking(conversation_id))).ended()
            uploads = kinds(mock_supabase.state.uploads) - before
            assert uploads == {"document": number, "tails": number, "ledger": number}

    assert len((await storage.read(conversation_id)).messages) == 2 * TURNS


async def test_turns_at_once_share_uploads_of_the_ledger(storage: SupabaseStorage, mock_supabase: MockSupabase) -> None:
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings(), recovers=True) as turns:
        before = kinds(mock_supabase.state.uploads)
        begun = await asyncio.gather(*(turns.start(asking(new_id())) for _ in range(AT_ONCE)))
        await asyncio.gather(*(turn.ended() for turn in begun))
        uploads = kinds(mock_supabase.state.uploads) - before

    ledger = uploads.pop("ledger")
    assert 1 <= ledger < AT_ONCE
    assert uploads == {"document": AT_ONCE, "tails": AT_ONCE}
