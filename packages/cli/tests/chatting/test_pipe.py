"""What comes through a pipe is one message; the reply, and only that, goes to standard output."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from conftest import Installation


def said(conversation: dict[str, Any]) -> list[tuple[str, str]]:
    """Give role and content of each message."""
    return [(message["role"], message["content"]) for message in conversation["messages"]]


def read_up_to(text: str, process: subprocess.Popen[str]) -> None:
    """Read standard output until it ends with this text."""
    assert process.stdout is not None
    read = ""
    while not read.endswith(text):
        piece = process.stdout.read(1)
        assert piece, (read, process.communicate())
        read += piece


def talking(installation: Installation, *script: str) -> subprocess.Popen[str]:
    """Begin a conversation whose reply goes on for ever after these words, and wait for them."""
    installation.script([*script, "<wait for ever>"])
    process = installation.start("chat")
    assert process.stdin is not None
    process.stdin.write("Tell me a story.")
    process.stdin.close()
    process.stdin = None
    read_up_to("".join(script), process)
    return process


def test_the_reply_alone_goes_to_stdout(installation: Installation) -> None:
    installation.script(["Hello ", "there, ", "friend."])
    done = installation.run("chat", stdin="Hi!\n")

    assert (done.returncode, done.stdout) == (0, "Hello there, friend.\n")
    assert said(*installation.stored()) == [("user", "Hi!"), ("assistant", "Hello there, friend.")]
    assert done.stderr == f"To go on: idol chat --conversation {installation.stored()[0]['id']}\n"


def test_a_conversation_goes_on_with_what_was_said_before(installation: Installation) -> None:
    installation.run("chat", stdin="My name is Ada.")
    conversation_id = installation.stored()[0]["id"]
    done = installation.run("chat", "--conversation", conversation_id, stdin="What is my name?")

    assert done.returncode == 0
    assert [message["content"] for message in installation.requests()[0]["messages"]] == [
        "My name is Ada.",
        "My name is Ada.",
        "What is my name?",
    ]
    assert len(installation.stored()) == 1


def test_options_reach_the_model_and_the_document(installation: Installation) -> None:
    user, character = str(uuid4()), str(uuid4())
    installation.run(
        *("chat", "--user", user, "--character", character, "--model", "test/loud", "--system", "Be brief."),
        stdin="Hi!",
    )
    request, conversation = installation.requests()[0], installation.stored()[0]

    assert request["model"] == "test/loud"
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (conversation["user_id"], conversation["character_id"]) == (user, character)
    assert [role for role, _ in said(conversation)] == ["user", "assistant"]


def test_text_of_any_kind_is_said_as_it_is(installation: Installation) -> None:
    text = "  你好 🌸\n\n\tline\u2028two  "
    installation.run("chat", stdin=text)

    assert said(*installation.stored())[0] == ("user", text)


def test_a_terminal_that_lacks_a_character_gets_the_rest(installation: Installation) -> None:
    installation.script(["Grüße 🌸 an alle"])
    done = installation.execute("chat", stdin="Hi!", PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stdout) == (0, "Gr??e ? an alle\n")


def test_escape_sequences_of_the_model_are_not_shown(installation: Installation) -> None:
    installation.script(["safe\x1b", "[2J\x1b]0;ti", "tle\x07 and \x9b31msound"])
    done = installation.run("chat", stdin="Hi!")

    assert done.stdout == "safe and sound\n"
    assert "\x1b[2J" in said(*installation.stored())[1][1]


@pytest.mark.parametrize(
    ("given", "told"),
    [(b"", "empty"), (b" \n", "empty"), (b"caf\xe9", "not UTF-8 text: unexpected end of data at byte 3")],
)
def test_what_cannot_be_said_is_refused(installation: Installation, given: bytes, told: str) -> None:
    done = installation.run("chat", stdin=given)

    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert not installation.stored()


def test_a_failed_reply_is_told_and_the_message_kept(installation: Installation) -> None:
    installation.script(["<wrong key>"])
    done = installation.run("chat", stdin="Hi!")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "No reply: the provider refuses the key"
    assert said(*installation.stored())[0] == ("user", "Hi!")


def test_a_reply_that_breaks_off_is_shown_and_told(installation: Installation) -> None:
    installation.script(["Once upon ", "<cut>"])
    done = installation.run("chat", stdin="Hi!")

    assert (done.returncode, done.stdout) == (1, "Once upon \n")
    assert done.stderr.startswith("The reply was cut short: the reply ended half-way (what was said is kept)\n")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (["Once ", "<too long>"], "The reply ends here because it reached its greatest length."),
        ([], "The reply has no text."),
    ],
)
def test_a_reply_that_ends_oddly_is_remarked_on(installation: Installation, script: list[str], told: str) -> None:
    installation.script(script)
    done = installation.run("chat", stdin="Hi!")

    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == told


def test_an_unknown_conversation_is_not_begun(installation: Installation) -> None:
    conversation_id = str(uuid4())
    done = installation.run("chat", "--conversation", conversation_id, stdin="Hi!")

    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: no conversation {conversation_id} in storage folder")
    assert not installation.stored()


def test_a_conversation_of_another_user_is_refused(installation: Installation) -> None:
    installation.run("chat", "--user", str(uuid4()), stdin="Hi!")
    conversation_id = installation.stored()[0]["id"]
    done = installation.run("chat", "--conversation", conversation_id, "--user", str(uuid4()), stdin="Me too!")

    assert done.returncode == 1
    assert "user_id" in done.stderr
    assert len(said(*installation.stored())) == 2


def test_a_message_that_cannot_be_stored_is_not_sent(installation: Installation) -> None:
    installation.run("chat", stdin="Hi!")
    conversation_id = installation.stored()[0]["id"]
    done = installation.run(
        "chat", "--conversation", conversation_id, stdin="And now?", IDOL_TEST_STORAGE_FAULT="write"
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: the disk is full; make room in the folder 'stored'\n"
    assert installation.requests() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_it_keeps_what_was_said(installation: Installation, number: signal.Signals) -> None:
    with talking(installation, "Once ", "upon ", "a time") as process:
        process.send_signal(number)
        _, told = process.communicate()
    reply = installation.stored()[0]["messages"][1]

    assert process.returncode == 130
    assert (reply["content"], reply["finish_reason"]) == ("Once upon a time", "cancelled")
    assert "Traceback" not in told


def test_a_reader_who_leaves_stops_the_reply(installation: Installation) -> None:
    installation.script(["Once ", *["upon "] * 50_000, "<wait for ever>"])
    with installation.start("chat") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("Tell me a story.")
        process.stdin.close()
        assert process.stdout.read(5) == "Once "
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read()

    assert process.returncode == 1
    assert "Traceback" not in told
    assert installation.stored()[0]["messages"][1]["finish_reason"] == "cancelled"


@pytest.mark.parametrize("by", ["mika", "id"])
def test_a_character_speaks_first_and_only_the_reply_is_printed(installation: Installation, by: str) -> None:
    installation.script(["Nice ", "to meet you."])
    character = str(uuid4()) if by == "id" else by
    done = installation.run("chat", "--character", character, stdin="I am Ada.")
    (stored,) = installation.stored()

    assert (done.returncode, done.stdout) == (0, "Nice to meet you.\n")
    greetings = [("assistant", "Hi! I am Mika."), ("assistant", "You again?")] if by == "mika" else []
    assert said(stored) == [*greetings, ("user", "I am Ada."), ("assistant", "Nice to meet you.")]
    sent = [message["content"] for message in installation.requests()[0]["messages"]]
    assert sent == [text for _, text in [*greetings[:1], ("user", "I am Ada.")]]


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["--character", "miku"], 1, "no character 'miku'"),
        (["--character", "mika", "--conversation", str(uuid4())], 2, "leave it out"),
    ],
)
def test_a_character_who_cannot_be_talked_to_is_named(
    installation: Installation, arguments: list[str], status: int, problem: str
) -> None:
    done = installation.run("chat", *arguments, stdin="Hi!")

    assert (done.returncode, installation.stored()) == (status, [])
    assert problem in done.stderr
