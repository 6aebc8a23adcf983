"""What records do."""

from __future__ import annotations

import asyncio

import pytest

from idolchat_core.storage.contract import Storage

__all__ = ["RecordRules"]


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
