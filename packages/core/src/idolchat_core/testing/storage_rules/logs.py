"""What logs do."""

from __future__ import annotations

import asyncio

import pytest

from idolchat_core.storage.contract import Storage
from idolchat_core.testing.storage_rules.reopening import Reopen

__all__ = ["LogRules"]


class LogRules:
    """What logs do."""

    async def test_lines_are_added_at_the_end_of_a_log(self, storage: Storage) -> None:
        long = b"x" * 40_000 + b"\n"
        for number in range(5):
            await storage.append_log("spending", "2026-11", b"%d\n" % number + long, durable=number % 2 == 0)
        whole = b"".join(b"%d\n" % number + long for number in range(5))

        assert await storage.read_log("spending", "2026-11") == whole
        assert await storage.read_log("spending", "2026-11", start=40_003) == whole[40_003:]
        assert await storage.read_log("spending", "2026-11", start=len(whole)) == b""

    async def test_logs_are_listed_by_namespace_sorted(self, storage: Storage) -> None:
        for namespace, name in (("a", "2"), ("a", "10"), ("b", "1")):
            await storage.append_log(namespace, name, b"x\n")

        assert list(await storage.list_logs("a")) == ["10", "2"]
        assert list(await storage.list_logs("empty")) == []
        assert await storage.read_log("a", "1") == b""

    async def test_lines_added_at_once_are_all_there_and_whole(self, storage: Storage) -> None:
        lines = [bytes([65 + number]) * 100 + b"\n" for number in range(20)]
        await asyncio.gather(*(storage.append_log("n", "x", line) for line in lines))

        assert sorted((await storage.read_log("n", "x")).splitlines(keepends=True)) == lines

    async def test_a_log_goes_on_after_it_was_opened_again(self, storage: Storage, again: Reopen) -> None:
        await storage.append_log("n", "x", b"before\n")
        async with again() as reopened:
            await reopened.append_log("n", "x", b"after\n")

            assert await reopened.read_log("n", "x") == b"before\nafter\n"

    @pytest.mark.parametrize("name", ["", "..", "a/b", "A", "x" * 129])
    async def test_a_log_cannot_leave_its_namespace(self, storage: Storage, name: str) -> None:
        with pytest.raises(ValueError, match="record"):
            await storage.append_log("n", name, b"x\n")
        with pytest.raises(ValueError, match="record"):
            await storage.append_log(name, "x", b"x\n")
        with pytest.raises(ValueError, match="record"):
            await storage.read_log("n", name)
