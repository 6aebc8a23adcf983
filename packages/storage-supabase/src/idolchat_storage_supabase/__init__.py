"""Keeps idolchat conversations in Supabase Storage."""

from idolchat_storage_supabase.settings import SupabaseSettings

__all__ = ["SupabaseSettings"]
