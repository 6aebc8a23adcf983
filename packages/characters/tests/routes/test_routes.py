"""The routes of a real server over HTTP: characters, their cards and files, and who may have them."""

import base64
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

type Headers = dict[str, str]


async def create(client: httpx.AsyncClient, headers: Headers, **fields: Any) -> dict[str, Any]:
    reply = await client.post("/characters", json={"name": "Mika", **fields}, headers=headers)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_a_character_is_read_by_id_and_by_slug(client: httpx.AsyncClient, ana: Headers) -> None:
    made = await create(client, ana, description="An idol", tags=["idol"])
    replies = [await client.get(f"/characters/{name}", headers=ana) for name in (made["id"], "mika")]

    assert [reply.json() for reply in replies] == [made, made]
    assert replies[0].headers["etag"] == '"1"'
    assert made["character"]["visibility"] == "private"


@pytest.mark.parametrize("name", ["id", "slug"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/export"), ("GET", "/files/icon-main.png")],
)
async def test_anothers_private_character_is_answered_like_an_unknown_one(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, method: str, path: str, name: str
) -> None:
    made = await create(client, ana)
    known = made["id"] if name == "id" else made["character"]["slug"]
    unknown = str(uuid4()) if name == "id" else "nobody"
    body = {"nickname": "x"} if method == "PATCH" else None
    replies = [
        await client.request(method, f"/characters/{it}{path}", headers=ben, json=body) for it in (known, unknown)
    ]

    assert [reply.status_code for reply in replies] == [404, 404]
    messages = [reply.json()["error"]["message"] for reply in replies]
    assert messages[0].replace(known, unknown) == messages[1]


async def test_a_public_character_is_read_by_all_and_changed_by_operators(
    client: httpx.AsyncClient, operator: Headers, ben: Headers
) -> None:
    made = await create(client, operator, visibility="public")
    listed = await client.get("/characters", headers=ben)
    changed = [
        await client.patch(f"/characters/{made['id']}", json={"nickname": "Mi"}, headers=who) for who in (ben, operator)
    ]

    assert [one["id"] for one in listed.json()["data"]] == [made["id"]]
    assert [reply.status_code for reply in changed] == [404, 200]


async def test_half_an_emoji_in_a_field_is_replaced_as_it_is_in_a_card(client: httpx.AsyncClient, ana: Headers) -> None:
    half = {**ana, "content-type": "application/json"}
    made = await client.post("/characters", content=rb'{"name": "Mika \ud83d", "tags": ["\ud83d"]}', headers=half)
    path = f"/characters/{made.json()['id']}"
    changed = await client.patch(path, content=rb'{"extensions": {"\ud83d": "\ud83d"}}', headers=half)
    copied = await client.post(f"{path}/duplicate", content=rb'{"name": "\ud83d"}', headers=half)

    assert [reply.status_code for reply in (made, changed, copied)] == [201, 200, 201]
    assert made.json()["character"]["name"] == "Mika \ufffd"
    assert made.json()["character"]["tags"] == ["\ufffd"]
    assert changed.json()["character"]["extensions"] == {"\ufffd": "\ufffd"}
    assert copied.json()["character"]["name"] == "\ufffd"


async def test_a_field_is_nested_no_deeper_than_a_card_that_is_read_again(
    client: httpx.AsyncClient, ana: Headers
) -> None:
    deep: dict[str, Any] = {}
    for _ in range(70):
        deep = {"a": deep}
    reply = await client.post("/characters", json={"name": "Mika", "extensions": deep}, headers=ana)

    assert reply.status_code == 422
    assert "is nested more than 64 levels deep" in reply.json()["error"]["message"]


async def test_a_copy_that_is_given_another_picture_has_its_file(
    client: httpx.AsyncClient, ana: Headers, read_sample: Callable[[str], bytes]
) -> None:
    card = read_sample("31_v3_both.png")
    made = (await client.post("/characters/import", content=card, headers=ana)).json()["character"]
    picture = b"\x89PNG\r\n\x1a\nanother"
    uri = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    body = {"assets": [{"type": "icon", "name": "main", "uri": uri, "ext": "png"}]}
    copy = (await client.post(f"/characters/{made['id']}/duplicate", json=body, headers=ana)).json()
    [file] = copy["assets"]
    read = await client.get(f"/characters/{copy['id']}/files/{file['file_name']}", headers=ana)

    assert read.content == picture


async def test_a_user_publishes_nothing(client: httpx.AsyncClient, ana: Headers) -> None:
    reply = await client.post("/characters", json={"name": "Mika", "visibility": "public"}, headers=ana)

    assert (reply.status_code, reply.json()["error"]["param"]) == (422, "visibility")


async def test_a_change_of_an_older_version_fails_and_changes_nothing(client: httpx.AsyncClient, ana: Headers) -> None:
    made = await create(client, ana)
    path = f"/characters/{made['id']}"
    first = await client.patch(path, json={"nickname": "Mi"}, headers={**ana, "If-Match": '"1"'})
    second = await client.patch(path, json={"nickname": "Mo"}, headers={**ana, "If-Match": '"1"'})
    deleted = await client.delete(path, headers={**ana, "If-Match": '"1"'})

    assert [reply.status_code for reply in (first, second, deleted)] == [200, 412, 412]
    assert first.headers["etag"] == '"2"'
    assert second.json()["error"]["code"] == "precondition_failed"
    assert (await client.get(path, headers=ana)).json()["character"]["nickname"] == "Mi"


async def test_a_card_is_imported_and_exported_byte_for_byte(
    client: httpx.AsyncClient, ana: Headers, read_sample: Callable[[str], bytes]
) -> None:
    card = read_sample("31_v3_both.png")
    reply = await client.post("/characters/import", content=card, headers=ana)
    made = reply.json()["character"]
    exported = await client.get(f"/characters/{made['id']}/export", headers=ana)

    assert reply.status_code == 201
    assert exported.content == card
    assert exported.headers["content-type"] == "image/png"
    assert exported.headers["content-disposition"].startswith("attachment")


async def test_a_picture_is_shown_and_what_is_no_picture_is_downloaded(
    client: httpx.AsyncClient, ana: Headers, make_json: Callable[..., bytes], read_sample: Callable[[str], bytes]
) -> None:
    uri = "data:text/html;base64,PHNjcmlwdD4="
    page = make_json(spec="chara_card_v3", assets=[{"type": "icon", "name": "x", "uri": uri, "ext": "html"}])
    files = []
    for card in (page, read_sample("31_v3_both.png")):
        made = (await client.post("/characters/import", content=card, headers=ana)).json()["character"]
        path = f"/characters/{made['id']}/files/{made['assets'][0]['file_name']}"
        files.append((await client.get(path, headers=ana)).headers)

    assert [file["content-type"] for file in files] == ["application/octet-stream", "image/png"]
    assert "content-disposition" in files[0]
    assert all(file["x-content-type-options"] == "nosniff" for file in files)


@pytest.mark.parametrize(("content", "place"), [(b"{}", "name"), (b"GIF89a", "file"), (b"", None)])
async def test_what_is_no_card_is_refused_by_its_place(
    client: httpx.AsyncClient, ana: Headers, content: bytes, place: str | None
) -> None:
    reply = await client.post("/characters/import", content=content, headers=ana)

    assert reply.status_code == 422
    assert place is None or place in reply.json()["error"]["param"]


async def test_a_card_may_be_larger_than_other_bodies_up_to_a_limit(client: httpx.AsyncClient, ana: Headers) -> None:
    bodies = [b" " * (9 << 20) + b'{"name": "Mika"}', b" " * (65 << 20)]
    replies = [await client.post("/characters/import", content=body, headers=ana) for body in bodies]
    other = await client.post("/characters", content=bodies[0], headers=ana)

    assert [reply.status_code for reply in (*replies, other)] == [201, 413, 413]


async def test_a_copy_has_the_card_and_the_files_and_is_a_character_of_its_own(
    client: httpx.AsyncClient, operator: Headers, ana: Headers, read_sample: Callable[[str], bytes]
) -> None:
    card = read_sample("31_v3_both.png")
    imported = await client.post("/characters/import?visibility=public", content=card, headers=operator)
    made = imported.json()["character"]
    reply = await client.post(f"/characters/{made['id']}/duplicate", headers=ana)
    copy = reply.json()
    await client.patch(f"/characters/{copy['id']}", json={"nickname": "Changed"}, headers=ana)
    picture = await client.get(f"/characters/{copy['id']}/files/{made['assets'][0]['file_name']}", headers=ana)
    original = await client.get(f"/characters/{made['id']}/export", headers=ana)

    assert reply.status_code == 201
    assert (copy["character"]["visibility"], copy["character"]["slug"]) == ("private", made["character"]["slug"])
    assert copy["user_id"] == copy["character"]["owner_id"] is not None
    assert picture.headers["content-type"] == "image/png"
    assert original.content == card


async def test_a_copy_of_an_operator_is_where_the_original_is(client: httpx.AsyncClient, operator: Headers) -> None:
    await create(client, operator, visibility="public")
    reply = await client.post("/characters/mika/duplicate", json={"name": "Mika in winter"}, headers=operator)

    assert (reply.json()["character"]["slug"], reply.json()["character"]["visibility"]) == ("mika-in-winter", "public")


@pytest.mark.parametrize("path", ["/duplicate", "/lore/explain"])
async def test_what_is_asked_of_anothers_private_character_is_answered_like_an_unknown_one(
    client: httpx.AsyncClient, ana: Headers, ben: Headers, path: str
) -> None:
    known, unknown = (await create(client, ana))["id"], str(uuid4())
    body = {"text": "x"} if path == "/lore/explain" else None
    replies = [await client.post(f"/characters/{it}{path}", headers=ben, json=body) for it in (known, unknown)]

    assert [reply.status_code for reply in replies] == [404, 404]
    messages = [reply.json()["error"]["message"] for reply in replies]
    assert messages[0].replace(known, unknown) == messages[1]
