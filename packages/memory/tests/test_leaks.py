"""Two users and two characters who say the same: whatever happens, nobody finds what is another's."""

import asyncio
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from idolchat_core import MemoryIndex, MemoryMessage, MemoryScope, Speaker
from idolchat_core.testing import memory_snapshot
from idolchat_memory.recall import Recall, RecallQuery
from idolchat_memory.sqlite import open_sqlite_index

SCOPES = [MemoryScope(user_id=user, character_id=character) for user in ("mia", "ben") for character in ("yui", None)]
TEXTS = ["My dog Biscuit ate the cake", "私の猫はきなこ", "Do you remember my dog?", "the"]
START = datetime(2026, 3, 1, tzinfo=UTC)


class Step(NamedTuple):
    """One operation on one conversation of one scope; ``number`` chooses a message or a branch."""

    what: str
    scope: int
    conversation: int
    number: int


Model = dict[tuple[int, int], Sequence[MemoryMessage]]
"""What each conversation of each scope holds."""
steps = st.builds(
    Step,
    st.sampled_from(["append"] * 4 + ["branch", "replace", "message", "conversation", "moved", "user"]),
    st.integers(0, 3),
    st.integers(0, 1),
    st.integers(0, 5),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(steps, max_size=25))
def test_no_scope_ever_finds_what_is_another_s_and_each_equals_one_built_anew(done: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_check(Path(folder), done))


async def _check(folder: Path, done: list[Step]) -> None:
    model: Model = {}
    async with open_sqlite_index(folder / "lived.sqlite") as index, open_sqlite_index(folder / "anew.sqlite") as anew:
        for revision, step in enumerate(done, 1):
            await _perform(index, model, step, revision)
        for (owner, conversation), messages in model.items():
            await anew.replace(SCOPES[owner], _id(owner, conversation), messages, revision="anew")

        assert await index.verify() == []
        for number, scope in enumerate(SCOPES):
            assert await index.read(scope, memory_snapshot) == await anew.read(scope, memory_snapshot)
            assert await _found(index, scope) <= _owned(model, number)


async def _found(index: MemoryIndex, scope: MemoryScope) -> set[str]:
    """Everything that any question brings up."""
    recall, found = Recall(index), set[str]()
    for text in [*TEXTS, "yesterday", "2026-03-01", "きなこ", "cake"]:
        result = await recall.search([scope], RecallQuery(text, now=START + timedelta(days=1), floor=None))
        found |= {item.row.message.message_id for item in result.items}
    lived = await index.read(scope, memory_snapshot)
    return found | {message.message_id for _, message, _ in lived.messages}


def _owned(model: Model, scope: int) -> set[str]:
    return {message.message_id for (number, _), messages in model.items() if number == scope for message in messages}


async def _perform(index: MemoryIndex, model: Model, step: Step, revision: int) -> None:
    key = (step.scope, step.conversation)
    scope, conversation, name = SCOPES[step.scope], _id(*key), str(revision)
    there = model.get(key, ())
    said = _message(step, revision)
    at = step.number % len(there) if there else 0
    match step.what:
        case "append" | "replace" if not there:
            model[key] = [said]
            await index.replace(scope, conversation, [said], revision=name)
        case "append":
            model[key] = [*there, said]
            await index.extend(conversation, [said], after=there[-1].message_id, revision=name)
        case "branch" if there:
            model[key] = [*there[: at + 1], said]
            await index.extend(conversation, [said], after=there[at].message_id, revision=name)
        case "message" if len(there) > 1:
            model[key] = [one for one in there if one != there[at]]
            await index.replace(scope, conversation, model[key], revision=name)
        case "conversation":
            model.pop(key, None)
            await index.delete_conversation(conversation)
        case "moved" if there:
            await index.replace(SCOPES[step.number % 4], conversation, there, revision=name)
            await index.replace(scope, conversation, there, revision=name)
        case "user":
            user = scope.user_id
            _drop(model, {number for number, one in enumerate(SCOPES) if one.user_id == user})
            await index.delete_user(str(user))


def _drop(model: Model, scopes: set[int]) -> None:
    for key in [key for key in model if key[0] in scopes]:
        del model[key]


def _id(scope: int, conversation: int) -> UUID:
    return UUID(int=10 * scope + conversation)


def _message(step: Step, revision: int) -> MemoryMessage:
    text = TEXTS[(step.number + revision) % len(TEXTS)]
    said_at = START + timedelta(hours=revision * (step.number + 1))
    role: Speaker = "user" if step.number % 2 else "assistant"
    return MemoryMessage(f"{step.scope}-{revision}", revision, role, "", said_at, text)
