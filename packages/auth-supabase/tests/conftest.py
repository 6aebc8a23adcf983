"""A project of the tests' own, and the scheme that lets its users in."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from idolchat_auth_supabase.authenticator import SupabaseAuth, open_supabase_auth
from idolchat_auth_supabase.settings import SupabaseAuthSettings
from idolchat_auth_supabase.testing import Project, running_project


@pytest.fixture
async def project() -> AsyncGenerator[Project]:
    async with running_project() as project:
        yield project


@pytest.fixture
def options() -> dict[str, Any]:
    return {}


@pytest.fixture
async def auth(project: Project, options: dict[str, Any]) -> AsyncGenerator[SupabaseAuth]:
    async with open_supabase_auth(SupabaseAuthSettings(url=project.url, **options)) as auth:
        yield auth
