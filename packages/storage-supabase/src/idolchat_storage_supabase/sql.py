"""The SQL that makes the table."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["chats_sql", "chats_sql_line"]


def chats_sql() -> str:
    """Return the SQL that makes the table ``chats``, with row-level security."""
    return files("idolchat_storage_supabase").joinpath("chats.sql").read_text(encoding="utf-8")


def chats_sql_line() -> str:
    """Return the same SQL without comments, in one line, as a log takes it."""
    lines = (line.strip() for line in chats_sql().splitlines())
    return " ".join(line for line in lines if line and not line.startswith("--"))
