"""``idol storage stats``."""

from __future__ import annotations

import asyncio

from pydantic import Field

from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, columns, on_stdout, print_json, show
from idolchat_core.storage.stats import StorageStats

__all__ = ["RESULT", "app"]


class StorageReport(StorageStats):
    """How much a storage holds."""

    storage: str = Field(description="name of the storage that was asked")


RESULT = StorageReport

app = new_app()


@app.command(epilog=examples("idol storage stats", "idol storage stats --json | jq .size_bytes"))
def stats(as_json: AsJson = False) -> None:
    """Count conversations, messages, users and bytes.

    Exits with 0 even if there are damaged conversations; idol storage verify tells more of them.
    """
    report = asyncio.run(_counted())
    if as_json:
        print_json(report)
        return
    size = "unknown" if report.size_bytes is None else f"{report.size_bytes:,} bytes"
    facts = {
        "storage": report.storage,
        "conversations": f"{report.conversations:,}",
        "messages": f"{report.messages:,}",
        "size": size,
        "users": f"{report.users:,}",
        "characters": f"{report.characters:,}",
        "damaged": f"{report.damaged:,}",
        "first": f"{report.first_at:%Y-%m-%d %H:%M} UTC" if report.first_at else "-",
        "last": f"{report.last_at:%Y-%m-%d %H:%M} UTC" if report.last_at else "-",
    }
    show(on_stdout(), columns(([cell(name), cell(fact)] for name, fact in facts.items()), widths=[13]))


async def _counted() -> StorageReport:
    async with open_conversations(looks_at_all=True) as opened:
        counted = await opened.storage.stats()
        return StorageReport(**counted.model_dump(), storage=opened.storage_name)
