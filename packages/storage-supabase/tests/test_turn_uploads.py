"""What a turn uploads where Supabase is the only storage."""

from tests.support.mock_supabase.server import MockSupabase

from idolchat_core import CoreSettings, new_id
from idolchat_core.testing import ScriptedProvider
from idolchat_core.turns.engine import TurnEngine
from idolchat_core.turns.request import TurnRequest
from idolchat_storage_supabase.storage import SupabaseStorage

TURNS = 4


async def test_a_turn_writes_to_the_ledger_once_and_a_short_reply_needs_no_checkpoint(
    storage: SupabaseStorage, mock_supabase: MockSupabase
) -> None:
    body = {"messages": [{"role": "user", "content": "Hello!"}], "conversation_id": str(new_id())}
    async with TurnEngine(storage, ScriptedProvider(), settings=CoreSettings(), recovers=True) as turns:
        for _ in range(TURNS):
            await (await turns.start(TurnRequest.model_validate(body))).ended()
        uploads = dict(mock_supabase.state.uploads)

    ledger = sum(count for key, count in uploads.items() if key.startswith("records/spending.log/"))
    assert ledger == TURNS
    assert not any(key.startswith("records/turns/") for key in uploads)
