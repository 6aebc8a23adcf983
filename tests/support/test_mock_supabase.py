"""The stand-in answers as the real one was observed to: bodies, codes and headers."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.mock_supabase.keys import ANON, EXPIRED, FOREIGN, GARBAGE, SECRET
from tests.support.mock_supabase.server import MockSupabase
from tests.support.mock_supabase.state import Fault

NO_BUCKET = {"statusCode": "404", "error": "Bucket not found", "message": "Bucket not found", "code": "NoSuchBucket"}
NO_OBJECT = {"statusCode": "404", "error": "not_found", "message": "Object not found", "code": "NoSuchKey"}
OBJECT = "/storage/v1/object/conversations/a.json"


@pytest.fixture
async def client(mock_supabase: MockSupabase) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"apikey": SECRET, "Authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(base_url=mock_supabase.url, headers=headers, trust_env=False) as client:
        made = await client.post("/storage/v1/bucket", json={"id": "conversations", "name": "conversations"})
        assert (made.status_code, made.json()) == (200, {"name": "conversations"})
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("key", [EXPIRED, FOREIGN, GARBAGE])
async def test_a_bad_key_looks_like_a_missing_bucket_to_a_download_alone(client: httpx.AsyncClient, key: str) -> None:
    download = await client.get(OBJECT, headers=bearer(key))
    bucket = await client.get("/storage/v1/bucket/conversations", headers=bearer(key))

    assert (download.status_code, download.json()) == (400, NO_BUCKET)
    assert (bucket.status_code, bucket.json()["statusCode"], bucket.json()["code"]) == (400, "403", "AccessDenied")


async def test_what_is_hidden_looks_like_nothing(client: httpx.AsyncClient) -> None:
    await client.post(OBJECT, content=b"{}")
    listed = await client.post(
        "/storage/v1/object/list/conversations",
        json={"prefix": "", "limit": 9, "offset": 0, "sortBy": {"column": "name"}},
        headers=bearer(ANON),
    )
    removed = await client.request("DELETE", OBJECT[:-7], json={"prefixes": ["a.json"]}, headers=bearer(ANON))
    download = await client.get(OBJECT, headers=bearer(ANON))
    upload = await client.post(OBJECT, content=b"{}", headers={**bearer(ANON), "x-upsert": "true"})

    assert (listed.json(), removed.json(), download.json()) == ([], [], NO_OBJECT)
    assert upload.json()["message"] == "new row violates row-level security policy"
    assert (await client.get(OBJECT)).content == b"{}"


async def test_an_object_keeps_its_id_and_gets_a_new_version(client: httpx.AsyncClient) -> None:
    first = await client.post(OBJECT, content=b"1", headers={"Content-Type": "application/json"})
    about = (await client.get(OBJECT.replace("object/", "object/info/"))).json()
    duplicate = await client.post(OBJECT, content=b"2")
    second = await client.post(OBJECT, content=b"2", headers={"x-upsert": "true"})
    after = (await client.get(OBJECT.replace("object/", "object/info/"))).json()

    assert first.json() == second.json() == {"Key": "conversations/a.json", "Id": about["id"]}
    assert duplicate.json() == {
        "statusCode": "409",
        "error": "Duplicate",
        "message": "The resource already exists",
        "code": "KeyAlreadyExists",
    }
    assert about["version"] != after["version"]


@pytest.mark.parametrize(
    ("method", "path", "json", "status", "body"),
    [
        ("GET", "/storage/v1/bucket/none", None, 400, NO_BUCKET),
        ("GET", OBJECT, None, 400, NO_OBJECT),
        ("GET", OBJECT.replace("conversations", "none"), None, 400, NO_BUCKET),
        (
            "GET",
            "/storage/v1/nope",
            None,
            404,
            {"message": "Route GET:/nope not found", "error": "Not Found", "statusCode": 404},
        ),
    ],
)
async def test_what_is_not_there(
    client: httpx.AsyncClient, method: str, path: str, json: Any, status: int, body: dict[str, Any]
) -> None:
    answer = await client.request(method, path, json=json)

    assert (answer.status_code, answer.json()) == (status, body)


async def test_rows_are_upserted_filtered_and_paged(client: httpx.AsyncClient) -> None:
    ids = [f"0197a3e2-0000-7000-8000-00000000000{number}" for number in range(4)]
    statuses = []
    for number, row_id in enumerate([*ids, ids[0]]):
        row = {"id": row_id, "user_id": "ann", "updated_at": f"2025-06-01T12:00:0{number % 3}Z"}
        prefer = {"Prefer": "return=minimal,resolution=merge-duplicates"}
        statuses.append((await client.post("/rest/v1/chats", json=row, headers=prefer)).status_code)
    page = await client.get(
        "/rest/v1/chats",
        params={
            "select": "id,updated_at",
            "user_id": "eq.ann",
            "or": f'(updated_at.lt."2025-06-01T12:00:01Z",and(updated_at.eq."2025-06-01T12:00:01Z",id.lt.{ids[1]}))',
            "order": "updated_at.desc,id.desc",
        },
    )

    assert statuses == [201, 201, 201, 201, 200]
    assert page.json() == [
        {"id": ids[0], "updated_at": "2025-06-01T12:00:01+00:00"},
        {"id": ids[3], "updated_at": "2025-06-01T12:00:00+00:00"},
    ]


@pytest.mark.parametrize(
    ("row", "status", "code"),
    [
        ({"id": "x", "updated_at": "2025-06-01T12:00:00Z"}, 400, "22P02"),
        ({"id": "0197a3e2-0000-7000-8000-000000000000", "nope": 1}, 400, "PGRST204"),
        ({"user_id": "ann"}, 400, "23502"),
    ],
)
async def test_a_bad_row_is_refused(client: httpx.AsyncClient, row: dict[str, Any], status: int, code: str) -> None:
    answer = await client.post("/rest/v1/chats", json=row)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_missing_table_and_a_bad_key_are_told(client: httpx.AsyncClient, mock_supabase: MockSupabase) -> None:
    expired = await client.get("/rest/v1/chats", headers=bearer(EXPIRED))
    mock_supabase.state.rows = None
    missing = await client.get("/rest/v1/chats")

    assert (expired.status_code, expired.json()["code"], expired.json()["message"]) == (401, "PGRST303", "JWT expired")
    assert (missing.status_code, missing.json()["code"]) == (404, "PGRST205")


async def test_an_upload_happens_though_the_answer_is_lost(
    client: httpx.AsyncClient, mock_supabase: MockSupabase
) -> None:
    mock_supabase.fail_next(Fault.RESET_AFTER)
    with pytest.raises(httpx.TransportError):
        await client.post(OBJECT, content=b"there")

    assert mock_supabase.object("a.json").data == b"there"


async def test_a_cache_that_never_asks_serves_what_was_there(
    client: httpx.AsyncClient, mock_supabase: MockSupabase
) -> None:
    mock_supabase.state.serves_stale = True
    await client.post(OBJECT, content=b"old")
    await client.get(OBJECT)
    await client.post(OBJECT, content=b"new", headers={"x-upsert": "true"})

    assert (await client.get(OBJECT)).content == b"old"
    assert (await client.get(OBJECT, params={"v": "1"})).content == b"new"
