"""What is kept is never older than what was written."""

from uuid import uuid4

import pytest

from idolchat_storage_supabase.cache import DocumentCache
from idolchat_storage_supabase.tails import Grown


def kept(data: bytes) -> Grown:
    return Grown(data, "base", 0)


@pytest.fixture
def cache() -> DocumentCache:
    return DocumentCache(max_bytes=1000, max_age_s=60)


def test_what_was_read_is_kept(cache: DocumentCache) -> None:
    key = uuid4()
    with cache.reading(key) as keep:
        keep(kept(b"read"))

    assert cache.get(key) == kept(b"read")


def test_a_read_that_a_write_overtook_is_not_kept(cache: DocumentCache) -> None:
    key = uuid4()
    with cache.reading(key) as keep:
        cache.keep(key, kept(b"new"))
        keep(kept(b"old"))

    assert cache.get(key) == kept(b"new")


def test_a_read_that_ran_beside_a_write_of_unknown_outcome_is_not_kept(cache: DocumentCache) -> None:
    key = uuid4()
    with cache.reading(key) as keep:
        cache.drop(key)
        keep(kept(b"old"))
    with cache.reading(key) as keep:
        keep(kept(b"newest"))

    assert cache.get(key) == kept(b"newest")
