from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import UUID

import pytest

from idolchat_storage_local import LocalSettings, LocalStorage, open_local_storage

type Open = Callable[[], AbstractAsyncContextManager[LocalStorage]]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def open_storage(data_dir: Path) -> Open:
    return lambda: open_local_storage(LocalSettings(data_dir=data_dir))


@pytest.fixture
async def storage(
    open_storage: Callable[[], AbstractAsyncContextManager[LocalStorage]],
) -> AsyncGenerator[LocalStorage]:
    async with open_storage() as storage:
        yield storage


@pytest.fixture
def file_of(data_dir: Path) -> Callable[[UUID], Path]:
    return lambda conversation_id: data_dir / "conversations" / conversation_id.hex[-2:] / f"{conversation_id}.json"
