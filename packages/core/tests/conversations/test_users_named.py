"""A user is found by the id that they have elsewhere."""

import json
from uuid import uuid4

from idolchat_core.conversations.user_data import FOREIGN_USERS, users_named
from idolchat_core.testing import InMemoryStorage


async def known(storage: InMemoryStorage, issuer: str, name: str) -> str:
    user_id = str(uuid4())
    record = {"user_id": user_id, "issuer": issuer, "id": name}
    await storage.put_record(FOREIGN_USERS, user_id, json.dumps(record).encode())
    return user_id


async def test_an_id_of_ours_is_that_user() -> None:
    user_id = uuid4()

    assert await users_named(InMemoryStorage(), str(user_id)) == [str(user_id)]


async def test_an_id_from_elsewhere_finds_every_user_who_has_it() -> None:
    storage = InMemoryStorage()
    ana = [await known(storage, issuer, "ana") for issuer in ("librechat", "open-webui")]
    await known(storage, "librechat", "anabel")

    assert sorted(await users_named(storage, "ana")) == sorted(ana)


async def test_a_name_that_nobody_has_is_taken_as_it_is() -> None:
    assert await users_named(InMemoryStorage(), "user-7") == ["user-7"]
