"""Of which conversations that go on everything is known to be stored as it is indexed."""

from __future__ import annotations

from time import monotonic
from uuid import UUID

from idolchat_memory.agreement import Agreement

TALK, OTHER = UUID(int=1), UUID(int=2)


def test_what_was_indexed_since_its_branch_was_read_is_stored() -> None:
    agreement = Agreement()
    agreement.indexed(TALK, since=monotonic())
    assert not agreement.holds(TALK, 7)

    agreement.indexed(OTHER, since=monotonic() + 1)
    assert not agreement.holds(TALK, 7)

    agreement.indexed(TALK, since=monotonic() + 1)
    assert agreement.holds(TALK, 7)


def test_a_branch_that_was_read_again_may_be_another() -> None:
    agreement = Agreement()
    agreement.holds(TALK, 7)
    before = monotonic()
    agreement.indexed(TALK, since=before)

    assert not agreement.holds(TALK, 8)
    agreement.indexed(TALK, since=before)  # which may have been stored before it was read again
    assert not agreement.holds(TALK, 8)
