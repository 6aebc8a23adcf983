from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idolchat_characters.lore import BranchState, Effect, extend, replay

if TYPE_CHECKING:
    from lore.conftest import MakeBook, MakeScene, Scene

EFFECTS = st.dictionaries(
    st.text(max_size=5), st.builds(Effect, st.text(), st.integers(), st.integers(), st.booleans())
)
STATES = st.builds(
    BranchState,
    messages=st.integers(0),
    replies=st.integers(0),
    sticky=EFFECTS,
    cooldown=EFFECTS,
    matched=st.frozensets(st.text()),
)


@given(STATES)
def test_a_state_is_the_same_after_it_was_written_and_read(state: BranchState) -> None:
    assert BranchState.from_json(json.loads(json.dumps(state.to_json()))) == state


@pytest.mark.parametrize("raw", [{}, {"messages": "x"}, {"messages": 1, "replies": 1, "sticky": [], "cooldown": {}}])
def test_what_is_no_state_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no state of a branch"):
        BranchState.from_json(raw)


def _state_after(scene: Scene, texts: list[str], state: BranchState, count: int) -> BranchState:
    newest = texts[max(count - scene.lore.messages_needed, 0) : count]
    return scene.scan(*newest, state=state).state


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(said=st.lists(st.booleans(), min_size=1, max_size=12), cut=st.integers(0, 12))
def test_a_turn_extends_its_parents_state_to_what_a_replay_gives(
    scene: MakeScene, world: MakeBook, said: list[bool], cut: int
) -> None:
    book = scene(world({"sticky": 3, "cooldown": 2}, {"cooldown": 4, "delay": 3}), scan_depth=1)
    texts = [text for named in said for text in ("a dragon" if named else "nothing", "a reply")]
    roles = ["user", "assistant"] * len(said)
    states = [BranchState()]
    for at, role in enumerate(roles):
        before = _state_after(book, texts, states[-1], at) if role == "assistant" else states[-1]
        states.append(extend(before, role))

    at = min(cut, len(said)) * 2
    assert replay(roles[:at], lambda state, count: _state_after(book, texts, state, count)) == states[at]


def test_a_sticky_entry_stays_for_its_messages_and_then_cools_down(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"sticky": 2, "cooldown": 2}), scan_depth=1)
    state = book.scan("a dragon").state
    seen = []
    for messages in (2, 3, 4, 5):
        result = book.scan("a dragon", state=replace(state, messages=messages))
        state = result.state
        seen.append([activation.reason.value for activation in result.activations])

    assert seen == [["sticky"], [], [], ["key"]]


def test_a_sibling_reply_is_scanned_from_the_same_state(scene: MakeScene, world: MakeBook) -> None:
    book = scene(world({"cooldown": 5}), scan_depth=1)
    parent = BranchState(messages=1)

    assert book.uids("a dragon", state=parent) == book.uids("a dragon", state=parent) == ["0"]


def test_an_edited_entry_is_no_longer_sticky(scene: MakeScene, world: MakeBook) -> None:
    state = scene(world({"sticky": 9, "content": "old"})).scan("a dragon").state
    edited = scene(world({"sticky": 9, "content": "new"}))

    assert edited.uids("nothing", state=replace(state, messages=2)) == []
