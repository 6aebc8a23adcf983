"""The stand-in answers as the real one was observed to: bodies, codes and headers."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.mock_supabase.keys import ANON, EXPIRED, FOREIGN, GARBAGE, SECRET
from tests.support.mock_supabase.server import MockSupabase
from tests.support.mock_supabase.state import Fault

NO_BUCKET = {"statusCode": "404", "error": "Bucket not found", "message": "Bucket not found", "code": "NoSuchBucket"}
NO_OBJECT = {"statusCode": "404", "error": "not_found", "message": "Object not found", "code": "NoSuchKey"}
NO_RIGHT = {
    "statusCode": "403",
    "error": "Unauthorized",
    "message": "new row violates row-level security policy",
    "code": "AccessDenied",
}
OBJECT = "/storage/v1/object/conversations/a.json"
INFO = OBJECT.replace("object/", "object/info/")
LIST = "/storage/v1/object/list/conversations"


@pytest.fixture
async def client(mock_supabase: MockSupabase) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"apikey": SECRET, "Authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(base_url=mock_supabase.url, headers=headers, trust_env=False) as client:
        made = await client.post("/storage/v1/bucket", json={"id": "conversations", "name": "conversations"})
        assert (made.status_code, made.json()) == (200, {"name": "conversations"})
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("key", [EXPIRED, FOREIGN, GARBAGE], ids=["expired", "foreign", "garbage"])
async def test_a_bad_key_looks_like_a_missing_bucket_to_downloads_and_info(client: httpx.AsyncClient, key: str) -> None:
    download = await client.get(OBJECT, headers=bearer(key))
    info = await client.get(INFO, headers=bearer(key))
    head = await client.head(OBJECT, headers=bearer(key))
    bucket = await client.get("/storage/v1/bucket/conversations", headers=bearer(key))

    assert (download.status_code, download.json()) == (info.status_code, info.json()) == (400, NO_BUCKET)
    assert (head.status_code, head.content) == (400, b"")
    assert (bucket.status_code, bucket.json()["statusCode"], bucket.json()["code"]) == (400, "403", "AccessDenied")


async def test_who_has_no_right_is_not_told_that_an_object_is_there(client: httpx.AsyncClient) -> None:
    await client.post(OBJECT, content=b"{}")
    upload = await client.post(OBJECT, content=b"{}", headers=bearer(ANON))

    assert (upload.status_code, upload.json()) == (400, NO_RIGHT)


async def upload(client: httpx.AsyncClient, *keys: str) -> None:
    for key in keys:
        await client.post(f"/storage/v1/object/conversations/{key}", content=b"{}")


async def listed(client: httpx.AsyncClient, **asked: Any) -> list[str]:
    return [item["name"] for item in (await client.post(LIST, json={"prefix": "", **asked})).json()]


async def test_a_list_by_name_takes_upper_and_lower_case_for_one(client: httpx.AsyncClient) -> None:
    await upload(client, "B", "a", "records/x/y", "C", "z")

    assert await listed(client) == ["a", "B", "C", "records", "z"]
    assert await listed(client, prefix="RECORDS") == ["x"]
    assert await listed(client, sortBy={"column": "name", "order": "desc"}) == ["z", "records", "C", "B", "a"]
    assert await listed(client, limit=2, offset=1) == ["B", "C"]


@pytest.mark.parametrize(("order", "files"), [("asc", ["b", "a"]), ("desc", ["a", "b"])])
async def test_a_list_by_time_begins_with_the_folders(client: httpx.AsyncClient, order: str, files: list[str]) -> None:
    await upload(client, "records/x", "b", "a")

    assert await listed(client, sortBy={"column": "updated_at", "order": order}) == ["records", *files]
    assert await listed(client, sortBy={"column": "updated_at", "order": order}, limit=1) == ["records"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"limit": 1}, "body must have required property 'prefix'"),
        ({"prefix": "", "limit": 0}, "body/limit must be >= 1"),
        ({"prefix": "", "offset": -1}, "body/offset must be >= 0"),
        ({"prefix": "", "sortBy": {"column": "id"}}, "body/sortBy/column must be equal to one of the allowed values"),
        (
            {"prefix": "", "sortBy": {"column": "name", "order": "up"}},
            "body/sortBy/order must be equal to one of the allowed values",
        ),
    ],
)
async def test_a_list_that_is_asked_for_wrongly_is_refused(
    client: httpx.AsyncClient, asked: dict[str, Any], said: str
) -> None:
    answer = await client.post(LIST, json=asked)

    body = {"statusCode": "400", "error": "Error", "message": said, "code": "InvalidRequest"}
    assert (answer.status_code, answer.json()) == (400, body)


async def test_facts_are_kept_from_a_header_or_a_form_and_are_none_where_none_were_sent(
    client: httpx.AsyncClient,
) -> None:
    found = []
    for facts in ({"a": 1}, None):
        header = {"x-metadata": base64.b64encode(json.dumps(facts).encode()).decode()} if facts else {}
        await client.post(OBJECT, content=b"1", headers={"x-upsert": "true", **header})
        found.append((await client.get(INFO)).json()["metadata"])
    files: dict[str, Any] = {"metadata": (None, '{"b":2}'), "file": ("a.json", b"2", "application/json")}
    await client.post(OBJECT, files=files, headers={"x-upsert": "true"})

    assert found == [{"a": 1}, {}]
    assert (await client.get(INFO)).json()["metadata"] == {"b": 2}


async def test_part_of_an_object_and_its_head_can_be_read(client: httpx.AsyncClient) -> None:
    await client.post(OBJECT, content=b"0123456789", headers={"Cache-Control": "max-age=0"})
    part = await client.get(OBJECT, headers={"Range": "bytes=2-4"})
    beyond = await client.get(OBJECT, headers={"Range": "bytes=10-"})
    head = await client.head(OBJECT)

    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "InvalidRange")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "10")
    assert head.headers["ETag"] == part.headers["ETag"]


async def test_whole_rows_of_what_was_removed_are_given(client: httpx.AsyncClient) -> None:
    await client.post(OBJECT, content=b"1")
    removed = await client.request("DELETE", OBJECT[:-7], json={"prefixes": ["a.json", "missing"]})

    [row] = removed.json()
    assert (row["name"], row["bucket_id"], row["metadata"]["size"]) == ("a.json", "conversations", 1)
    assert {"id", "version", "owner", "owner_id", "user_metadata", "created_at", "updated_at"} < row.keys()


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
    about = (await client.get(INFO)).json()
    duplicate = await client.post(OBJECT, content=b"2")
    second = await client.post(OBJECT, content=b"2", headers={"x-upsert": "true"})
    after = (await client.get(INFO)).json()

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
