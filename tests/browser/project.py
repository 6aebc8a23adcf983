"""A Supabase project for tests that run no event loop of their own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from idolchat_auth_supabase.testing import Project, running_project

__all__ = ["project_beside"]


@contextmanager
def project_beside() -> Iterator[Project]:
    """Serve a project on a free loopback port, from a thread."""
    loop, done = asyncio.new_event_loop(), asyncio.Event()
    project: list[Project] = []
    is_up = threading.Event()

    async def serve() -> None:
        async with running_project() as one:
            project.append(one)
            is_up.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    is_up.wait()
    try:
        yield project[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
