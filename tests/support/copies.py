"""What servers have in their folders, and the copies of it in the stand-in for Supabase."""

from __future__ import annotations

from idolchat_core.testing import until
from tests.support.mock_supabase.server import MockSupabase
from tests.support.server import Server

__all__ = ["stored_in", "until_copied"]


def stored_in(server: Server) -> dict[str, bytes]:
    """Return the documents in the folder of a server, by conversation."""
    return {path.stem: path.read_bytes() for path in (server.data / "conversations").rglob("*.json")}


async def until_copied(supabase: MockSupabase, *servers: Server, within_s: float = 180) -> None:
    """Wait until Supabase has the conversations of these servers, byte for byte, and no others."""

    async def differing() -> set[str]:
        here, there = {id_: data for server in servers for id_, data in stored_in(server).items()}, supabase.documents()
        return {id_ for id_ in here | there if here.get(id_) != there.get(id_)}

    await until("copies of all conversations", differing, lambda ids: not ids, within_s=within_s)
