from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.support.mock_supabase.fixture import mock_supabase, mock_supabase_server
from tests.support.mock_supabase.keys import SECRET
from tests.support.mock_supabase.server import MockSupabase

from idolchat_core import one_shot, read_settings
from idolchat_storage_supabase import SupabaseSettings
from idolchat_storage_supabase.factory import open_supabase_storage
from idolchat_storage_supabase.storage import SupabaseStorage

__all__ = ["mock_supabase", "mock_supabase_server"]

type Open = Callable[..., AbstractAsyncContextManager[SupabaseStorage]]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for field in SupabaseSettings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def no_short_task() -> Iterator[None]:
    """Have a test that sets this for itself leave nothing behind."""
    token = one_shot.set(False)
    yield
    one_shot.reset(token)


@pytest.fixture
def open_storage(mock_supabase: MockSupabase) -> Open:
    """Open a storage on the stand-in that hardly waits before it tries again."""

    def opened(**settings: Any) -> AbstractAsyncContextManager[SupabaseStorage]:
        given = {"url": mock_supabase.url, "service_role_key": SECRET, "retry_max_wait_s": 0.01}
        return open_supabase_storage(read_settings(SupabaseSettings, **(given | settings)))

    return opened


@pytest.fixture
async def storage(open_storage: Open) -> AsyncIterator[SupabaseStorage]:
    async with open_storage() as storage:
        yield storage
