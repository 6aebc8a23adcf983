"""What users do, in an order that never changes: every way to write, and every way to write again."""

import asyncio
from uuid import uuid4

from tests.support.ledger import Sent
from tests.support.ledger_client import LedgerClient

__all__ = ["play"]


async def play(client: LedgerClient) -> None:
    """Talk in new conversations, queue, regenerate, edit, choose a branch, fork and delete; errors are noted."""
    name = uuid4().hex[:8]
    talk, branched, gone = (str(uuid4()) for _ in range(3))
    await client.say("rest", f"first {name}", conversation_id=talk)
    await client.say("sse", f"second {name}", conversation_id=talk)
    await queue(client, talk, name)
    await client.say("ws", f"alone {name}")
    await client.say("rest", f"nowhere {name}")
    await branch(client, branched, name)
    await client.say("sse", f"gone {name}", conversation_id=gone)
    await client.delete(gone)


async def queue(client: LedgerClient, talk: str, name: str) -> None:
    """Send while a turn is running; what waits is acknowledged before its turn comes."""
    running = Sent(way="sse", text=f"running {name}", conversation_id=talk, model="mock/echo-w100")
    waiting = [Sent(way=way, text=f"waits {way} {name}", conversation_id=talk) for way in ("ws", "sse")]
    tasks = []
    for one in (running, *waiting):
        tasks.append(asyncio.create_task(client.send(one)))
        begun = asyncio.create_task(one.begun.wait())
        await asyncio.wait({tasks[-1], begun}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def branch(client: LedgerClient, branched: str, name: str) -> None:
    """Make branches, and go between them."""
    first = await client.say("rest", f"branch {name}", conversation_id=branched)
    if first.message_id is None:
        return
    again = await client.regenerate(branched, first)
    await client.say("rest", f"after {name}", conversation_id=branched)
    if first.user_message_id:
        await client.say("sse", f"edited {name}", conversation_id=branched, instead_of=first.user_message_id)
    if again.message_id:
        await client.choose(branched, again.message_id)
        await client.fork(branched)
        client.ledger.heads.pop(branched, None)
    await client.say("ws", f"chosen {name}", conversation_id=branched)
