from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from idolchat_characters.lore import BranchState, Dialect, Position, Reason, place, read_book

if TYPE_CHECKING:
    from lore.conftest import MakeBook, MakeScene


@pytest.mark.parametrize(
    ("decorators", "more", "activates"),
    [
        ("@@activate", {"texts": ["nothing"]}, True),
        ("@@dont_activate", {}, False),
        ("@@activate_only_after 2", {"state": BranchState(messages=3, replies=1)}, False),
        ("@@activate_only_after 2", {"state": BranchState(messages=4, replies=2)}, True),
        ("@@activate_only_every 3", {"state": BranchState(messages=9, replies=4)}, False),
        ("@@activate_only_every 3", {"state": BranchState(messages=9, replies=3)}, True),
        ("@@is_greeting 1", {"greeting": 0}, False),
        ("@@is_greeting 1", {"greeting": 1}, True),
        ("@@scan_depth 1", {"texts": ["a dragon", "nothing"]}, False),
        ("@@scan_depth 2", {"texts": ["a dragon", "nothing"]}, True),
        ("@@additional_keys cave, hill", {}, False),
        ("@@additional_keys cave, hill", {"texts": ["a dragon on a hill"]}, True),
        ("@@exclude_keys egg", {"texts": ["a dragon egg"]}, False),
        ("@@exclude_keys egg", {}, True),
        ("@@keep_activate_after_match", {"texts": ["no"], "state": BranchState(matched=frozenset({"book.0"}))}, True),
        ("@@dont_activate_after_match", {"state": BranchState(matched=frozenset({"book.0"}))}, False),
        ("@@unheard_of 3\n@@@dont_activate", {}, False),
        ("@@depth many\n@@@also_unknown\n@@@dont_activate", {}, False),
        ("@@activate\n@@dont_activate", {"texts": ["nothing"]}, True),
        ("@@activate\n@@@dont_activate", {"texts": ["nothing"]}, True),
        ("@@is_user_icon castle", {}, True),
    ],
)
def test_a_decorator_decides(
    scene: MakeScene, v3: MakeBook, decorators: str, more: dict[str, Any], activates: bool
) -> None:
    texts = more.pop("texts", ["a dragon"])
    result = scene(v3({"content": f"{decorators}\nLore."})).scan(*texts, **more)

    assert [activation.content for activation in result.activations] == (["Lore."] if activates else [])


@pytest.mark.parametrize(
    ("decorators", "position", "depth", "role"),
    [
        ("@@depth 3\n@@role assistant", Position.AT_DEPTH, 3, "assistant"),
        ("@@reverse_depth 2", Position.FROM_START, 2, "system"),
        ("@@depth 3\n@@position scenario", Position.SCENARIO, 3, "system"),
        ("@@position after_desc", Position.AFTER_DESCRIPTION, 4, "system"),
        ("@@depth 3\n@@depth 5", Position.AT_DEPTH, 3, "system"),
        ("@@role nobody", Position.AFTER_CHARACTER, 4, "system"),
    ],
)
def test_a_decorator_says_where_an_entry_goes(
    v3: MakeBook, decorators: str, position: Position, depth: int, role: str
) -> None:
    (entry,) = read_book(v3({"content": f"{decorators}\nx", "position": "after_char"}), book_id="b").entries

    assert (entry.position, entry.depth, entry.role) == (position, depth, role)


def test_an_unknown_decorator_is_reported_and_kept(v3: MakeBook) -> None:
    raw = v3({"content": "@@sing 3\nx"})
    book = read_book(raw, book_id="b")

    assert [(problem.code, problem.entry) for problem in book.problems] == [("decorator_unknown", "0")]
    assert book.to_json() == raw


def test_an_entry_kept_after_a_match_stays_for_the_branch(scene: MakeScene, v3: MakeBook) -> None:
    book = scene(v3({"content": "@@keep_activate_after_match\nx"}))
    state = book.scan("a dragon").state

    assert book.uids("nothing", state=state) == ["0"]


def test_entries_of_low_priority_leave_first_when_the_book_is_over_its_budget(scene: MakeScene, v3: MakeBook) -> None:
    book = scene(v3({"priority": 3}, {"priority": 1}, {"priority": 2}, token_budget=2))

    assert sorted(book.uids("a dragon")) == ["0", "2"]
    assert book.explain("a dragon")["1"].reason is Reason.PRIORITY


def test_an_entry_that_ignores_itself_on_max_context_leaves_before_all(scene: MakeScene, v3: MakeBook) -> None:
    book = scene(v3({"priority": 9, "content": "@@ignore_on_max_context\nE0"}, {"priority": 1}, token_budget=1))

    assert book.uids("a dragon") == ["1"]


def test_entries_without_priority_leave_by_their_order(scene: MakeScene, v3: MakeBook) -> None:
    assert scene(v3({"insertion_order": 5}, {"insertion_order": 2}, token_budget=1)).uids("a dragon") == ["0"]


@pytest.mark.parametrize(("recursive", "uids"), [(True, ["0", "1"]), (False, ["0"])])
def test_the_book_says_whether_contents_set_off_others(
    scene: MakeScene, v3: MakeBook, recursive: bool, uids: list[str]
) -> None:
    raw = v3({"content": "a castle"}, {"keys": ["castle"]}, recursive_scanning=recursive)

    assert scene(raw, recursive=not recursive).uids("a dragon") == uids


def test_the_book_says_how_many_messages_are_looked_at(scene: MakeScene, v3: MakeBook) -> None:
    assert scene(v3({}, scan_depth=3)).uids("a dragon", "1", "2") == ["0"]
    assert scene(v3({}, scan_depth=1)).uids("a dragon", "1") == []


def test_recursion_reaches_an_entry_that_looks_at_no_message(scene: MakeScene, v3: MakeBook) -> None:
    raw = v3({"content": "a castle"}, {"keys": ["castle"], "content": "@@scan_depth 0\nx"}, recursive_scanning=True)

    assert scene(raw).uids("a dragon in a castle") == ["0", "1"]


@pytest.mark.parametrize(
    ("entry", "text", "activates"),
    [
        ({}, "dragonfly", True),
        ({"keys": ["/dragon/"]}, "a dragon", False),
        ({"keys": ["/DRAGON/i"], "use_regex": True}, "a dragon", True),
        ({"keys": ["drag[oa]n"], "use_regex": True}, "a dragan", True),
        ({"keys": ["drag("], "use_regex": True}, "drag(", False),
        ({"case_sensitive": True}, "A DRAGON", False),
        ({"selective": True, "secondary_keys": ["cave"]}, "a dragon", False),
        ({"selective": True, "secondary_keys": "hill, cave"}, "a dragon cave", True),
        ({"selective": False, "secondary_keys": ["cave"]}, "a dragon", True),
        ({"selective": True, "secondary_keys": ["cave"], "use_regex": True}, "a dragon", True),
        ({"constant": True, "use_regex": True}, "nothing", True),
        ({"enabled": False, "constant": True}, "a dragon", False),
    ],
)
def test_a_key_of_a_v3_book_matches_as_specified(
    scene: MakeScene, v3: MakeBook, entry: dict[str, Any], text: str, activates: bool
) -> None:
    assert bool(scene(v3(entry)).uids(text)) is activates


def test_a_v3_book_is_laid_out_by_ascending_order(scene: MakeScene, v3: MakeBook) -> None:
    raw = v3({"insertion_order": 7, "position": "before_char"}, {"insertion_order": 3, "position": "before_char"})

    assert place(scene(raw).scan("a dragon").activations).text(Position.BEFORE_CHARACTER) == "E1\nE0"


def test_an_active_entry_may_switch_a_prompt_off(scene: MakeScene, v3: MakeBook) -> None:
    book = scene(v3({"content": "@@disable_ui_prompt system_prompt\nx"}))

    assert book.scan("a dragon").disabled_prompts == {"system_prompt"}
    assert book.scan("nothing").disabled_prompts == frozenset()


def test_sillytavern_knows_none_of_it(scene: MakeScene, v3: MakeBook) -> None:
    raw = v3({"content": "@@depth 3\nx", "case_sensitive": True, "priority": 1}, token_budget=0, scan_depth=0)
    book = scene(raw, dialect=Dialect.SILLYTAVERN)
    (activation,) = book.scan("A DRAGON").activations

    assert (activation.content, activation.entry.position) == ("x", Position.AFTER_CHARACTER)


def test_a_hidden_key_is_shown_to_recursion_alone(scene: MakeScene, v3: MakeBook) -> None:
    raw = v3({"content": "x{{hidden_key:castle}}"}, {"keys": ["castle"]}, recursive_scanning=True)
    result = scene(raw).scan("a dragon", substitute=lambda text: text.replace("{{hidden_key:castle}}", ""))

    assert [activation.content for activation in result.activations] == ["x", "E1"]
