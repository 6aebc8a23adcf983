"""Opens the storage: one client and its connections, closed at the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
from supabase import AsyncClient, AsyncClientOptions

from idolchat_core import one_shot, read_settings
from idolchat_storage_supabase.bucket import Bucket
from idolchat_storage_supabase.cache import DocumentCache
from idolchat_storage_supabase.chats import ChatsTable
from idolchat_storage_supabase.retries import RetriedCalls
from idolchat_storage_supabase.settings import SupabaseSettings
from idolchat_storage_supabase.storage import SupabaseStorage
from idolchat_storage_supabase.tails import LISTED_AGE_S, Tails
from idolchat_storage_supabase.uploads import KEPT_S, MAX_CONNECTIONS, open_uploads

__all__ = ["open_supabase_storage"]

_LIMITS = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=16, keepalive_expiry=KEPT_S)


@asynccontextmanager
async def open_supabase_storage(settings: SupabaseSettings | None = None) -> AsyncGenerator[SupabaseStorage]:
    """Open the storage; the project is called at the first use, so that an outage does not stop a start.

    Raises ``ConfigurationError``.
    """
    settings = settings or read_settings(SupabaseSettings)
    url, key = settings.access()
    timeout = httpx.Timeout(settings.timeout_s, connect=settings.connect_timeout_s)
    # HTTP/1.1: a kept HTTP/2 connection that the other side gives up fails every call on it at once.
    async with (
        httpx.AsyncClient(timeout=timeout, limits=_LIMITS, http2=False, follow_redirects=True) as http,
        open_uploads(settings) as uploads,
    ):
        options = AsyncClientOptions(
            httpx_client=http, postgrest_client_retry=False, auto_refresh_token=False, persist_session=False
        )
        client = AsyncClient(url, key, options)
        calls = RetriedCalls(settings)
        cache = DocumentCache(max_bytes=settings.cache_bytes, max_age_s=settings.cache_age_s)
        bucket = Bucket(client, settings.bucket, calls, uploads=uploads, only_writes_make=one_shot.get())
        tails = Tails(bucket, max_age_s=min(LISTED_AGE_S, settings.cache_age_s) if settings.cache_bytes else 0)
        storage = SupabaseStorage(bucket, ChatsTable(client, calls), cache=cache, tails=tails)
        try:
            yield storage
        finally:
            await storage.close()
