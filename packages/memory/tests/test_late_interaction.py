"""Late interaction, with the model as it is installed."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_core import ConfigurationError, MemoryIndex, MemoryMessage, MemoryScope
from idolchat_memory.recall import Recall, RecallQuery
from idolchat_memory.semantic import LateInteraction, encode_waiting
from idolchat_memory.semantic.model import load_model
from idolchat_memory.sqlite import open_sqlite_index

SCOPE, TALK = MemoryScope(user_id="mia", character_id="yui"), UUID(int=1)
NOW = datetime(2026, 11, 29, tzinfo=UTC)
TEXTS = [
    "I finally quit smoking, it was so hard",
    "The weather is nice today and I have time",
    "My hard disk is full of photos",
    "We watched the stars all night",
]


@pytest.fixture(scope="module")
def late_interaction() -> LateInteraction:
    return LateInteraction.load()


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[MemoryIndex]:
    messages = [
        MemoryMessage(str(number), number, "user", "", NOW - timedelta(days=100 - number), text)
        for number, text in enumerate(TEXTS)
    ]
    async with open_sqlite_index(tmp_path / "index.sqlite") as index:
        await index.replace(SCOPE, TALK, messages, revision="1")
        yield index


async def test_every_message_is_encoded_once(index: MemoryIndex, late_interaction: LateInteraction) -> None:
    assert await encode_waiting(index, late_interaction, limit=3) == 3
    assert await encode_waiting(index, late_interaction) == 1
    assert await encode_waiting(index, late_interaction) == 0
    assert (await index.stats()).encoded_messages == len(TEXTS)


async def test_meaning_goes_before_words(index: MemoryIndex, late_interaction: LateInteraction) -> None:
    query = RecallQuery("Which bad habit was hard to give up, cigarettes?", now=NOW, floor=None)
    await encode_waiting(index, late_interaction)

    result = await Recall(index, reranker=late_interaction).search([SCOPE], query)

    assert result.is_semantic
    assert result.items[0].row.message.text == TEXTS[0]


async def test_without_vectors_the_order_is_the_lexical_one(
    index: MemoryIndex, late_interaction: LateInteraction
) -> None:
    query = RecallQuery("hard disk photos", now=NOW, floor=None)

    results = [
        await recall.search([SCOPE], query) for recall in (Recall(index), Recall(index, reranker=late_interaction))
    ]

    assert results[0].items == results[1].items
    assert not results[1].is_semantic


@pytest.mark.parametrize("text", ["", "…!?", "猫が好き", "the of and"])
def test_a_text_without_meaning_for_the_model_has_no_vectors(late_interaction: LateInteraction, text: str) -> None:
    assert late_interaction.encoder.encode_message(text) == b""


def test_a_message_takes_64_bytes_a_word(late_interaction: LateInteraction) -> None:
    assert len(late_interaction.encoder.encode_message("My dog ate the cake", "What happened?")) == 3 * 64


def test_a_very_long_text_is_cut(late_interaction: LateInteraction) -> None:
    assert len(late_interaction.encoder.encode_message("dog " * 10_000)) == 192 * 64


def test_a_file_that_is_not_the_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"something else")

    with pytest.raises(ConfigurationError, match=r"has sha256 .*, not 8199be6f"):
        load_model(tmp_path / "model.onnx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none.onnx cannot be read"):
        load_model(tmp_path / "none.onnx")


def test_the_model_leaves_nothing_behind_and_reports_nothing(tmp_path: Path) -> None:
    """Its runtime would keep an id of the machine below the home folder, and what it reports until that is sent."""
    code = "from idolchat_memory.semantic import LateInteraction; LateInteraction.load().encoder.encode_message('Hi')"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)

    assert list(tmp_path.rglob("*")) == []
