"""A storage that has done what it says it could not do."""

from __future__ import annotations

from typing import Any

from idolchat_core.errors import StorageUnavailable
from idolchat_core.testing.memory import InMemoryStorage

__all__ = ["LosesAnAnswer"]


class LosesAnAnswer(InMemoryStorage):
    """Writes a record in the namespace that it ``loses``, and then fails once, as where the answer is lost."""

    loses: str | None = None

    async def put_record(self, namespace: str, name: str, value: bytes, **how: Any) -> str:
        version = await super().put_record(namespace, name, value, **how)
        self._lose(namespace)
        return version

    async def delete_record(self, namespace: str, name: str, **how: Any) -> None:
        await super().delete_record(namespace, name, **how)
        self._lose(namespace)

    def _lose(self, namespace: str) -> None:
        if namespace == self.loses:
            self.loses = None
            raise StorageUnavailable("the connection was lost; send again")
