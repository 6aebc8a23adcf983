"""A conversation in a real terminal: what is typed, what is seen, and what is kept."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

if TYPE_CHECKING:
    from conftest import Installation

IDOL = Path(sys.executable).with_name("idol")

type Terminal = Callable[..., pexpect.spawn[str]]

READY = "\x1b[?2004h"
"""What the line editor says when it begins to read: a paste shall come in brackets."""

CTRL_C, ALT_ENTER, ENTER = "\x03", "\x1b\r", "\r"
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


def asked(child: pexpect.spawn[str]) -> pexpect.spawn[str]:
    """Wait until something can be typed."""
    child.expect_exact(READY)
    return child


def left(child: pexpect.spawn[str]) -> tuple[str, int | None]:
    """Wait until it has ended; give the last it said, and its exit status."""
    child.expect_exact(pexpect.EOF)
    child.close()
    return child.before or "", child.exitstatus


def contents(installation: Installation) -> list[str]:
    """Return what was said in the only conversation."""
    (conversation,) = installation.stored()
    return [message["content"] for message in conversation["messages"]]


def test_turns_follow_one_another_in_one_conversation(installation: Installation, terminal: Terminal) -> None:
    installation.script(["Hello ", "Ada!"], ["Good ", "bye!"])
    child = asked(terminal("chat"))
    child.send("I am Ada." + ENTER)
    child.expect_exact("Hello Ada!")
    asked(child).send("Farewell." + ENTER)
    child.expect_exact("Good bye!")
    asked(child).sendeof()
    last, status = left(child)

    assert status == 0
    assert contents(installation) == ["I am Ada.", "Hello Ada!", "Farewell.", "Good bye!"]
    assert f"To go on: idol chat --conversation {installation.stored()[0]['id']}" in last


def test_it_says_who_answers_and_how_to_leave(installation: Installation, terminal: Terminal) -> None:
    child = asked(terminal("chat", "--model", "test/loud"))

    assert "test/loud (scripted), kept in storage folder." in (child.before or "")
    assert "Ctrl-D leaves" in (child.before or "")


def test_ctrl_c_stops_the_reply_and_another_leaves(installation: Installation, terminal: Terminal) -> None:
    installation.script(["Once ", "upon ", "a time ", "<wait for ever>"])
    child = asked(terminal("chat"))
    child.send("Tell me a story." + ENTER)
    child.expect_exact("Once upon a time")
    child.send(CTRL_C)
    child.expect_exact("Stopped; what was said is kept.")
    asked(child).send(CTRL_C)

    assert left(child)[1] == 0
    assert contents(installation) == ["Tell me a story.", "Once upon a time "]
    assert installation.stored()[0]["messages"][1]["finish_reason"] == "cancelled"


def test_the_conversation_goes_on_after_a_stopped_reply(installation: Installation, terminal: Terminal) -> None:
    installation.script(["Once ", "upon ", "<wait for ever>"], ["Of course."])
    child = asked(terminal("chat"))
    child.send("Tell me a story." + ENTER)
    child.expect_exact("Once ")
    child.send(CTRL_C)
    asked(child).send("Another one." + ENTER)
    child.expect_exact("Of course.")
    asked(child).sendeof()
    left(child)

    assert contents(installation)[2:] == ["Another one.", "Of course."]


def test_a_terminal_that_closes_amid_a_reply_loses_nothing(installation: Installation, terminal: Terminal) -> None:
    installation.script(["Once ", "upon ", "<wait for ever>"])
    child = asked(terminal("chat"))
    child.send("Tell me a story." + ENTER)
    child.expect_exact("Once")
    child.kill(1)
    left(child)

    assert contents(installation) == ["Tell me a story.", "Once upon "]


def test_ctrl_c_clears_what_is_typed_before_it_leaves(installation: Installation, terminal: Terminal) -> None:
    child = asked(terminal("chat"))
    child.send("Never mi")
    child.expect_exact("mi")
    child.send(CTRL_C + "Hello" + ENTER)
    asked(child).send(CTRL_C)
    left(child)

    assert contents(installation) == ["Hello", "Hello"]


@pytest.mark.parametrize(
    "keys", ["one" + ALT_ENTER + "two" + ENTER, "\x1b[200~one\rtwo\x1b[201~" + ENTER], ids=["Alt-Enter", "pasted"]
)
def test_a_message_may_have_several_lines(installation: Installation, terminal: Terminal, keys: str) -> None:
    child = asked(terminal("chat"))
    child.send(keys)
    asked(child).sendeof()
    left(child)

    assert contents(installation)[0] == "one\ntwo"


def test_enter_asks_again_after_a_failure(installation: Installation, terminal: Terminal) -> None:
    installation.script(["<wrong key>"], ["Here ", "I am."])
    child = asked(terminal("chat"))
    child.send("Are you there?" + ENTER)
    child.expect_exact("No reply: the provider refuses the key")
    child.expect_exact("Press Enter to try again.")
    asked(child).send(ENTER)
    child.expect_exact("Here I am.")
    asked(child).sendeof()
    left(child)

    assert [content for content in contents(installation) if content] == ["Are you there?", "Here I am."]


def test_a_message_may_be_typed_when_the_reply_goes_to_a_file(installation: Installation, terminal: Terminal) -> None:
    installation.script(["Hello ", "file."])
    child = terminal("-c", f"{IDOL} chat > reply.txt", program="/bin/sh")
    child.expect_exact("Ctrl-D on a line of its own sends it.")
    child.sendline("Hi!")
    child.sendeof()

    assert left(child)[1] == 0
    assert (installation.folder / "reply.txt").read_text() == "Hello file.\n"


def test_an_empty_line_says_nothing(installation: Installation, terminal: Terminal) -> None:
    child = asked(terminal("chat"))
    child.send(ENTER)
    asked(child).sendeof()

    assert left(child)[1] == 0
    assert installation.stored() == []


def test_a_conversation_that_goes_on_shows_its_end(installation: Installation, terminal: Terminal) -> None:
    installation.run("chat", stdin="message 1")
    conversation_id = installation.stored()[0]["id"]
    for number in range(2, 5):
        installation.run("chat", "--conversation", conversation_id, stdin=f"message {number}")
    child = asked(terminal("chat", "--conversation", conversation_id))
    shown = child.before or ""
    child.sendeof()
    left(child)

    assert "message 1" not in shown
    assert "message 2" in shown


def test_a_long_reply_breaks_between_words(installation: Installation, terminal: Terminal) -> None:
    installation.script([" La", *[f" la{number}" for number in range(30)], " la."])
    child = asked(terminal("chat"))
    child.send("Sing!" + ENTER)
    child.expect_exact("La la0 la1")
    asked(child).sendeof()
    lines = (child.before or "").split("\r\n")
    left(child)

    assert lines[0].endswith(" la15 la16")
    assert lines[1].startswith("la17 la18 ")


def test_what_is_typed_during_a_reply_does_not_show_in_it(installation: Installation, terminal: Terminal) -> None:
    installation.script(["Once ", "upon ", "a time ", "<wait for ever>"], ["Fine."])
    child = asked(terminal("chat"))
    child.send("Tell me a story." + ENTER)
    child.expect_exact("Once upon a")
    child.send("Enough" + CTRL_C)
    asked(child)
    during = child.before or ""
    child.send("And now?" + ENTER)
    child.expect_exact("Fine.")
    asked(child).sendeof()
    left(child)

    assert "Enough" not in during
    assert "^C" not in during
    assert contents(installation)[2] == "And now?"


def test_nothing_that_a_model_says_steers_the_terminal(installation: Installation, terminal: Terminal) -> None:
    installation.script(["look: \x1b]0;owned\x07", "\x1b[2Jdone"])
    child = asked(terminal("chat"))
    child.send("Hi!" + ENTER)
    child.expect_exact("look: done")
    asked(child).sendeof()
    left(child)

    assert "\x1b[2J" in contents(installation)[1]


@pytest.mark.parametrize(("env", "has_colour"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_those_who_want_them(
    installation: Installation, terminal: Terminal, env: dict[str, str], has_colour: bool
) -> None:
    child = terminal("doctor", IDOL_TEST_STORAGE_FAULT="open", **env)
    seen, status = left(child)

    assert status == 1
    assert bool(COLOUR.search(seen)) is has_colour


def test_what_begins_with_a_slash_is_no_message(installation: Installation, terminal: Terminal) -> None:
    child = asked(terminal("chat"))
    for typed, answer in (("/help", "/regenerate"), ("/me waves", "Nothing was sent"), ("/edit", "Nothing was sent")):
        child.send(typed + ENTER)
        child.expect_exact(answer)
        asked(child)
    child.send("/quit" + ENTER)

    assert left(child)[1] == 0
    assert installation.stored() == []


def test_two_slashes_say_one(installation: Installation, terminal: Terminal) -> None:
    installation.script(["I ", "wave."])
    child = asked(terminal("chat"))
    child.send("//me waves" + ENTER)
    child.expect_exact("I wave.")
    asked(child).sendeof()
    left(child)

    assert contents(installation) == ["/me waves", "I wave."]


def test_a_message_is_edited_and_a_reply_regenerated_on_branches(
    installation: Installation, terminal: Terminal
) -> None:
    installation.script(["One."], ["Two."], ["Three."])
    child = asked(terminal("chat"))
    for typed, answer in (("Count.", "One."), ("/regenerate", "Two."), ("/edit Count on.", "Three.")):
        child.send(typed + ENTER)
        child.expect_exact(answer)
        asked(child)
    child.sendeof()
    left(child)

    assert contents(installation) == ["Count.", "One.", "Two.", "Count on.", "Three."]


def test_another_conversation_is_begun_with_another_model(installation: Installation, terminal: Terminal) -> None:
    installation.script(["One."], ["Two."])
    child = asked(terminal("chat"))
    for typed, answer in (("Hi.", "One."), ("/new", "another conversation"), ("/model test/loud", "test/loud answers")):
        child.send(typed + ENTER)
        child.expect_exact(answer)
        asked(child)
    child.send("Hello." + ENTER)
    child.expect_exact("Two.")
    asked(child).sendeof()
    left(child)

    assert sorted(conversation["messages"][0]["content"] for conversation in installation.stored()) == ["Hello.", "Hi."]
    assert installation.requests()[-1]["model"] == "test/loud"


def test_a_character_speaks_first_and_another_greeting_can_be_chosen(
    installation: Installation, terminal: Terminal
) -> None:
    installation.script(["Yes."])
    child = terminal("chat", "--character", "mika")
    child.expect_exact("Hi! I am Mika.")
    child.expect_exact("This is one of 2 greetings")
    asked(child).send("/greeting 3" + ENTER)
    child.expect_exact("there is no greeting 3 to choose now")
    asked(child).send("/greeting 2" + ENTER)
    child.expect_exact("You again?")
    asked(child).send("Me." + ENTER)
    child.expect_exact("Yes.")
    asked(child).send("/new" + ENTER)
    child.expect_exact("Hi! I am Mika.")
    asked(child).sendeof()
    left(child)

    asked_of_model = [message["content"] for message in installation.requests()[0]["messages"]]
    assert asked_of_model == ["You again?", "Me."]
    assert len(installation.stored()) == 2
