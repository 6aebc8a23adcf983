from typing import Any

import pytest

from idolchat_llm_openrouter.delta_fields import Malformed
from idolchat_llm_openrouter.tool_calls import MAX_CALLS, ToolCallReader


def calls_of(*given: Any) -> list[tuple[str, str]]:
    """Read deltas and put their calls together; ids are left out, but have to be there and to differ."""
    reader = ToolCallReader()
    calls: dict[int, dict[str, Any]] = {}
    for pieces in given:
        for piece in reader.read(pieces):
            call = calls.setdefault(piece["index"], {"id": piece.get("id"), "name": "", "arguments": ""})
            call["name"] = piece["function"].get("name") or call["name"]
            call["arguments"] += piece["function"]["arguments"]
    ids = [call["id"] for call in calls.values()]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    return [(call["name"], call["arguments"]) for _, call in sorted(calls.items())]


def piece(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([[piece("f", "{", index=0, id="a")], [piece(None, "}", index=0)]], [("f", "{}")]),
        ([[piece("f", "{", index=0, id="a")], [piece(None, "}", index=0, id="a")]], [("f", "{}")]),
        ([[piece("f", "{", index=0, id="a")], [piece("f", "}", index=0, id="a")]], [("f", "{}")]),
        ([[piece("f", "{}", index=0, id="a")], [piece("g", "{}", index=0, id="b")]], [("f", "{}"), ("g", "{}")]),
        ([[piece("f", "{}", index=0, id="a")], [piece("g", "{}", index=None, id="b")]], [("f", "{}"), ("g", "{}")]),
        ([[piece("f", "{}", index=0)], [piece("f", "{}", index=0)]], [("f", "{}"), ("f", "{}")]),
        ([[piece("f", "{}")], [piece("g", "{}")]], [("f", "{}"), ("g", "{}")]),
        ([[piece("f", "{}"), piece("g", "{}")]], [("f", "{}"), ("g", "{}")]),
        ([[piece("f", '{"a":')], [piece(None, "1}")]], [("f", '{"a":1}')]),
        ([[piece("f", "", index=0)], [piece(None, "{}", index=0, id="late")]], [("f", "{}")]),
        ([[piece("f", "{", index=7, id="a")], [piece(None, "}", index=7)], [piece("g", "{}", index=2, id="b")]],
            [("f", "{}"), ("g", "{}")]),
        ([[piece("f", "{", index=[1], id="a")], [piece(None, "}", index="0")]], [("f", "{}")]),
        ([[piece("f", {"x": [1, None]}, index=0)]], [("f", '{"x":[1,null]}')]),
        ([{"index": 0}, [{"index": 0, "type": "function"}], [None]], []),
        ([{"index": 0, "id": 5, "function": {"name": "f"}}], [("f", "")]),
    ],
)  # fmt: skip
def test_pieces_are_put_together_as_they_are_meant(given: Any, expected: list[tuple[str, str]]) -> None:
    assert calls_of(*given) == expected


def test_what_else_a_call_holds_is_kept() -> None:
    given = piece("f", "{}", id="a", extra_content={"google": {"thought_signature": "s"}})
    [read] = ToolCallReader().read([given])

    assert read["extra_content"] == {"google": {"thought_signature": "s"}}


def test_a_call_of_another_type_gets_no_function() -> None:
    [read] = ToolCallReader().read([{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}])

    assert read == {"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}


@pytest.mark.parametrize("given", ["x", 5, ["x"], [{"function": "f"}], [{"function": {"name": 5}}]])
def test_what_is_no_call_is_malformed(given: Any) -> None:
    with pytest.raises(Malformed):
        ToolCallReader().read(given)


def test_calls_are_not_without_number() -> None:
    reader = ToolCallReader()
    for number in range(MAX_CALLS):
        reader.read([piece("f", "{}", id=f"a{number}")])

    with pytest.raises(Malformed):
        reader.read([piece("f", "{}", id="b")])
