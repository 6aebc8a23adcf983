from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from idolchat_characters import Character, Sampling, slug_of
from idolchat_characters.slugs import check_slug


def test_a_character_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Character(name="Aoi").name = "Mika"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["", " \n"])
def test_a_character_has_a_name(name: str) -> None:
    with pytest.raises(ValidationError, match="write the character's name"):
        Character(name=name)


def test_a_character_is_the_same_after_she_was_stored() -> None:
    owner = UUID("0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55")
    character = Character(
        name="Aoi", slug="aoi", sampling=Sampling(temperature=0.7), owner_id=owner, visibility="hidden"
    )

    assert Character.model_validate_json(character.model_dump_json()) == character


def test_fields_of_a_later_release_survive() -> None:
    stored = '{"name": "Aoi", "voice": {"id": 7}, "assets": [{"uri": "ccdefault:", "size": 3}]}'

    written = Character.model_validate_json(stored).model_dump(mode="json", exclude_unset=True)

    assert written["voice"] == {"id": 7}
    assert written["assets"] == [{"uri": "ccdefault:", "size": 3}]


@pytest.mark.parametrize("field", ["api_base", "extra_headers", "provider"])
def test_sampling_takes_no_field_that_redirects_a_call(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Sampling.model_validate({field: "x"})


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Mika, the Idol!", "mika-the-idol"),
        ("葵🌸", "葵"),
        ("../../evil", "evil"),
        ("🌸", "character"),
        ("Ａｏｉ", "aoi"),
        ("0197a3e2-5c1f-7c4e-9b1a-2f6d1c0a7e55", "character-0197a3e2"),
        ("a" * 100, "a" * 64),
    ],
)
def test_a_name_makes_a_slug(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text())
def test_every_slug_that_is_made_is_one(name: str) -> None:
    assert check_slug(slug_of(name)) == slug_of(name)


@pytest.mark.parametrize("slug", ["", "Aoi", "a b", "a--b", "-a", "../a", "a/b", "0197a3e25c1f7c4e9b1a2f6d1c0a7e55"])
def test_what_is_no_slug_is_refused(slug: str) -> None:
    with pytest.raises(ValidationError, match="is no slug"):
        Character(name="Aoi", slug=slug)
