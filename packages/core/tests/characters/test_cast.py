"""Who speaks next among several characters."""

from collections.abc import Sequence
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core import DirectoryEntry
from idolchat_core.characters.cast import Member, NextSpeaker, choose_speaker
from idolchat_core.models import utc_now


def member(name: str, talkativeness: float = 0.5) -> Member:
    entry = DirectoryEntry(id=uuid4(), name=name, created_at=utc_now(), talkativeness=talkativeness)
    return Member(entry.id, entry)


MIKA, RIN, YUI = member("Mika Tanaka"), member("Rin"), member("結衣")
STRANGER = Member("imported", None)
ALL = (MIKA, RIN, YUI, STRANGER)


def chosen(
    how: NextSpeaker, said: str = "", last: Member | None = None, seed: str = "", members: Sequence[Member] = ALL
) -> Member:
    found = choose_speaker(members, how, said=said, last=last.id if last else None, seed=seed)
    return next(one for one in members if one.id == found)


@pytest.mark.parametrize(
    ("last", "following"), [(None, MIKA), (MIKA, RIN), (RIN, YUI), (YUI, STRANGER), (STRANGER, MIKA)]
)
def test_in_turn_each_follows_the_one_before_her(last: Member | None, following: Member) -> None:
    assert chosen(NextSpeaker.IN_TURN, "Rin!", last) is following


@pytest.mark.parametrize("how", [NextSpeaker.MENTION, NextSpeaker.TALKATIVENESS])
@pytest.mark.parametrize(
    ("said", "wanted"),
    [("Rin, sing!", RIN), ("sing, RIN and Mika", RIN), ("Tanaka-san?", MIKA), ("ねえ結衣ちゃん", YUI)],
)
def test_whom_the_user_names_first_answers(how: NextSpeaker, said: str, wanted: Member) -> None:
    assert chosen(how, said, last=wanted) is wanted


@pytest.mark.parametrize("said", ["", "bring the ring", "rin_2", "Mikado"])
def test_a_part_of_a_word_is_no_name(said: str) -> None:
    assert chosen(NextSpeaker.MENTION, said, last=MIKA) is RIN


@given(st.text())
def test_a_lot_is_drawn_by_talkativeness(seed: str) -> None:
    silent, quiet, loud = member("Silent", 0.0), member("Quiet", 0.1), member("Loud", 1.0)
    drawn = chosen(NextSpeaker.TALKATIVENESS, seed=seed, members=(silent, quiet, loud))

    assert drawn is not silent
    assert chosen(NextSpeaker.TALKATIVENESS, seed=seed, members=(silent, quiet, loud)) is drawn
    assert chosen(NextSpeaker.TALKATIVENESS, seed=seed, last=silent, members=(silent, STRANGER)) is STRANGER


def test_a_lot_falls_on_each_by_her_weight() -> None:
    quiet, loud = member("Quiet", 0.25), member("Loud", 0.75)
    drawn = [chosen(NextSpeaker.TALKATIVENESS, seed=str(n), members=(quiet, loud)) for n in range(1000)]

    assert 200 < drawn.count(quiet) < 300


@pytest.mark.parametrize(("stored", "read"), [(None, "mention"), ("in_turn", "in_turn"), ("whoever", "mention")])
def test_a_setting_that_nobody_knows_is_as_none(stored: str | None, read: str) -> None:
    assert NextSpeaker.of(stored) == read
