"""Fork and delete what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import pexpect
import pytest
from parts.kept import ANN, BOB, EMPTY, SONG, TALK

from idolchat_cli.commands.conversations.delete import Deleted
from idolchat_cli.commands.conversations.delete_message import DeletedMessage
from idolchat_cli.commands.conversations.fork import Forked
from idolchat_core.storage import document

if TYPE_CHECKING:
    from conftest import Installation


def stored_ids(kept: Installation) -> set[str]:
    """Return the ids of what is kept."""
    return {one["id"] for one in kept.stored()}


def test_a_fork_begins_with_the_messages_of_the_branch(kept: Installation) -> None:
    tried = kept.answer(Forked, "conversations", "fork", str(SONG.id), "--dry-run")
    unchanged = stored_ids(kept)
    forked = kept.answer(Forked, "conversations", "fork", str(SONG.id), "--upto", str(UUID(int=2)))
    (new,) = [one for one in kept.stored() if one["id"] == str(forked.id)]

    assert (tried.id, tried.messages, tried.dry_run, len(unchanged)) == (None, 3, True, 3)
    assert (forked.messages, forked.forked_from, new["forked_from"]) == (2, SONG.id, str(SONG.id))
    assert [message["content"] for message in new["messages"]] == [m.content for m in SONG.messages[:2]]
    assert (kept.folder / "stored" / f"{SONG.id}.json").read_bytes() == document.encode(SONG)


def test_a_deleted_message_is_shown_as_such_and_exported_without_its_text(kept: Installation) -> None:
    first = SONG.messages[0]
    word = "cherry"
    refused = kept.run("conversations", "delete-message", str(SONG.id), str(first.id))
    deleted = kept.answer(DeletedMessage, "conversations", "delete-message", str(SONG.id), str(first.id), "--yes")
    shown = kept.run("conversations", "show", str(SONG.id))
    exported = {
        form: kept.run("conversations", "export", str(SONG.id), "--format", form).stdout
        for form in ("json", "jsonl", "markdown")
    }

    assert (refused.returncode, deleted.id, deleted.role) == (2, first.id, first.role)
    assert "deleted" in shown.stdout
    assert [name for name, text in exported.items() if word in text or not text] == []
    assert word.encode() not in (kept.folder / "stored" / f"{SONG.id}.json").read_bytes()


def test_those_that_are_named_are_deleted_and_one_that_is_missing_is_told(kept: Installation) -> None:
    names = [str(one) for one in (SONG.id, UUID(int=9), SONG.id)]
    tried = kept.answer(Deleted, "conversations", "delete", *names, "--dry-run", status=1)
    unchanged = stored_ids(kept)
    deleted = kept.answer(Deleted, "conversations", "delete", *names, "--yes", status=1)

    assert (tried.deleted, tried.missing, tried.dry_run, len(unchanged)) == ([SONG.id], [UUID(int=9)], True, 3)
    assert (deleted.deleted, deleted.missing, deleted.failed) == ([SONG.id], [UUID(int=9)], [])
    assert stored_ids(kept) == {str(TALK.id), str(EMPTY.id)}


def test_those_that_options_choose_are_deleted(kept: Installation) -> None:
    done = kept.run("conversations", "delete", "--user", str(ANN), "--until", "2026-06-01", "--yes")
    none = kept.run("conversations", "delete", "--user", str(ANN), "--until", "2026-06-01", "--yes")

    assert (done.returncode, done.stderr) == (0, "Deleted 1 conversation\n")
    assert (none.returncode, none.stderr) == (0, "Deleted no conversations\n")
    assert stored_ids(kept) == {str(TALK.id), str(EMPTY.id)}


@pytest.mark.parametrize(
    "arguments", [[], ["--yes"], [str(SONG.id), "--user", str(BOB)], [str(SONG.id)], ["--user", str(ANN)]]
)
def test_nothing_is_deleted_without_being_asked_for(kept: Installation, arguments: list[str]) -> None:
    done = kept.run("conversations", "delete", *arguments, stdin="y\n")

    assert (done.returncode, done.stdout) == (2, "")
    assert len(stored_ids(kept)) == 3


@pytest.mark.parametrize(("answer", "left"), [("y", 2), ("n", 3), ("\x03", 3)])
def test_somebody_at_a_terminal_is_asked(
    kept: Installation, terminal: Callable[..., pexpect.spawn[str]], answer: str, left: int
) -> None:
    child = terminal("conversations", "delete", str(SONG.id))
    child.expect(r"Delete 1 conversation from storage folder\? \[y/N\]: ")
    child.send(answer if answer == "\x03" else f"{answer}\r")
    child.expect(pexpect.EOF)
    child.wait()

    assert (len(stored_ids(kept)), child.exitstatus) == (left, 0 if left == 2 else 1)
