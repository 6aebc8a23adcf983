"""Lets the users of a Supabase project in, by the tokens that Supabase Auth gives them."""

from idolchat_auth_supabase.plugin import idolchat_register_authenticators
from idolchat_auth_supabase.settings import SupabaseAuthSettings

__all__ = ["SupabaseAuthSettings", "idolchat_register_authenticators"]
