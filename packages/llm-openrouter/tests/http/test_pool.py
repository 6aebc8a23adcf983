"""A pool closes, whatever became of its connections."""

import asyncio

import uvloop

from idolchat_llm_openrouter.http import Connector, HTTPConnection, Pool


class Unwanted(Pool):
    """Whoever wants a connection leaves in the moment in which it is there."""

    task: asyncio.Task[HTTPConnection]

    def opened(self, connection: HTTPConnection) -> None:
        super().opened(connection)
        self.task.cancel()


async def close_after_a_cancelled_connect() -> bool:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    pool = Unwanted(Connector(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), connect_timeout_s=5)
    async with server:
        pool.task = asyncio.create_task(pool.connect())
        await asyncio.wait({pool.task})
        async with asyncio.timeout(60):
            await pool.close()
    return pool.task.cancelled()


def test_a_connection_that_was_cancelled_while_it_opened_does_not_hold_up_the_close() -> None:
    """uvloop, which serves, closes it without a word to its protocol."""
    assert asyncio.run(close_after_a_cancelled_connect(), loop_factory=uvloop.new_event_loop)
