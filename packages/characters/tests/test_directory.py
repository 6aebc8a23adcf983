"""The directory is right when it passes the kit, and gives what a card says."""

from uuid import UUID, uuid4

import pytest
from pydantic import JsonValue

from idolchat_characters import Character
from idolchat_characters.directory import StoredCharacters
from idolchat_characters.library import CharacterLibrary, Viewer, library_of
from idolchat_characters.sampling import Sampling
from idolchat_core import CharacterDirectory, Conversation
from idolchat_core.testing import CharacterDirectoryConformance, InMemoryStorage

OPERATOR = Viewer(is_bound=False, is_operator=True)
MIKA = Character(
    name="Mika",
    creator_notes="Sings.\n\nAll day.",
    visibility="public",
    first_mes="Hi, {{user}}! I am {{char}}.",
    alternate_greetings=("", "{{// nothing is left of this one}}", "You again?"),
    model="idol/large",
    sampling=Sampling(temperature=0.7, stop=("\n\n",)),
)


@pytest.fixture
def characters() -> InMemoryStorage:
    return InMemoryStorage()


@pytest.fixture
def library(characters: InMemoryStorage) -> CharacterLibrary:
    return library_of(characters)


class TestStoredCharacters(CharacterDirectoryConformance):
    """The kit asks for characters that everybody may use, and a private one."""

    @pytest.fixture
    async def directory(self, library: CharacterLibrary, characters: InMemoryStorage) -> CharacterDirectory:
        for character in (MIKA, Character(name="Aoi", visibility="public"), Character(name="Draft")):
            await library.create(character, OPERATOR)
        return StoredCharacters(characters)

    @pytest.fixture
    async def private(self, library: CharacterLibrary) -> tuple[UUID, UUID]:
        owner_id = uuid4()
        hers = await library.create(Character(name="Yui", first_mes="Just us."), Viewer(user_id=owner_id))
        return hers.id, owner_id

    async def test_an_entry_says_what_the_card_says(self, directory: CharacterDirectory) -> None:
        entry = await directory.find("mika", uuid4())

        assert entry is not None
        assert (entry.name, entry.description, entry.avatar) == ("Mika", "Sings. All day.", None)
        assert (entry.model, entry.options) == ("idol/large", {"temperature": 0.7, "stop": ["\n\n"]})

    async def test_openings_have_their_macros_resolved(
        self, directory: CharacterDirectory, conversation: Conversation
    ) -> None:
        entry = await directory.find("mika", None)
        assert entry is not None

        assert await directory.openings(entry, conversation) == ["Hi, User! I am Mika.", "You again?"]

    @pytest.mark.parametrize(("written", "read"), [("0.8", 0.8), (1.5, 1.0), (-1, 0.0), ("often", 0.5), (None, 0.5)])
    async def test_talkativeness_is_what_sillytavern_keeps(
        self, library: CharacterLibrary, directory: CharacterDirectory, written: JsonValue, read: float
    ) -> None:
        made = await library.create(Character(name="Rin", extensions={"talkativeness": written}), OPERATOR)
        entry = await directory.find(made.id, None)

        assert entry is not None
        assert entry.talkativeness == read

    async def test_a_group_is_greeted_in_words_for_groups(
        self, library: CharacterLibrary, directory: CharacterDirectory, conversation: Conversation
    ) -> None:
        rin = Character(name="Rin", visibility="public", first_mes="Hi!", group_only_greetings=("Hi, you two!", ""))
        made = await library.create(rin, OPERATOR)
        entry = await directory.find(made.id, None)
        assert entry is not None
        group = conversation.model_copy(update={"character_ids": (made.id, uuid4())})

        assert await directory.openings(entry, conversation) == ["Hi!"]
        assert await directory.openings(entry, group) == ["Hi, you two!"]
