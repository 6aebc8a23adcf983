"""What was said, on the screen."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from idolchat_cli.conversations.message_text import remarks, said
from idolchat_cli.conversations.tree import Tree
from idolchat_cli.printable import printable
from idolchat_cli.render import cell, clock, columns, show
from idolchat_core.models import Conversation, Message

__all__ = ["show_heading", "show_message"]

STYLES = {"user": "bold cyan", "assistant": "bold magenta"}
INDENT = 2


def show_heading(console: Console, conversation: Conversation, tree: Tree) -> None:
    """Show the facts of a conversation, then its messages."""
    facts = {
        "conversation": str(conversation.id),
        "user": conversation.user_id,
        "character": conversation.character_id,
        "begun": clock(conversation.created_at),
        "changed": clock(conversation.updated_at),
        "messages": str(len(conversation.messages)),
        "branches": str(len(tree.ends)) if len(tree.ends) > 1 else None,
        "forked from": conversation.forked_from,
        "status": conversation.status,
    }
    rows = ([cell(name, "dim"), cell(str(fact))] for name, fact in facts.items() if fact is not None)
    show(console, columns(rows, widths=[len("conversation")]))


def show_message(console: Console, message: Message, *, notes: Iterable[str] = ()) -> None:
    """Show one message: a line about it, then its words."""
    role = printable(message.role)
    about = "  ".join([clock(message.timestamp), *map(printable, (*remarks(message), *notes))])
    console.print(Text(role, STYLES.get(role, "bold")) + Text(f"  {about}", "dim"))
    words = printable(said(message))
    if console.is_terminal:
        console.print(Padding(Text(words), (0, 0, 1, INDENT)))
    else:
        console.file.writelines(f"{' ' * INDENT}{line}".rstrip() + "\n" for line in words.split("\n"))
        console.file.write("\n")
