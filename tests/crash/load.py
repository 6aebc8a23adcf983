"""Several clients at once, who do all that users do in an order that chance decides."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from uuid import UUID

from tests.support.ledger_client import LedgerClient, Lost

__all__ = ["Load"]

WAYS = ("rest", "sse", "ws")
MODELS = ("mock/echo", "mock/echo-d2", "mock/echo-w20")

type Work = Callable[[LedgerClient], Awaitable[None]]


class Load:
    """Clients over a few conversations that live on from one server process to the next."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._talks = [self._id() for _ in range(3)]
        self._branched = self._id()

    async def run(self, client: LedgerClient) -> None:
        """Send for as long as the server is there."""
        workers: list[Work] = [self._talk, self._talk, self._talk, self._branch, self._begin_and_delete]
        outcomes = await asyncio.gather(*(_until_lost(work, client) for work in workers), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _talk(self, client: LedgerClient) -> None:
        await client.say(self._way(), self._text(), conversation_id=self._dice.choice(self._talks), model=self._model())

    async def _branch(self, client: LedgerClient) -> None:
        first = await client.say(self._way(), self._text(), conversation_id=self._branched)
        if self._dice.random() < 0.5:
            again = await client.regenerate(self._branched, first)
            if again.message_id and self._dice.random() < 0.5:
                await client.choose(self._branched, again.message_id)
                client.ledger.heads.clear()
        elif first.user_message_id:
            about = {"conversation_id": self._branched, "instead_of": first.user_message_id}
            await client.say(self._dice.choice(("rest", "sse")), self._text(), **about)

    async def _begin_and_delete(self, client: LedgerClient) -> None:
        one = await client.say(self._way(), self._text())
        assert one.conversation_id
        if self._dice.random() < 0.8:
            await client.delete(one.conversation_id)

    def _way(self) -> str:
        return self._dice.choice(WAYS)

    def _model(self) -> str:
        return self._dice.choice(MODELS)

    def _text(self) -> str:
        return f"{self._dice.randrange(1 << 64):x} {'and so on ' * self._dice.randrange(12)}end"

    def _id(self) -> str:
        return str(UUID(int=self._dice.getrandbits(128), version=4))


async def _until_lost(work: Work, client: LedgerClient) -> None:
    try:
        while True:
            await work(client)
    except Lost:
        return
