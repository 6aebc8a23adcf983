"""The tutorials of plugins end with kits that pass and servers that answer."""

import json
import re

from tests.newcomer.checkout import Checkout


def passed(said: str) -> int:
    """Read how many tests passed, where none failed."""
    [(count, rest)] = re.findall(r"^(\d+) passed(.*)$", said, re.MULTILINE)
    assert "failed" not in rest
    return int(count)


def replied(said: str) -> str:
    """Read the reply of a chat completion among the lines that were printed."""
    [line] = [line for line in said.splitlines() if line.startswith('{"id"')]
    return str(json.loads(line[: line.rindex("}") + 1])["choices"][0]["message"]["content"])


def test_a_storage_plugin_passes_the_kit_and_serves(checkout: Checkout, served: str) -> None:
    followed = checkout.follow("docs/tutorials/storage-plugin.md")
    checkout.times["A storage plugin"] = followed.after_s[-1]
    *_, listed, kit, served_on_it = followed.printed
    shelf = checkout.home / "idolchat-storage-shelf" / "data" / "shelf" / "conversations"
    (kept,) = shelf.glob("*.json")

    assert "storage-shelf" in listed
    assert passed(kit) > 50
    assert kept.name in served_on_it
    messages = json.loads(kept.read_text())["messages"]
    assert [message["content"] for message in messages] == ["Are you on the shelf?", replied(served_on_it)]


def test_a_provider_plugin_passes_the_kit_and_answers(checkout: Checkout, served: str) -> None:
    followed = checkout.follow("docs/tutorials/provider-plugin.md")
    checkout.times["A provider plugin"] = followed.after_s[-1]
    *_, listed, kit, served_on_it = followed.printed

    assert "llm-parrot" in listed
    assert passed(kit) > 8
    assert replied(served_on_it) == "Polly wants a cracker."
    assert "Who is a clever bird?" in served_on_it
