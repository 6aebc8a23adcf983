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

from idolchat_memory import MemoryMessage, MemoryScope, Recall, RecallQuery, open_sqlite_index
from idolchat_memory.contract import MemoryIndex, Role
from idolchat_memory.testing import Snapshot, snapshot

SCOPES = [MemoryScope(user_id=user, character_id=character) for user in ("mia", "ben") for character in ("yui", None)]
TEXTS = ["My dog Biscuit ate the cake", "私の猫はきなこ", "Do you remember my dog?", "the"]
START = datetime(2026, 3, 1, tzinfo=UTC)


class Step(NamedTuple):
    """One operation on one conversation of one scope; ``number`` chooses a message or a branch."""

    what: str
    scope: int
    conversation: int
    number: int


class Branches(NamedTuple):
    """A conversation as the model holds it."""

    active: Sequence[MemoryMessage]
    inactive: Sequence[MemoryMessage]


Model = dict[tuple[int, int], Branches]
steps = st.builds(
    Step,
    st.sampled_from(["append"] * 4 + ["branch", "replace", "message", "conversation", "scope", "user"]),
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
        for (owner, conversation), branches in model.items():
            await anew.replace(
                SCOPES[owner], _id(conversation), branches.active, inactive=branches.inactive, revision=1
            )

        assert await index.verify() == []
        for number, scope in enumerate(SCOPES):
            assert await index.read(scope, snapshot) == await anew.read(scope, snapshot)
            assert await _found(index, scope) <= _owned(model, number)


async def _found(index: MemoryIndex, scope: MemoryScope) -> set[str]:
    """Everything that any question brings up."""
    recall, found = Recall(index), set[str]()
    for text in [*TEXTS, "yesterday", "2026-03-01", "きなこ", "cake"]:
        result = await recall.search(scope, RecallQuery(text, now=START + timedelta(days=1), floor=None))
        found |= {item.row.message.message_id for item in result.items}
    lived: Snapshot = await index.read(scope, snapshot)
    return found | {message.message_id for _, message, _ in lived.messages}


def _owned(model: Model, scope: int) -> set[str]:
    return {
        message.message_id for (number, _), branches in model.items() if number == scope for message in branches.active
    }


async def _perform(index: MemoryIndex, model: Model, step: Step, revision: int) -> None:
    key = (step.scope, step.conversation)
    scope, conversation = SCOPES[step.scope], _id(step.conversation)
    there = model.get(key, Branches((), ()))
    said = _message(step, revision)
    match step.what:
        case "append":
            model[key] = Branches([*there.active, said], there.inactive)
            await index.append(scope, conversation, [said], revision=revision)
        case "replace":
            model[key] = Branches([said], there.active)
            await index.replace(scope, conversation, [said], inactive=there.active, revision=revision)
        case "branch" if key in model:
            everything = [*there.active, *there.inactive]
            chosen, rest = everything[step.number :], everything[: step.number]
            model[key] = Branches(chosen, rest)
            ids = [message.message_id for message in chosen]
            await index.set_active_branch(scope, conversation, ids, revision=revision)
        case "message" if there.active:
            gone = there.active[step.number % len(there.active)]
            model[key] = Branches([one for one in there.active if one != gone], there.inactive)
            await index.delete_message(scope, conversation, gone.message_id)
        case "conversation":
            model.pop(key, None)
            await index.delete_conversation(scope, conversation)
        case "scope":
            _drop(model, {step.scope})
            await index.delete_scope(scope)
        case "user":
            user = scope.user_id
            _drop(model, {number for number, one in enumerate(SCOPES) if one.user_id == user})
            await index.delete_user(str(user))


def _drop(model: Model, scopes: set[int]) -> None:
    for key in [key for key in model if key[0] in scopes]:
        del model[key]


def _id(conversation: int) -> UUID:
    """The same ids in every scope: it is not by them that scopes are told apart."""
    return UUID(int=1 + conversation)


def _message(step: Step, revision: int) -> MemoryMessage:
    text = TEXTS[(step.number + revision) % len(TEXTS)]
    said_at = START + timedelta(hours=revision * (step.number + 1))
    role: Role = "user" if step.number % 2 else "assistant"
    return MemoryMessage(f"{step.scope}-{revision}", revision, role, "", said_at, text)
