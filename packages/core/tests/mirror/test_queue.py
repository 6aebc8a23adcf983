"""What is known of the other side."""

from uuid import UUID

from idolchat_core.mirror.queue import FEW_HELD, MAX_HELD, ReplicationQueue
from idolchat_core.mirror.throttle import ThrottleState
from idolchat_core.mirror.tuning import MirrorTuning


def hold(queue: ReplicationQueue, numbers: range, *, copied_at: float) -> None:
    for number in numbers:
        queue.keep(UUID(int=number), ThrottleState(b"", 0, None, 0.0, copied_at))


def test_a_few_are_held_for_as_long_as_nothing_newer_comes() -> None:
    queue = ReplicationQueue(MirrorTuning(), held_s=120)

    hold(queue, range(FEW_HELD - 1), copied_at=0)
    hold(queue, range(FEW_HELD, FEW_HELD + 1), copied_at=1_000_000)

    assert len(queue.held) == FEW_HELD


def test_of_many_those_are_dropped_that_are_old() -> None:
    queue = ReplicationQueue(MirrorTuning(), held_s=120)

    hold(queue, range(5000), copied_at=0)
    assert len(queue.held) == 5000
    hold(queue, range(5000, 15_000), copied_at=121)

    assert set(queue.held) == {UUID(int=number) for number in range(5000, 15_000)}


def test_no_more_are_held_than_the_newest_so_many() -> None:
    queue = ReplicationQueue(MirrorTuning())

    hold(queue, range(MAX_HELD + 1000), copied_at=0)

    assert set(queue.held) == {UUID(int=number) for number in range(1000, MAX_HELD + 1000)}
