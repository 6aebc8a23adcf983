"""Rounds of the look through the data folder, of which any thread may say that they do not count any more."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from idolchat_core import StorageUnavailable
from idolchat_storage_local.scan_rounds import ScanRounds

UNREADABLE = StorageUnavailable("a folder cannot be looked through")


@pytest.fixture
def switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_round_that_began_before_the_index_was_lost_finishes_nothing() -> None:
    rounds = ScanRounds()
    before = rounds.number
    rounds.lose()
    rounds.restart()

    assert not rounds.finish(before)
    assert not rounds.finished.done()
    assert rounds.finish(rounds.number)
    assert rounds.finished.done()


def test_a_round_that_began_before_the_index_was_made_anew_finishes_nothing() -> None:
    rounds = ScanRounds()
    rounds.lose()
    before = rounds.number
    rounds.restart()

    assert not rounds.finish(before)
    assert not rounds.finished.done()


def test_a_round_that_began_while_the_index_was_lost_finishes_nothing() -> None:
    rounds = ScanRounds()
    rounds.lose()

    assert not rounds.finish(rounds.number, UNREADABLE)
    assert not rounds.finished.done()


def test_what_could_not_be_read_is_told_until_it_can_be() -> None:
    rounds = ScanRounds()
    rounds.finish(rounds.number, UNREADABLE)
    told = rounds.finished
    rounds.finish(rounds.number)

    assert told.exception() is UNREADABLE
    assert rounds.finished.exception() is None


def test_whoever_waits_while_the_index_is_lost_is_told_by_the_next_round() -> None:
    rounds = ScanRounds()
    waited_for = rounds.finished
    rounds.lose()
    rounds.restart()
    rounds.finish(rounds.number)

    assert waited_for.done()


@pytest.mark.usefixtures("switching_often")
def test_nobody_waits_for_a_round_that_another_thread_put_aside() -> None:
    rounds, seen, is_over = ScanRounds(), set[Future[None]](), threading.Event()

    def finish() -> None:
        while not is_over.is_set():
            rounds.finish(rounds.number, UNREADABLE)

    finishing = threading.Thread(target=finish, daemon=True)
    finishing.start()
    for _ in range(20_000):
        rounds.lose()
        seen.add(rounds.finished)
        rounds.restart()
    is_over.set()
    finishing.join(60)
    rounds.finish(rounds.number)

    assert not finishing.is_alive()
    assert [future for future in seen if not future.done()] == []
