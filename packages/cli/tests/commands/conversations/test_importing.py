"""Import from other programs with the command: what it stores, what it says, and how it ends."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from parts.imports import EXPORTS

from idolchat_cli.commands.conversations.import_ import Imported

if TYPE_CHECKING:
    from conftest import Installation

EVERY_EXPORT = sorted(path.name for path in EXPORTS.iterdir())


def a_chat(*lines: dict[str, Any], integrity: str = "6f2a1e5e") -> str:
    """Write a chat of SillyTavern."""
    header = {"user_name": "Ann", "character_name": "Mika", "chat_metadata": {"integrity": integrity}}
    return "\n".join(map(json.dumps, (header, *lines)))


def a_line(text: str, *, user: bool = False, **fields: Any) -> dict[str, Any]:
    """Make the line of a message."""
    return {"name": "Ann" if user else "Mika", "is_user": user, "mes": text} | fields


@pytest.mark.parametrize("name", EVERY_EXPORT)
def test_every_export_is_stored_once_and_ends_well(installation: Installation, name: str) -> None:
    first, again = (
        installation.answer(Imported, "conversations", "import", str(EXPORTS / name), "--on-conflict", "overwrite")
        for _ in range(2)
    )

    assert first.created == len(installation.stored()) == again.unchanged >= 1
    assert (first.not_taken, first.overwritten, again.overwritten) == ([], 0, 0)


def test_no_file_of_a_family_replaces_another_of_the_same_name(installation: Installation) -> None:
    for folder, text in (("backup", "old"), ("chats", "new")):
        (installation.folder / "st" / folder).mkdir(parents=True)
        (installation.folder / "st" / folder / "Mika.jsonl").write_text(a_chat(a_line("Hi"), a_line(text, user=True)))
    first, again = (
        installation.answer(Imported, "conversations", "import", "st", "--on-conflict", "overwrite") for _ in range(2)
    )

    assert (first.created, again.unchanged, again.overwritten) == (2, 2, 0)
    assert {one["messages"][1]["content"] for one in installation.stored()} == {"old", "new"}


def test_a_chat_that_grew_is_extended_and_its_family_is_left(installation: Installation) -> None:
    shutil.copytree(EXPORTS / "sillytavern-family", installation.folder / "st")
    installation.run("conversations", "import", "st")
    with (installation.folder / "st" / "Mika - branch.jsonl").open("a") as chat:
        chat.write("\n" + json.dumps(a_line("more")))
    result = installation.answer(Imported, "conversations", "import", "st")

    assert (result.extended, result.unchanged) == (1, 2)


def test_what_is_left_out_is_a_line_for_each_kind_and_no_problem(installation: Installation) -> None:
    notes = [a_line("/help", is_system=True, extra={"type": "help"}) for _ in range(1500)]
    image = a_line("", user=True, extra={"image": "x.png"})
    (installation.folder / "Mika.jsonl").write_text(a_chat(a_line("Hi"), *notes, image))
    done = installation.run("conversations", "import", "Mika.jsonl")

    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        [
            "left out: 1,500 x note of the program",
            "left out: 1 x attached image, of which only the name is in the export",
            "Found 1 conversation: 1 created",
        ],
    )


def test_what_a_person_wrote_and_is_lost_is_a_problem_and_named(installation: Installation) -> None:
    damaged = '\n{"name": "Ann", "mes": "dear' * 5
    (installation.folder / "Mika.jsonl").write_text(a_chat(a_line("Hi")) + damaged)
    done = installation.run("conversations", "import", "Mika.jsonl")
    listed = installation.answer(Imported, "conversations", "import", "Mika.jsonl", status=1).not_taken
    places = "; ".join(f"Mika.jsonl, line {number}" for number in (3, 4, 5))

    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        f"not taken: 5 x line that is not valid: {places}; and 2 more, which --json lists",
    )
    assert len(listed) == 5


def test_an_export_through_a_pipe_is_read(installation: Installation) -> None:
    done = installation.run("conversations", "import", "-", stdin=(EXPORTS / "claude.json").read_bytes())

    assert (done.returncode, done.stderr) == (0, "Found 1 conversation: 1 created\n")
