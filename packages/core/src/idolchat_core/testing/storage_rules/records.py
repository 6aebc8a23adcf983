"""What records do."""

from __future__ import annotations

import asyncio

import pytest

from idolchat_core.errors import StorageConflict
from idolchat_core.storage.contract import Storage
from idolchat_core.storage.records import NO_RECORD

__all__ = ["RecordRules"]

WRITERS = 12


class RecordRules:
    """What records do."""

    async def test_a_record_comes_back_until_it_is_deleted(self, storage: Storage) -> None:
        for durable in (True, False):
            for value in (b"", b"first", bytes(range(256)) * 300):
                await storage.put_record("turns", "a-b_c.d", value, durable=durable)
                assert await storage.get_record("turns", "a-b_c.d") == value
        await storage.delete_record("turns", "a-b_c.d")
        await storage.delete_record("turns", "a-b_c.d")

        assert await storage.get_record("turns", "a-b_c.d") is None

    async def test_records_are_listed_by_namespace_sorted(self, storage: Storage) -> None:
        for namespace, name in (("a", "2"), ("a", "10"), ("a", "-"), ("b", "1"), ("a.b", "x")):
            await storage.put_record(namespace, name, namespace.encode(), durable=False)

        assert list(await storage.list_records("a")) == ["-", "10", "2"]
        assert list(await storage.list_records("b")) == ["1"]
        assert list(await storage.list_records("empty")) == []
        assert await storage.get_record("b", "2") is None

    @pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "../x", "A", "é", "a b", "a\0", "x" * 129])
    async def test_a_record_cannot_leave_its_namespace(self, storage: Storage, name: str) -> None:
        for call in (
            storage.get_record("turns", name),
            storage.put_record("turns", name, b"x"),
            storage.delete_record("turns", name),
            storage.get_record(name, "x"),
            storage.put_record(name, "x", b"x"),
            storage.delete_record(name, "x"),
            storage.list_records(name),
        ):
            with pytest.raises(ValueError, match="record"):
                await call

    async def test_records_written_at_once_are_whole(self, storage: Storage) -> None:
        values = [bytes([number]) * 10_000 for number in range(20)]
        await asyncio.gather(*(storage.put_record("n", "x", value, durable=False) for value in values))
        await asyncio.gather(*(storage.put_record("n", str(number), value) for number, value in enumerate(values)))

        assert await storage.get_record("n", "x") in values
        assert [await storage.get_record("n", str(number)) for number in range(20)] == values

    async def test_a_record_has_another_version_with_every_change(self, storage: Storage) -> None:
        versions = [await storage.put_record("notes", "a", value) for value in (b"one", b"", b"three")]
        read = await storage.read_record("notes", "a")

        assert read == (b"three", versions[-1])
        assert len({NO_RECORD, *versions}) == 4
        assert await storage.read_record("notes", "none") is None

    async def test_a_record_is_replaced_only_by_who_has_read_it(self, storage: Storage) -> None:
        first = await storage.put_record("notes", "a", b"first", if_version=NO_RECORD)
        second = await storage.put_record("notes", "a", b"second", if_version=first)
        for version in (first, NO_RECORD):
            with pytest.raises(StorageConflict, match="notes/a"):
                await storage.put_record("notes", "a", b"late", if_version=version)
            with pytest.raises(StorageConflict, match="notes/a"):
                await storage.delete_record("notes", "a", if_version=version)

        assert await storage.read_record("notes", "a") == (b"second", second)

    async def test_a_record_is_deleted_only_by_who_has_read_it(self, storage: Storage) -> None:
        version = await storage.put_record("notes", "a", b"value")
        await storage.delete_record("notes", "a", if_version=version)
        await storage.delete_record("notes", "a", if_version=NO_RECORD)
        with pytest.raises(StorageConflict, match="notes/a"):
            await storage.put_record("notes", "a", b"late", if_version=version)
        with pytest.raises(StorageConflict, match="notes/a"):
            await storage.delete_record("notes", "a", if_version=version)

        assert await storage.get_record("notes", "a") is None
        assert list(await storage.list_records("notes")) == []

    async def test_of_writers_that_have_read_the_same_one_writes(self, storage: Storage) -> None:
        version = NO_RECORD
        for turn in range(3):
            writes = (
                storage.put_record("notes", "a", f"{turn} {number}".encode(), if_version=version)
                for number in range(WRITERS)
            )
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            [number] = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, str)]
            assert sum(isinstance(outcome, StorageConflict) for outcome in outcomes) == WRITERS - 1
            read = await storage.read_record("notes", "a")
            assert read == (f"{turn} {number}".encode(), outcomes[number])
            version = str(outcomes[number])

    async def test_records_are_listed_page_by_page(self, storage: Storage) -> None:
        names = ["-", "0", "10", "2", "_", "a", "a-b", "a.b", "aa", "b"]
        for name in reversed(names):
            await storage.put_record("pages", name, b"", durable=False)
        for limit in (1, 3, 4, 100):
            found, after = list[str](), ""
            while page := await storage.list_records("pages", after=after, limit=limit):
                assert len(page) <= limit
                found, after = [*found, *page], page[-1]
            assert found == names

        assert list(await storage.list_records("pages", after="a")) == ["a-b", "a.b", "aa", "b"]
        assert list(await storage.list_records("pages", after="a.a", limit=1)) == ["a.b"]
        assert list(await storage.list_records("pages", after="zz", limit=1)) == []

    async def test_what_comes_and_goes_between_pages_moves_no_other(self, storage: Storage) -> None:
        for name in ("b", "d", "f", "h"):
            await storage.put_record("pages", name, b"")
        first = await storage.list_records("pages", limit=2)
        await storage.delete_record("pages", "b")
        await storage.put_record("pages", "a", b"")
        await storage.put_record("pages", "g", b"")

        assert list(first) == ["b", "d"]
        assert list(await storage.list_records("pages", after="d", limit=2)) == ["f", "g"]
        assert list(await storage.list_records("pages", after="g", limit=2)) == ["h"]
