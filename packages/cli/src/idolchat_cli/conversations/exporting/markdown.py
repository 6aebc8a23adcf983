"""A conversation as Markdown, to read."""

from __future__ import annotations

from collections.abc import Iterator

from idolchat_cli.conversations.message_text import remarks, said
from idolchat_cli.printable import printable
from idolchat_cli.render import clock
from idolchat_core.conversations.branches import active_branch
from idolchat_core.models import Conversation

__all__ = ["markdown"]


def markdown(conversation: Conversation) -> str:
    """Write the active branch; what the messages say stays as it is, for it often is Markdown itself."""
    return "\n".join(_lines(conversation)) + "\n"


def _lines(conversation: Conversation) -> Iterator[str]:
    yield f"# Conversation {conversation.id}"
    yield ""
    facts = {
        "user": conversation.user_id,
        "character": conversation.character_id,
        "begun": f"{clock(conversation.created_at)} UTC",
        "changed": f"{clock(conversation.updated_at)} UTC",
    }
    yield from (f"- {name}: {printable(str(fact))}" for name, fact in facts.items() if fact is not None)
    yield ""
    for message in active_branch(conversation):
        about = ", ".join([f"{clock(message.timestamp)} UTC", *remarks(message)])
        yield f"**{printable(message.role)}** ({printable(about)})"
        yield ""
        yield printable(said(message))
        yield ""
