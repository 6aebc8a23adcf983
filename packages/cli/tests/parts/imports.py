"""What is found in files of other programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from idolchat_cli.conversations.importing.candidate import Candidate
from idolchat_cli.conversations.importing.files import find_in
from idolchat_core import Conversation
from idolchat_core.conversations.branches import active_branch
from idolchat_core.storage.integrity import issues_of

EXPORTS = Path(__file__).parents[1] / "conversations" / "importing" / "exports"


class Imports(NamedTuple):
    """Conversations, what is lost with its reason, and how often something else is left out."""

    conversations: list[Conversation]
    lost: list[str]
    left_out: Counter[str]


def imports_of(path: Path) -> Imports:
    """Find what is in a file, and look that each conversation is sound."""
    result = Imports([], [], Counter())
    for finding in find_in(path):
        if isinstance(finding, Candidate):
            assert list(issues_of(finding.conversation)) == []
            result.conversations.append(finding.conversation)
        elif finding.is_lost:
            result.lost.append(f"{finding.source.removeprefix(f'{path.parent}/')}: {finding.reason}")
        else:
            result.left_out[finding.reason] += 1
    return result


def imports_of_json(folder: Path, value: Any, name: str = "chat.json") -> Imports:
    """Find what is in a file that holds this value."""
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return imports_of(path)


def imports_of_lines(folder: Path, lines: Iterable[Any], name: str = "Mika.jsonl") -> Imports:
    """Find what is in a file with a value a line; a text stands as it is."""
    path = folder / name
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return imports_of(path)


def said(conversation: Conversation) -> list[tuple[str, Any]]:
    """Give who said what, as it is stored."""
    return [(message.role, message.content) for message in conversation.messages]


def shown(conversation: Conversation) -> list[tuple[str, Any]]:
    """Give who said what in the active branch."""
    return [(message.role, message.content) for message in active_branch(conversation)]
