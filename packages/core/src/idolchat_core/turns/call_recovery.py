"""Settles the calls that were open when a crash came, by what the conversations say of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from itertools import batched
from typing import Any
from uuid import UUID

from idolchat_core.coordination.contract import UnfinishedTurn
from idolchat_core.errors import ConversationNotFound, StorageError
from idolchat_core.llm.token_estimator import message_size, text_size
from idolchat_core.models import Message, Usage, utc_now
from idolchat_core.spending.daily_totals import DailyTotals
from idolchat_core.spending.ledger import Ledger
from idolchat_core.spending.ledger_lines import CallFacts, settled, void
from idolchat_core.storage.contract import Storage
from idolchat_core.turns.lookup import StoredTurn, find_stored_turn, state_of

__all__ = ["settle_open_calls"]

log = logging.getLogger(__name__)

LONGEST = timedelta(hours=6)
"""No call takes as long: whatever process made it has died."""
PROMPT_MESSAGES = 64
_AT_ONCE = 64
_OUTCOMES = {"interrupted": "unknown"}


async def settle_open_calls(
    storage: Storage,
    ledger: Ledger,
    books: Iterable[DailyTotals],
    *,
    only: Mapping[str, UnfinishedTurn] | None = None,
) -> list[bytes]:
    """Settle the calls that are open in these days, none of which can be running any more; return a line for each.

    ``only`` are the turns whose calls are to be settled, by the ids of these, where others may be running in another
    process; what was opened ``LONGEST`` ago is settled in any case.
    A reply that is stored says what it took; one that was cut is estimated; a call whose message was never stored was
    never made; of a call that left nothing, nobody can tell: it counts as made, with an estimate of its prompt.
    """
    written: list[bytes] = []
    for book in books:
        chosen = [line for line in book.opened.values() if only is None or line["open"] in only or _is_old(line)]
        for some in batched(chosen, _AT_ONCE):
            try:
                left = [(only or {}).get(line["open"]) for line in some]
                lines = await asyncio.gather(*map(partial(_settled, storage, ledger), some, left))
                await ledger.append(book.day, b"".join(lines))
            except StorageError as error:
                log.warning("calls that a crash cut off cannot be settled yet", extra={"code": error.code})
                continue
            for line in lines:
                book.take(line)
            written += lines
    return written


def _is_old(line: dict[str, Any]) -> bool:
    return CallFacts.read(line).at < utc_now() - LONGEST


async def _settled(storage: Storage, ledger: Ledger, line: dict[str, Any], left: UnfinishedTurn | None) -> bytes:
    """Return the line that settles a call; ``left`` is its turn, where a process that died has left it."""
    facts = CallFacts.read(line)
    turn, is_known = await _turn_of(storage, facts)
    reply = turn.reply if turn is not None else None
    if left is not None and reply is None:
        usage = await _estimated(storage, left.conversation_id if is_known else None, said=left.content)
        outcome, model = "unknown", left.model or facts.model
    elif is_known and turn is None:
        return void(facts.call_id)
    else:
        said = reply.content if reply is not None and isinstance(reply.content, str) else ""
        found_in = turn.conversation_id if turn is not None else None
        usage = (reply.usage if reply is not None else None) or await _estimated(
            storage, found_in, said=said, reply=reply
        )
        outcome = state_of(reply) if reply is not None else "unknown"
        model = (reply.model if reply is not None else None) or facts.model
    return settled(
        facts,
        ended_at=utc_now(),
        outcome=_OUTCOMES.get(outcome, outcome),
        usage=ledger.priced(usage, model),
        model=model,
        completion_id=line.get("completion"),
    )


async def _turn_of(storage: Storage, facts: CallFacts) -> tuple[StoredTurn | None, bool]:
    """Find the turn of a call, and return whether its conversation is there."""
    if facts.conversation_id is None or facts.turn_id is None:
        return None, False
    conversation_id = UUID(str(facts.conversation_id))
    try:
        await storage.read_page(conversation_id, limit=1)
    except ConversationNotFound:
        return None, False
    return await find_stored_turn(storage, UUID(str(facts.turn_id)), conversation_id=conversation_id), True


async def _estimated(
    storage: Storage, conversation_id: UUID | None, *, said: str, reply: Message | None = None
) -> Usage:
    """Estimate what a call took by the messages of its conversation, all but ``reply``, and by what was said."""
    if conversation_id is None:
        return Usage(is_estimate=True)
    page = await storage.read_page(conversation_id, limit=PROMPT_MESSAGES)
    asked = [m for m in page.conversation.messages if reply is None or m.id != reply.id]
    return Usage(
        input_tokens=round(sum(message_size(_sent(m)) for m in asked)),
        output_tokens=round(text_size(said)),
        is_estimate=True,
    )


def _sent(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": message.content}
