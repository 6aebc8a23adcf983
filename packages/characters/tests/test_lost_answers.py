"""The storage's answer to a write is lost, and whoever has asked asks again."""

import json

import httpx
import pytest

from idolchat_core.testing import LosesAnAnswer

type Headers = dict[str, str]


@pytest.fixture
def storage() -> LosesAnAnswer:
    return LosesAnAnswer()


@pytest.mark.parametrize(("loses", "again"), [("lorebooks", 404), ("lorebook-lists", 204)])
async def test_a_book_whose_deletion_was_not_answered_is_gone_and_listed_no_more(
    client: httpx.AsyncClient, ana: Headers, storage: LosesAnAnswer, loses: str, again: int
) -> None:
    content = json.dumps({"entries": {"0": {"uid": 0, "key": ["stage"], "content": "A song."}}})
    made = await client.post("/lorebooks", content=content, headers=ana)
    at = f"/lorebooks/{made.json()['lorebook']['id']}"
    storage.loses = loses
    tried = [(await client.delete(at, headers=ana)).status_code for _ in range(2)]

    assert tried == [503, again]
    assert (await client.get(at, headers=ana)).status_code == 404
    assert (await client.get("/lorebooks", headers=ana)).json()["data"] == []


async def test_a_character_whose_change_was_not_answered_is_listed_and_found_as_she_is_stored(
    client: httpx.AsyncClient, operator: Headers, storage: LosesAnAnswer
) -> None:
    fields = {"name": "Mika", "slug": "mika", "visibility": "public"}
    made = (await client.post("/characters", json=fields, headers=operator)).json()
    storage.loses = "characters"
    lost = await client.patch(f"/characters/{made['id']}", json={"slug": "mika-the-singer"}, headers=operator)
    found = await client.get("/characters/mika-the-singer", headers=operator)
    listed = (await client.get("/characters", headers=operator)).json()["data"]

    assert (lost.status_code, found.status_code) == (503, 200)
    assert [one["slug"] for one in listed] == ["mika-the-singer"]
