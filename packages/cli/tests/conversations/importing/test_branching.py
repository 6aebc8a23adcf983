"""Trees of messages in the order of a document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from idolchat_cli.conversations.importing.branching import Entry, arrange

BEGUN = datetime(2024, 1, 1, tzinfo=UTC)
KEYS = [str(number) for number in range(12)]


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Make entries whose parents are anything: missing, of a circle, or of themselves."""
    return [
        Entry(
            key,
            draw(st.none() | st.sampled_from([*KEYS, "absent"])),
            draw(st.sampled_from(["user", "assistant", None])),
            "text",
            draw(st.none() | st.integers(0, 50).map(lambda minutes: BEGUN + timedelta(minutes=minutes))),
            is_hidden=draw(st.booleans()),
        )
        for key in draw(st.permutations(KEYS))
    ]


@given(entries(), st.sampled_from([*KEYS, "absent"]))
def test_every_message_is_there_once_behind_what_it_follows_and_never_older(tree: list[Entry], active: str) -> None:
    arranged, head = arrange(tree, active, BEGUN)
    keys = [one.entry.key for one in arranged]
    times = [one.time for one in arranged]

    assert sorted(keys) == sorted(entry.key for entry in tree if entry.role)
    assert times == sorted(times)
    assert all(one.parent is None or one.parent in keys[:position] for position, one in enumerate(arranged))
    assert head is None or head in keys


@given(entries())
def test_what_is_shown_never_follows_what_is_hidden(tree: list[Entry]) -> None:
    arranged, head = arrange(tree, None, BEGUN)
    hidden = {entry.key for entry in tree if entry.is_hidden}

    assert all(one.parent not in hidden for one in arranged if not one.entry.is_hidden)
    assert head not in hidden


def test_a_long_chain_is_no_deep_recursion() -> None:
    chain = [Entry(str(number), str(number - 1), "user", "text") for number in range(20_000)]
    arranged, head = arrange(chain, None, BEGUN)

    assert (len(arranged), head) == (20_000, "19999")
