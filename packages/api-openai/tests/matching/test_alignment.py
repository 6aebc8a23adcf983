"""Where a history ends that is sent again."""

from typing import Any

import pytest

from idolchat_api_openai.matching.alignment import Alignment, align
from idolchat_api_openai.matching.tree import ROOT, Tree
from idolchat_api_openai.requests.said import History, Said
from idolchat_core import Conversation, Message, new_id, utc_now

A, B, C = (f"Reply {name}: the forest hums softly as she smiles." for name in ("A", "B", "C"))


def tree(*rows: tuple[str, Any, int | None]) -> Tree:
    """Make a tree of rows: role, content, and the position of what it follows (None: the row before)."""
    now, stored = utc_now(), list[Message]()
    for role, content, parent in rows:
        follows = {} if parent is None else {"parent_id": stored[parent].id if parent >= 0 else None}
        fields = {"id": new_id(), "role": role, "content": content, "timestamp": now, **follows}
        stored.append(Message.model_validate(fields))
    made = Tree(Conversation(id=new_id(), created_at=now, updated_at=now))
    made.add(stored)
    return made


def without(line: Tree, *places: int) -> Tree:
    """Make a tree where messages were deleted."""
    now = utc_now()
    made = Tree(Conversation(id=new_id(), created_at=now, updated_at=now))
    made.add(
        Message(id=node.id, role=node.role, timestamp=now, content=None, deleted_at=now)
        if node.position in places
        else Message(id=node.id, role=node.role, timestamp=now, content=node.text)
        for node in line.nodes
    )
    return made


def said(*rows: tuple[str, Any]) -> list[Said]:
    return list(History.of([{"role": role, "content": content} for role, content in rows]).said)


LINE = tree(("user", "Hi", None), ("assistant", A, None), ("user", "And?", None), ("assistant", B, None))


SENT = [("user", "Hi"), ("assistant", A), ("user", "And?"), ("assistant", B), ("user", "So?"), ("assistant", C)]


@pytest.mark.parametrize("places", [(0,), (1,), (2,), (3,), (4,), (0, 1), (2, 3), (1, 2, 3), (3, 4)])
def test_what_was_deleted_and_is_sent_again_before_what_is_known_is_not_new(places: tuple[int, ...]) -> None:
    whole = tree(*((role, content, None) for role, content in SENT))
    found = align(without(whole, *places), said(*SENT, ("user", "New")))

    assert (found.position, found.count) == (5, 6)


@pytest.mark.parametrize(
    ("places", "sent", "position", "count"),
    [
        ((3,), [*SENT[:3], ("user", "New")], 2, 3),
        ((3, 4, 5), [*SENT[:3], ("user", "New")], 2, 3),
        ((3,), [*SENT[:3], ("assistant", "Something else, written by hand"), ("user", "New")], 2, 3),
        ((2, 3), [*SENT[:2], ("user", "Another"), ("user", "New")], 1, 2),
        ((5,), [*SENT, ("user", "New")], 4, 5),
    ],
)
def test_what_stands_where_a_message_was_deleted_is_new_unless_what_follows_is_known(
    places: tuple[int, ...], sent: list[tuple[str, Any]], position: int, count: int
) -> None:
    whole = tree(*((role, content, None) for role, content in SENT))
    found = align(without(whole, *places), said(*sent))

    assert (found.position, found.count) == (position, count)


@pytest.mark.parametrize(
    ("sent", "position", "count"),
    [
        ([("user", "Hi")], 0, 1),
        ([("user", "Hi"), ("assistant", A), ("user", "And?"), ("assistant", B), ("user", "New")], 3, 4),
        ([("user", " Hi\n"), ("assistant", f"{A}  "), ("user", "And?")], 2, 3),
        ([("user", "Ren: Hi"), ("assistant", A), ("user", "Ren: And?")], 2, 3),
        ([("user", "Hi"), ("assistant", f"<think>hm</think>{A}"), ("user", "And?")], 2, 3),
        ([("user", [{"type": "text", "text": "Hi"}]), ("assistant", A), ("user", "New")], 1, 2),
        ([("user", "Hi"), ("assistant", A[:20]), ("user", "And?")], 2, 3),
        ([("user", "Hi"), ("assistant", A[:20])], 0, 1),
        ([("user", "Hi"), ("assistant", A[:3]), ("user", "And?")], 0, 1),
        ([("user", "Ho"), ("assistant", A), ("user", "And?")], ROOT, 0),
        ([("user", "And?"), ("assistant", B), ("user", "New")], 3, 2),
        ([("assistant", A), ("user", "And?"), ("assistant", B), ("user", "New")], 3, 3),
        ([("user", "Ren: And?"), ("assistant", B), ("user", "New")], 3, 2),
        ([("user", "What?"), ("assistant", B), ("user", "New")], 1, 0),
        ([("user", "Nothing known")], ROOT, 0),
        ([("user", "More"), ("user", "Hi"), ("assistant", A), ("user", "And?")], 2, 4),
    ],
)
def test_what_is_known_is_found(sent: list[tuple[str, Any]], position: int, count: int) -> None:
    found = align(LINE, said(*sent))

    assert (found.position, found.count) == (position, count)


def test_of_equal_siblings_the_one_that_goes_on_is_taken() -> None:
    made = tree(
        ("user", "Hi", None), ("assistant", A, None), ("user", "X", None), ("assistant", A, 0), ("user", "Y", 3)
    )

    assert align(made, said(("user", "Hi"), ("assistant", A), ("user", "X"))) == Alignment(2, 3)
    assert align(made, said(("user", "Hi"), ("assistant", A), ("user", "Y"))) == Alignment(4, 3)


def test_a_turn_that_failed_is_looked_past() -> None:
    made = tree(("user", "Hi", None), ("assistant", "", None), ("user", "Again", None), ("assistant", A, None))

    assert align(made, said(("user", "Hi"), ("user", "Again"), ("assistant", A), ("user", "New"))) == Alignment(3, 3)


def test_replies_that_were_glued_or_cut_in_two_are_known() -> None:
    apart = tree(("user", "Hi", None), ("assistant", A, None), ("assistant", B, None))
    together = tree(("user", "Hi", None), ("assistant", A, None), ("assistant", A + B, 0))

    assert align(apart, said(("user", "Hi"), ("assistant", f"{A} {B}"), ("user", "New"))) == Alignment(2, 2)
    assert align(together, said(("user", "Hi"), ("assistant", A), ("assistant", B), ("user", "New"))) == Alignment(2, 3)


def test_calls_and_their_results_are_told_apart() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    other = {**call, "id": "c2"}
    now = utc_now()
    stored: list[dict[str, Any]] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "rain", "tool_call_id": "c1"},
    ]
    made = Tree(Conversation(id=new_id(), created_at=now, updated_at=now))
    made.add([Message.model_validate({"id": new_id(), "timestamp": now, **fields}) for fields in stored])

    assert align(made, History.of(stored).said) == Alignment(2, 3)
    changed = [stored[0], {**stored[1], "tool_calls": [other]}, {**stored[2], "tool_call_id": "c2"}]
    assert align(made, History.of(changed).said) == Alignment(0, 1)
