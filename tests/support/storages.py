"""On which storage the whole product is tested: on files, or with ``--storage=postgres`` on PostgreSQL."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from idolchat_storage_postgres.settings import PostgresSettings
from idolchat_storage_postgres.storage import PostgresStorage, open_postgres_storage
from idolchat_storage_postgres.testing import PostgresServer, find_binaries, running_postgres

__all__ = ["STORAGE_OF_TESTS", "StorageOfTests"]


class StorageOfTests:
    """Gives the variables of the storage that stands for a data folder: with PostgreSQL, a database for each."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._server: PostgresServer | None = None
        self._made: set[str] = set()

    def use_postgres(self) -> None:
        """Start a PostgreSQL, until ``close``."""
        self._server = self._open.enter_context(running_postgres(options=["max_connections=300"]))

    def close(self) -> None:
        """Stop what was started."""
        self._open.close()
        self._server = None

    @property
    def name(self) -> str:
        """What the storage is called in settings."""
        return "local" if self._server is None else "postgres"

    def variables(self, data: Path) -> Mapping[str, str]:
        """Return what a process that works on this data folder finds in its environment."""
        if self._server is None:
            return {}
        name = f"data_{sha256(str(data.resolve()).encode()).hexdigest()[:16]}"
        if name not in self._made:
            self._server.make_database(name)
            self._made.add(name)
        return {"IDOLCHAT_STORAGE": "postgres", "IDOLCHAT_POSTGRES_URL": self._server.url(name)}

    def document(self, data: Path, conversation_id: str) -> bytes | None:
        """Read a conversation out of the database that stands for a data folder; None where there is none."""
        return self._read(data, lambda storage: storage.read_document(UUID(conversation_id)))

    def log_lines(self, data: Path, namespace: str) -> list[bytes] | None:
        """Read the lines of all logs of a namespace; None where no database stands for the data folder."""

        async def read(storage: PostgresStorage) -> list[bytes]:
            logs = [await storage.read_log(namespace, name) for name in await storage.list_logs(namespace)]
            return [line for log in logs for line in log.splitlines()]

        return self._read(data, read)

    def tables_with(self, data: Path, text: str) -> list[str] | None:
        """Name the tables that hold a text, once for each row; None where no database stands for the data folder."""
        variables = self.variables(data)
        if not variables:
            return None
        command = [str(find_binaries() / "pg_dump"), "--data-only", "--dbname", variables["IDOLCHAT_POSTGRES_URL"]]
        found, table = [], ""
        for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines():
            if line.startswith(b"COPY "):
                table = line.split()[1].decode()
            elif text.encode() in line:
                found.append(table)
        return found

    def _read[T](self, data: Path, work: Callable[[PostgresStorage], Awaitable[T]]) -> T | None:
        variables = self.variables(data)
        if not variables:
            return None
        settings = PostgresSettings.model_validate({"url": variables["IDOLCHAT_POSTGRES_URL"]})

        async def read() -> T:
            async with open_postgres_storage(settings) as storage:
                return await work(storage)

        with ThreadPoolExecutor(1) as beside:  # whoever asks may have an event loop of its own
            return beside.submit(asyncio.run, read()).result()


STORAGE_OF_TESTS = StorageOfTests()
