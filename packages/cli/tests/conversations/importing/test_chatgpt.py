"""Conversations of ChatGPT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from parts.imports import EXPORTS, imports_of, imports_of_json, said, shown

HIDDEN = {"is_visually_hidden_from_conversation": True}


def a_node(role: str, *parts: Any, parent: str | None = None, kind: str = "text", **message: Any) -> dict[str, Any]:
    """Make a node of the tree, which names its parent."""
    content = {"author": {"role": role}, "content": {"content_type": kind, "parts": list(parts)}, "create_time": 1.7e9}
    return {"parent": parent, "message": {**content, **message}}


def a_conversation(current: str | None = None, **nodes: dict[str, Any]) -> dict[str, Any]:
    """Make a conversation."""
    return {
        "id": "c-1",
        "title": "T",
        "create_time": 1.7e9,
        "update_time": 1.7e9,
        "current_node": current,
        "mapping": nodes,
    }


def test_nodes_that_name_their_parents_alone_are_a_tree() -> None:
    found = imports_of(EXPORTS / "chatgpt-without-children.json")

    assert said(found.conversations[0]) == [("user", "hello"), ("assistant", "hi"), ("user", "bye")]
    assert found.lost == []


def test_nodes_that_name_their_children_alone_are_a_tree(tmp_path: Path) -> None:
    first, second = a_node("user", "a"), a_node("assistant", "b")
    del first["parent"], second["parent"]
    first["children"] = ["two"]
    found = imports_of_json(tmp_path, a_conversation(two=second, one=first))

    assert said(found.conversations[0]) == [("user", "a"), ("assistant", "b")]


def test_hidden_nodes_are_left_out_and_what_follows_them_is_not() -> None:
    found = imports_of(EXPORTS / "chatgpt-hidden.json")

    assert said(found.conversations[0]) == [("user", "hello"), ("assistant", "hi")]
    assert (found.lost, sum(found.left_out.values())) == ([], 1)


@pytest.mark.parametrize(
    ("node", "reasons"),
    [
        (a_node("user", "x", metadata=HIDDEN), ["message that ChatGPT hides, such as custom instructions"]),
        (a_node("user", kind="user_editable_context"), ["message that ChatGPT hides, such as custom instructions"]),
        (a_node("system", "You are"), ["message of system"]),
        (a_node("system", ""), []),
        (a_node("tool", "3", kind="execution_output"), ["message of tool"]),
        (a_node("assistant", "f(1)", kind="code", recipient="python"), ["tool call or its result"]),
        ({"parent": None, "message": None}, []),
        ({"parent": None, "message": {"author": None, "content": None}}, []),
    ],
)
def test_what_nobody_wrote_is_counted_by_its_kind(tmp_path: Path, node: dict[str, Any], reasons: list[str]) -> None:
    found = imports_of_json(tmp_path, a_conversation(a=node, b=a_node("user", "hello", parent="a")))

    assert said(found.conversations[0]) == [("user", "hello")]
    assert (found.lost, list(found.left_out)) == ([], reasons)


def test_what_the_model_thought_comes_with_its_reply(tmp_path: Path) -> None:
    thoughts = a_node("assistant", parent="a", kind="thoughts")
    thoughts["message"]["content"]["thoughts"] = [{"summary": "S", "content": "hm"}, {"content": "so"}]
    recap = a_node("assistant", parent="b", kind="reasoning_recap")
    found = imports_of_json(
        tmp_path, a_conversation(a=a_node("user", "q"), b=thoughts, c=recap, d=a_node("assistant", "r", parent="c"))
    )
    reply = found.conversations[0].messages[1]

    assert (reply.content, (reply.model_extra or {})["reasoning"]) == ("r", "hm\nso")
    assert found.left_out == {}


def test_a_picture_alone_is_still_a_message(tmp_path: Path) -> None:
    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    attached = {"attachments": [{"name": "me.png", "mimeType": "image/png"}]}
    node = a_node("user", image, "", kind="multimodal_text", metadata=attached)
    found = imports_of_json(tmp_path, a_conversation(a=node, b=a_node("assistant", "nice", parent="a")))

    assert said(found.conversations[0]) == [("user", "[image: me.png]"), ("assistant", "nice")]
    assert (found.lost, sum(found.left_out.values())) == ([], 1)


def test_what_was_spoken_is_read(tmp_path: Path) -> None:
    spoken = {"content_type": "audio_transcription", "text": "hello there", "direction": "in"}
    sound = {"content_type": "real_time_user_audio_video_asset_pointer"}
    found = imports_of_json(tmp_path, a_conversation(a=a_node("user", spoken, sound, kind="multimodal_text")))

    assert said(found.conversations[0]) == [("user", "hello there")]


def test_words_of_a_user_in_an_unknown_form_are_lost_and_a_models_are_not(tmp_path: Path) -> None:
    theirs = a_node("assistant", parent="a", kind="poem")
    found = imports_of_json(tmp_path, a_conversation(a=a_node("user", "q"), b=theirs, c=a_node("user", kind="poem")))

    assert found.lost == ["chat.json, c: content of the kind poem"]
    assert found.left_out == {"content of the kind poem": 1}


def test_the_active_branch_is_the_one_that_was_shown(tmp_path: Path) -> None:
    nodes = {
        "a": a_node("user", "q"),
        "b": a_node("assistant", "old", parent="a"),
        "c": a_node("assistant", "new", parent="a", create_time=1.7e9 + 60),
    }
    (conversation,) = imports_of_json(tmp_path, a_conversation("b", **nodes)).conversations

    assert [text for _, text in said(conversation)] == ["q", "old", "new"]
    assert shown(conversation) == [("user", "q"), ("assistant", "old")]


@pytest.mark.parametrize("mapping", [{"a": None}, {"a": 5, "b": []}, {"a": a_node("user", "q"), "b": "x"}])
def test_a_node_that_is_none_costs_no_other(tmp_path: Path, mapping: dict[str, Any]) -> None:
    found = imports_of_json(tmp_path, a_conversation(**mapping))

    assert found.lost == []
    assert len(found.conversations) + found.left_out["conversation without messages"] == 1


def test_a_conversation_without_id_gets_one_that_stays(tmp_path: Path) -> None:
    bare = {name: value for name, value in a_conversation(a=a_node("user", "q")).items() if name != "id"}
    first, again = (imports_of_json(tmp_path, [bare]).conversations[0].id for _ in range(2))

    assert first == again
