"""The SQL that makes the table."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["chats_sql"]


def chats_sql() -> str:
    """Give the SQL that makes the table ``chats``, with row-level security."""
    return files("idolchat_storage_supabase").joinpath("chats.sql").read_text(encoding="utf-8")
