"""Supabase Storage does what every storage must; what lists rest on is tried with the table and without it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
from tests.support.mock_supabase.server import MockSupabase

from idolchat_core.testing import Reopen, StorageConformance
from idolchat_core.testing.storage_rules.listing import ListingRules
from idolchat_storage_supabase.storage import SupabaseStorage

type Open = Callable[..., AbstractAsyncContextManager[SupabaseStorage]]


class TestSupabaseStorage(StorageConformance):
    shared = False
    shares_records = False

    @pytest.fixture
    async def storage(self, open_storage: Open) -> AsyncIterator[SupabaseStorage]:
        async with open_storage() as storage:
            yield storage

    @pytest.fixture
    def reopen(self, open_storage: Open) -> Reopen:
        return open_storage


class TestWithoutTable(ListingRules):
    @pytest.fixture
    async def storage(self, mock_supabase: MockSupabase, open_storage: Open) -> AsyncIterator[SupabaseStorage]:
        mock_supabase.state.rows = None
        async with open_storage() as storage:
            yield storage
