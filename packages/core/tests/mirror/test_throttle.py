"""How often a conversation of some size is copied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idolchat_core.mirror.throttle import PER_NEW_BYTE, ThrottleState, due_at, spent
from idolchat_core.mirror.tuning import MirrorTuning

PACE = MirrorTuning(bytes_per_s=65_536, rest_s=10)
MIB = 1024 * 1024


def play(size: int, turns: list[tuple[float, int]]) -> tuple[int, float, float]:
    """Have turns after pauses in seconds, of so many bytes; give the bytes sent, the last change and its copy."""
    held, sent, now, last, copied, waiting, due = None, 0, 0.0, 0.0, 0.0, 0, float("inf")
    for pause, new_bytes in [*turns, (float("inf"), 0)]:
        while due != float("inf") and due <= now + pause:  # copies that are due before the next turn
            left = spent(held, PACE, size=size, now=due, new_bytes=waiting)
            held, sent, waiting, copied = ThrottleState(b"", size, None, left, due), sent + size, 0, due
            due = float("inf")
        if pause == float("inf"):
            break
        now += pause
        last, waiting, size = now, waiting + new_bytes, size + new_bytes
        due = max(now, due_at(held, PACE, last_change=now, new_bytes=waiting))
    return sent, last, copied


def test_a_hundred_turns_of_a_large_conversation_are_two_copies() -> None:
    size = 20 * MIB
    sent, last, copied = play(size, [(2.0, 2000)] * 100)

    assert sent < 2.1 * size
    assert copied == pytest.approx(last + PACE.rest_s)


def test_a_small_conversation_is_copied_after_every_turn() -> None:
    sent, last, copied = play(4096, [(5.0, 500)] * 10)

    assert sent > 10 * 4096
    assert copied == last


@given(
    size=st.integers(1, 50 * MIB),
    turns=st.lists(st.tuples(st.floats(0.1, 100), st.integers(1, MIB)), min_size=1, max_size=60),
)
def test_what_is_sent_is_bounded_and_the_end_always_arrives(size: int, turns: list[tuple[float, int]]) -> None:
    sent, last, copied = play(size, turns)
    new_bytes, size_at_end = sum(new for _, new in turns), size + sum(new for _, new in turns)

    assert last <= copied <= last + 2 * size_at_end / PACE.bytes_per_s
    assert sent <= 2 * size_at_end + PACE.bytes_per_s * copied + PER_NEW_BYTE * new_bytes + size_at_end
