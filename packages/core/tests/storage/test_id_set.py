"""A compact set of ids is a set of ids."""

import random
from uuid import UUID

from idolchat_core.storage.id_set import IdSet


def some_ids(count: int) -> list[UUID]:
    chance = random.Random(1)
    return [UUID(int=chance.getrandbits(128)) for _ in range(count)]


def test_every_id_is_there_once_and_no_other() -> None:
    given = some_ids(2000)
    ids = IdSet([*given, *given[:100]])

    assert len(ids) == 2000
    assert set(ids) == set(given)
    assert all(one in ids for one in given)
    assert not any(UUID(int=one.int ^ 1 << 64) in ids for one in given)
    assert str(given[0]) not in ids


def test_they_come_in_order() -> None:
    given = some_ids(500)

    assert list(IdSet(given)) == sorted(given)


def test_no_ids_are_none() -> None:
    assert list(IdSet([])) == []
    assert UUID(int=0) not in IdSet([])
