"""The example is right when it passes the kit."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from idolchat_cast import Cast, open_cast

from idolchat_core import CharacterDirectory, Conversation, CoreSettings, Services
from idolchat_core.testing import CharacterDirectoryConformance, InMemoryStorage, ScriptedProvider

CAST = {"mika": {"name": "Mika", "says": ["Hi!", "You again?"], "options": {"top_p": 0.9}}, "aoi": {"name": "Aoi"}}


class TestCast(CharacterDirectoryConformance):
    """The kit asks for a directory with two characters."""

    has_private = False

    @pytest.fixture
    async def directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[CharacterDirectory]:
        (tmp_path / "cast.json").write_text(json.dumps(CAST))
        monkeypatch.setenv("CAST_FILE", str(tmp_path / "cast.json"))
        services = Services(storage=InMemoryStorage(), provider=ScriptedProvider(), settings=CoreSettings())
        async with open_cast(services) as directory:
            yield directory

    async def test_she_says_what_the_file_has(self, directory: Cast, conversation: Conversation) -> None:
        mika = await directory.find("mika", None)
        assert mika is not None

        assert await directory.openings(mika, conversation) == ["Hi!", "You again?"]
