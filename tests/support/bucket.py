"""A bucket in a folder, as a plugin that ``idol`` finds installed: a mirror that can be taken away.

<bucket>/conversations/<uuid>.json   the documents
<bucket>.down                        while this file is there, the bucket does not answer
<bucket>.uploads                     a line for each document that was written: its size
"""

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from idolchat_core import Registry, Storage, hookimpl
from idolchat_core.errors import StorageUnavailable
from idolchat_core.whole import WholeDocumentStorage

__all__ = ["Bucket", "FolderStorage", "idolchat_register_storages"]

VARIABLE = "IDOLCHAT_TEST_BUCKET"
ROOT = Path(__file__).parents[2]


class Bucket:
    """The folder, seen from a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder.with_suffix(".site")
        self._down = folder.with_suffix(".down")
        self._uploads = folder.with_suffix(".uploads")
        folder.mkdir()
        info = self.site / "idolchat_test_bucket-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: idolchat-test-bucket\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[idolchat]\nbucket = {__name__}\n")

    @property
    def environment(self) -> Mapping[str, str]:
        """Give the variables of a server that mirrors to it."""
        return {
            "PYTHONPATH": os.pathsep.join([str(self.site), str(ROOT)]),
            "IDOLCHAT_STORAGE": "local,bucket",
            VARIABLE: str(self.folder),
        }

    @property
    def uploads(self) -> list[int]:
        """Give the sizes of the documents that were written."""
        return [int(line) for line in self._uploads.read_text().split()] if self._uploads.exists() else []

    def take_away(self) -> None:
        """Let it not answer."""
        self._down.touch()

    def give_back(self) -> None:
        """Let it answer again."""
        self._down.unlink()

    def documents(self) -> dict[str, bytes]:
        """Give what it holds, by conversation."""
        return {path.stem: path.read_bytes() for path in (self.folder / "conversations").glob("*.json")}


class FolderStorage(WholeDocumentStorage):
    """The same folder, seen from a server."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    async def get_value(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    async def put_value(self, key: str, value: bytes) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(value)
        temporary.replace(path)
        if key.startswith("conversations/"):
            with self._folder.with_suffix(".uploads").open("a") as uploads:
                uploads.write(f"{len(value)}\n")

    async def delete_value(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    async def list_keys(self, prefix: str) -> Sequence[str]:
        found = self._path(prefix).rglob("*")
        return [path.relative_to(self._folder).as_posix() for path in found if path.is_file()]

    def _path(self, key: str) -> Path:
        if self._folder.with_suffix(".down").exists():
            raise StorageUnavailable("the bucket does not answer")
        return self._folder / key


@asynccontextmanager
async def open_bucket() -> AsyncGenerator[FolderStorage]:
    """Open the folder that the environment names."""
    yield FolderStorage(Path(os.environ[VARIABLE]))


@hookimpl
def idolchat_register_storages(registry: Registry[Storage]) -> None:
    """Make it known as ``bucket``."""
    registry.add("bucket", open_bucket)
