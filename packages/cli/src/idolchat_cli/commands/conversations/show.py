"""``idol conversations show``."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from idolchat_cli.conversations.message_text import message_id
from idolchat_cli.conversations.transcript import show_heading, show_message
from idolchat_cli.conversations.tree import Tree
from idolchat_cli.lazy import examples, new_app
from idolchat_cli.opening import open_conversations
from idolchat_cli.options import AsJson
from idolchat_cli.render import on_stderr, on_stdout, print_json
from idolchat_core.conversations.branches import active_branch
from idolchat_core.models import Conversation, Message

__all__ = ["RESULT", "app"]

RESULT = Conversation

app = new_app()


@app.command(
    "show",
    epilog=examples(
        "idol conversations show 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55 | less -R",
        "idol conversations show 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55 --last 10",
        "idol conversations show 0199d2c4-6a6f-7c3e-8d4e-2f1b0c9a7e55 --json | jq -r '.messages[].content'",
    ),
)
def show_conversation(
    conversation: Annotated[UUID, typer.Argument(metavar="ID", help="Which conversation.")],
    last: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the last messages.")] = None,
    branch: Annotated[
        str | None, typer.Option(metavar="MESSAGE", help="The branch that ends with this message, not the active one.")
    ] = None,
    all_branches: Annotated[bool, typer.Option("--all", help="Every message, as they were stored.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was said in a conversation.

    Where it has several branches, the active one. With --json all that is stored, every branch, as one document.
    Exits with 1 if it is damaged: what can be read of it is shown.
    """
    whole = asyncio.run(_read(conversation))
    if as_json:
        print_json(whole.model_dump(mode="json", exclude_unset=True))
    else:
        end = message_id(branch) if branch is not None else None
        messages = whole.messages if all_branches else active_branch(whole, upto=end)
        _show(whole, messages, last)
    if whole.status == "damaged":
        on_stderr().print("The conversation is damaged: this is what can be read of it.", style="bold red")
        raise typer.Exit(1)


async def _read(conversation_id: UUID) -> Conversation:
    async with open_conversations() as opened:
        return await opened.storage.read(conversation_id)


def _show(conversation: Conversation, messages: tuple[Message, ...], last: int | None) -> None:
    console = on_stdout()
    tree = Tree(conversation)
    show_heading(console, conversation, tree)
    console.print()
    left_out = len(messages) - last if last is not None else 0
    if left_out > 0:
        console.print(f"({left_out:,} earlier messages)\n", style="dim")
    for message in messages[max(left_out, 0) :]:
        number, count = tree.place(message)
        show_message(console, message, notes=[f"{number} of {count}"] if count > 1 else [])
    if len(tree.ends) > 1:
        on_stderr().print("Other branches: --branch MESSAGE, ending with", style="dim")
        for end in tree.ends:
            if not messages or end != messages[-1].id:
                on_stderr().print(f"  {end}", style="dim")
