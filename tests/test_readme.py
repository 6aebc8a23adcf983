"""The README's first screen does what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.mock_openrouter.fixture import Mock
from tests.support.server import Server
from tests.support.storages import STORAGE_OF_TESTS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def shell(server: Server) -> dict[str, str]:
    """Return what a shell has in the server's folder.

    Where `idol` does not find the server by its data folder, it answers itself, and needs what the server has.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    is_found = STORAGE_OF_TESTS.name == "local"
    return {**({} if is_found else server.full_environment()), "PATH": path, "HOME": str(server.folder)}


def test_the_three_requests_work(server: Server) -> None:
    first_screen = README.read_text().split("\n## ")[0]
    (script,) = re.findall(r"```sh\n(id=.*?)```", first_screen, re.DOTALL)
    script = script.replace("http://127.0.0.1:8000", server.url).replace("\ncurl", "\necho; echo ====; curl -sS")
    done = subprocess.run(["sh", "-e", "-c", script], check=True, capture_output=True, text=True, timeout=60)
    chat, stream, document = (part.strip() for part in done.stdout.split("====")[1:])

    assert json.loads(chat)["choices"][0]["message"]["content"]
    assert stream.endswith("data: [DONE]")
    assert [message["role"] for message in json.loads(document)["messages"]] == ["user", "assistant"] * 2


def test_the_first_tutorial_works_word_for_word(server: Server) -> None:
    page = (ROOT / "docs/tutorials/first-talk.md").read_text()
    script = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).replace("http://127.0.0.1:8000", server.url)
    done = subprocess.run(
        ["sh", "-e", "-c", f"{script}\necho; echo ====; curl -sS {server.url}/conversation/$id"],
        cwd=server.folder, env=shell(server), check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    messages = json.loads(done.stdout.split("====")[1])["messages"]

    assert [message["role"] for message in messages] == ["user", "assistant"] * 3
    assert [message["content"] for message in messages[::2]] == [
        "Hello! My name is Anna.", "Sing me a song.", "What is my name?",
    ]  # fmt: skip


def test_the_tutorial_of_a_character_works_word_for_word(server: Server, mock_openrouter: Mock) -> None:
    """Its commands leave a character who greets by name, and whose lore is in the prompt."""
    page = (ROOT / "docs/tutorials/first-character.md").read_text()
    script = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).replace("http://127.0.0.1:8000", server.url)
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=server.folder, env=shell(server), check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    prompt = [message["content"] for message in mock_openrouter.bodies()[-1]["messages"]]
    edited = json.loads((server.folder / "mika-edited.json").read_text())["data"]

    assert "Lumi" in done.stdout
    assert "You must be Anna. Hold this." in done.stdout
    assert "Mind the cable, Anna." in done.stdout
    assert "Tanaka" in done.stdout
    assert {"Anna plays the bass, and is always early.", "Akari Hall holds 400. Its left speaker hums in B flat."} <= {
        *prompt
    }
    assert (edited["nickname"], edited["tags"]) == ("Mi", ["technician"])


def test_the_example_of_core_runs() -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "packages/core/README.md").read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)

    assert "TurnStarted" in done.stdout
    assert "TurnEnded" in done.stdout
