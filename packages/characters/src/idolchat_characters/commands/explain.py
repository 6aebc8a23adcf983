"""``idol characters explain``."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from idolchat_characters.commands.opening import find
from idolchat_characters.library import library_of
from idolchat_characters.prompt.lore_explanation import ExplainedEntry, LoreExplanation, LoreQuestion, explain_lore
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import cell, number_of, on_stderr, on_stdout, print_json, show, table
from idolchat_cli.usage import WrongUsage

__all__ = ["RESULT", "app"]

RESULT = LoreExplanation

app = new_app()


@app.command(
    "explain",
    epilog=examples(
        'idol characters explain lumi "Will you sing on the radio tonight?"',
        "idol characters explain lumi --conversation 0199a1f0-5c21-7f5e-b3a2-1c0d9e8f7a6b --all",
    ),
)
def explain(
    name: Annotated[str, typer.Argument(metavar="CHARACTER", help="Its id or slug.")],
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What the user says.")] = None,
    conversation: Annotated[
        UUID | None, typer.Option(metavar="ID", help="Where it is said; without TEXT, its newest message is taken.")
    ] = None,
    user: Annotated[UUID | None, typer.Option(metavar="ID", help="Who says it, where no conversation tells.")] = None,
    window: Annotated[int | None, typer.Option("--window-tokens", min=512, help="What the model reads.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also the entries that are left out, and why.")] = False,
    as_json: AsJson = False,
) -> None:
    """Explain which entry of the lorebooks enters a prompt: by which key, at which recursion, where, at what cost."""
    if text is None and conversation is None:
        raise WrongUsage("nothing to explain: write what the user says, or name a conversation with --conversation")
    told = asyncio.run(_explained(name, text, conversation, user, window))
    if as_json:
        print_json(told)
        return
    shown = [entry for entry in told.entries if entry.activated or everything]
    rows = ([cell(text) for text in _row(entry)] for entry in shown)
    show(on_stdout(), table("ENTRY", "OF", "WHY", "KEY", "RECURSION", "WHERE", "TOKENS", rows=rows))
    taken = f"about {told.tokens:.0f} of {told.budget_tokens} tokens"
    count = sum(entry.activated for entry in told.entries)
    on_stderr().print(f"{count} of {number_of(len(told.entries), 'lore text')}, {taken}", style="dim")


def _row(entry: ExplainedEntry) -> list[str]:
    depth = f" {entry.depth}" if entry.depth is not None else ""
    return [
        entry.name or entry.uid,
        entry.scope,
        entry.reason.value if entry.activated else f"out: {entry.reason.value}",
        entry.key or "",
        "" if entry.recursion is None else str(entry.recursion),
        f"{entry.position.value}{depth}" if entry.position else "",
        "" if entry.tokens is None else f"{entry.tokens:.0f}",
    ]


async def _explained(
    name: str, text: str | None, conversation_id: UUID | None, user_id: UUID | None, window: int | None
) -> LoreExplanation:
    async with open_conversations() as opened:
        record = await find(library_of(opened.storage), name)
        question = LoreQuestion(
            text=text,
            conversation=None if conversation_id is None else await opened.storage.read(conversation_id),
            user_id=user_id,
            window_tokens=window or opened.settings.context_length,
            shows_server=True,
        )
        return await explain_lore(opened.storage, record, question)
