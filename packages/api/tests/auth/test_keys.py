"""API keys: what they look like, and what is kept of them."""

from hypothesis import given
from hypothesis import strategies as st

from idolchat_api.auth.keys import ApiKey, key_id_of
from idolchat_api.auth.principal import Scope

CHAT = frozenset({Scope.CHAT})


def test_nothing_kept_of_a_key_gives_it_back() -> None:
    key, kept = ApiKey.make(scopes=CHAT)

    secret = key.split("_")[2]
    assert not any(secret[start : start + 5] in kept.model_dump_json() for start in range(len(secret) - 4))


def test_a_key_is_known_by_what_is_kept() -> None:
    (key, kept), (other, _) = ApiKey.make(scopes=CHAT), ApiKey.make(scopes=CHAT)

    assert (kept.is_for(key), kept.is_for(other), key_id_of(key)) == (True, False, kept.id)


@given(place=st.integers(0, 66), letter=st.characters(codec="ascii"))
def test_a_mistyped_key_is_told_without_looking_it_up(place: int, letter: str) -> None:
    key, _ = ApiKey.make(scopes=CHAT)

    mistyped = key[:place] + letter + key[place + 1 :]

    assert len(key) == 67
    assert key_id_of(mistyped) is None or mistyped == key


@given(st.text(max_size=100))
def test_what_is_no_key_names_none(text: str) -> None:
    assert key_id_of(text) is None
