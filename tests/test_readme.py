"""The README's first screen does what it says."""

import json
import re
import subprocess
from pathlib import Path

from tests.support.server import Server

README = Path(__file__).parents[1] / "README.md"


def test_the_three_requests_work(server: Server) -> None:
    first_screen = README.read_text().split("\n## ")[0]
    (script,) = re.findall(r"```sh\n(id=.*?)```", first_screen, re.DOTALL)
    script = script.replace("http://127.0.0.1:8000", server.url).replace("\ncurl", "\necho; echo ====; curl -sS")
    done = subprocess.run(["sh", "-e", "-c", script], check=True, capture_output=True, text=True, timeout=60)
    chat, stream, document = (part.strip() for part in done.stdout.split("====")[1:])

    assert json.loads(chat)["choices"][0]["message"]["content"]
    assert stream.endswith("data: [DONE]")
    assert [message["role"] for message in json.loads(document)["messages"]] == ["user", "assistant"] * 2
