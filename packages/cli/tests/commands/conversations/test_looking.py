"""List, show, search and count what is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

import pexpect
import pytest
from parts.kept import ANN, BOB, EMPTY, SONG, TALK

from idolchat_cli.commands.conversations.list import Listed
from idolchat_cli.printable import printable
from idolchat_core import Conversation
from idolchat_core.search import SearchResults
from idolchat_core.storage.stats import StorageStats

if TYPE_CHECKING:
    from conftest import Installation


def ids(kept: Installation, *arguments: str) -> list[UUID]:
    """List the ids that a list has."""
    return [one.id for one in kept.answer(Listed, "conversations", "list", *arguments).data]


def test_the_list_is_newest_first_and_in_pages(kept: Installation) -> None:
    first = kept.answer(Listed, "conversations", "list", "--limit", "2")
    rest = kept.answer(Listed, "conversations", "list", "--before", str(first.next))

    assert [one.id for one in first.data] == [EMPTY.id, TALK.id]
    assert (first.has_more, rest.has_more, rest.next) == (True, False, None)
    assert [(one.id, one.message_count, one.status) for one in rest.data] == [(SONG.id, 4, "ok")]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--user", str(ANN)], [EMPTY, SONG]),
        (["--user", str(ANN).upper()], [EMPTY, SONG]),
        (["--user", str(BOB), "--character", str(ANN)], []),
        (["--since", "2026-06-01T14:00+02:00"], [EMPTY, TALK]),
        (["--until", "2026-06-01"], [SONG]),
        (["--status", "damaged"], []),
    ],
)
def test_options_choose(kept: Installation, arguments: list[str], wanted: list[Conversation]) -> None:
    assert ids(kept, *arguments) == [one.id for one in wanted]


@pytest.mark.parametrize(
    "arguments",
    [["--since", "yesterday"], ["--until", "9999-12-31T23:00-12:00"], ["--status", "good"], ["--user", ""]],
)
def test_an_option_that_means_nothing_is_wrong_usage(installation: Installation, arguments: list[str]) -> None:
    done = installation.run("conversations", "list", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[1] in done.stderr


def test_people_see_a_line_for_each(kept: Installation) -> None:
    heading, *rows = kept.run("conversations", "list").stdout.splitlines()

    assert heading.split("  ")[0] == "CONVERSATION"
    assert rows[1].split() == [str(TALK.id), "2026-06-01", "12:00", "2", str(BOB), "-"]


def test_the_active_branch_is_shown_without_what_steers_a_terminal(kept: Installation) -> None:
    done = kept.run("conversations", "show", str(SONG.id))

    assert "branches      2\n" in done.stdout
    assert done.stdout.endswith(
        "user  2026-05-31 12:01\n  Sing me a song about cherry blossom.\n\n"
        "assistant  2026-05-31 12:03  cancelled  2 of 2\n  Sakura, sakura...\n\n"
        "user  2026-05-31 12:04\n  [bold]Again![/bold]\n\n"
    )
    assert done.stderr == f"Other branches: --branch MESSAGE, ending with\n  {UUID(int=2)}\n"


def test_another_branch_every_message_and_the_last_ones_can_be_shown(kept: Installation) -> None:
    branch, every, last = (
        kept.run("conversations", "show", str(SONG.id), *options).stdout
        for options in (["--branch", str(UUID(int=2))], ["--all"], ["--last", "1"])
    )

    assert branch.endswith("assistant  2026-05-31 12:02  test/quiet  1 of 2\n  La la la\n\n")
    assert "La la la" in every
    assert "Sakura" in every
    assert last.endswith("\n\n(2 earlier messages)\n\nuser  2026-05-31 12:04\n  [bold]Again![/bold]\n\n")


def test_what_is_no_text_is_named(kept: Installation) -> None:
    shown = kept.run("conversations", "show", str(TALK.id)).stdout

    assert "  What is this?\n  [image_url]\n" in shown
    assert "  [calls look({})]\n" in shown


def test_json_is_the_document_with_every_branch(kept: Installation) -> None:
    done = kept.run("conversations", "show", str(SONG.id), "--json")

    assert "\x1b" not in done.stdout
    assert json.loads(done.stdout) == json.loads(SONG.model_dump_json(exclude_unset=True))


@pytest.mark.parametrize("command", ["show", "fork"])
def test_a_conversation_or_message_that_is_not_there_is_one_line(kept: Installation, command: str) -> None:
    options = {"show": "--branch", "fork": "--upto"}
    absent = kept.run("conversations", command, str(UUID(int=9)))
    no_message = kept.run("conversations", command, str(SONG.id), options[command], "absent")

    assert (absent.returncode, absent.stderr) == (1, f"Error: there is no conversation {UUID(int=9)}\n")
    assert (no_message.returncode, no_message.stderr.count("\n")) == (1, 1)
    assert "no message absent" in no_message.stderr


def test_a_search_finds_messages_and_says_where(kept: Installation) -> None:
    found = kept.answer(SearchResults, "conversations", "search", "SAKURA")
    shown = kept.run("conversations", "search", '"cherry blossom"')
    nothing = kept.run("conversations", "search", "sakura", "--user", str(BOB))

    assert [(hit.conversation_id, hit.message_id, hit.matches) for hit in found.data] == [
        (SONG.id, UUID(int=3), ((0, 6), (8, 14)))
    ]
    assert shown.stdout == f"{SONG.id}  2026-05-31 12:01  user\nSing me a song about cherry blossom.\n"
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "Nothing found.\n")


def test_stats_count(kept: Installation) -> None:
    counted = kept.answer(StorageStats, "conversations", "stats", "--user", str(ANN))

    assert (counted.conversations, counted.messages, counted.users, counted.characters) == (2, 4, 1, 1)
    assert "conversations  3\nmessages       6\n" in kept.run("conversations", "stats").stdout


@pytest.mark.parametrize(("columns", "user"), [(80, "0000000…"), (140, str(ANN))])
def test_it_fits_a_terminal(
    kept: Installation, terminal: Callable[..., pexpect.spawn[str]], columns: int, user: str
) -> None:
    screens = []
    for arguments in (["list"], ["show", str(SONG.id)], ["search", "song"]):
        child = terminal("conversations", *arguments, columns=columns)
        child.expect(pexpect.EOF)
        screens.append(str(child.before))
    listed, shown, found = screens

    assert max(len(line) for screen in screens for line in printable(screen).splitlines()) <= columns
    assert f"{SONG.id}  2026-05-31 12:04     4  {user} " in printable(listed)
    assert "\x1b[1;36muser\x1b[0m" in shown
    assert "\x1b[1;7msong\x1b[0m" in found


def test_no_colours_where_they_are_not_wanted(kept: Installation, terminal: Callable[..., pexpect.spawn[str]]) -> None:
    child = terminal("conversations", "show", str(SONG.id), NO_COLOR="1")
    child.expect(pexpect.EOF)

    assert "\x1b[1muser\x1b[0m" in str(child.before)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", str(child.before))
