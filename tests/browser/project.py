"""A Supabase project for tests that run no event loop of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

from anyio.from_thread import start_blocking_portal

from idolchat_auth_supabase.testing import Project, running_project

__all__ = ["project_beside"]


@contextmanager
def project_beside() -> Iterator[Project]:
    """Serve a project on a free loopback port, from a thread."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(running_project()) as project:
        yield project
